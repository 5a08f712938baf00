"""Which kind each column is: by its type or as the user says, never by its values."""

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from vaekit.data import fit_table
from vaekit.data.frames import as_frame
from vaekit.data.schema import TableSummary
from vaekit.errors import ConfigError, DataError

KINDS = {
    "numeric": [
        pa.array([1, 2], pa.int8()),
        pa.array([1, 2], pa.uint64()),
        pa.array([0.0, 1.0]),
        pa.array([0.0, 1.0], pa.float32()),
        pa.array([decimal.Decimal("1.5")] * 2),
        pa.array([dt.timedelta(1)] * 2),
    ],
    "Boolean": [pa.array([True, False])],
    "categorical": [
        pa.array(["1", "1"]),
        pa.array(["true", "true"], pa.large_string()),
        pa.array(["2020-01-01"] * 2, pa.string_view()),
        pa.array(["a", "a"]).dictionary_encode(),
        pa.array([1, 1]).dictionary_encode(),
    ],
    "ordinal": [pa.DictionaryArray.from_arrays([0, 1], ["a", "b"], ordered=True)],
    "datetime": [
        pa.array([dt.date(2020, 1, 1)] * 2),
        pa.array([dt.datetime(2020, 1, 1)] * 2),
        pa.array([dt.datetime(2020, 1, 1, tzinfo=dt.UTC)] * 2),
    ],
}


@pytest.mark.parametrize(("word", "array"), [(w, a) for w, some in KINDS.items() for a in some])
def test_data_types_say_what_a_column_is(word, array):
    assert fit_table({"a": array}).columns[0].word == word


def test_types_of_pandas_and_polars():
    polars = pytest.importorskip("polars")
    text = ["a", "b", None, "a", "b"]
    frame = pd.DataFrame(
        {
            "category": pd.Categorical(text),
            "ordered": pd.Categorical(text, categories=["b", "a"], ordered=True),
            "string": pd.Series(text, dtype="string"),
            "object": pd.Series(text, dtype=object),
            "Int64": pd.Series([1, None, 3, 4, 5], dtype="Int64"),
            "boolean": pd.Series([True, None, False, True, True], dtype="boolean"),
            "bool object": pd.Series([True, None, False, True, True], dtype=object),
            "arrow": pd.Series([1, None, 3, 4, 5], dtype=pd.ArrowDtype(pa.int16())),
        }
    )
    words = [
        "categorical",
        "ordinal",
        *["categorical"] * 2,
        "numeric",
        *["Boolean"] * 2,
        "numeric",
    ]
    codec = fit_table(frame)
    assert [column.word for column in codec.columns] == words
    assert codec.columns[1].levels == ("b", "a")
    lazy = polars.DataFrame(
        {
            "category": polars.Series(text, dtype=polars.Categorical),
            "enum": polars.Series(text, dtype=polars.Enum(["b", "a"])),
            "string": text,
            "date": [dt.date(2020, 1, 1)] * 5,
            "time": [dt.datetime(2020, 1, 1, 3)] * 5,
            "flag": [True, None, False, True, False],
        }
    )
    words = ["categorical", "ordinal", "categorical", "datetime", "datetime", "Boolean"]
    assert [column.word for column in fit_table(lazy).columns] == words


def test_numpy_types():
    for array in (np.ones((3, 1)), np.ones((3, 1), np.int8), np.ones((3, 1), np.float32)):
        assert fit_table(array).columns[0].word == "numeric"
    assert fit_table(np.array([[True], [False]])).columns[0].word == "Boolean"
    assert fit_table(np.array([["a"], ["a"]])).columns[0].word == "categorical"
    assert fit_table(np.array([["a"], ["a"]], object)).columns[0].word == "categorical"
    assert fit_table(np.array([["2020-01-01"]], "M8[ns]")).columns[0].word == "datetime"
    assert fit_table(np.array([[3]], "m8[s]")).columns[0].word == "numeric"


def test_users_overrule_types():
    table = {"n": [0, 3], "code": [1, 1], "x": [0.5, 2.0], "id": ["p", "q"], "g": ["lo", "hi"]}
    types = {
        "n": "count",
        "code": "categorical:max_categories=7:unknown=missing",
        "x": "positive",
        "id": "skip",
        "g": "ordinal:levels=lo,hi",
    }
    codec = fit_table(table, types)
    assert [c.word for c in codec.columns] == ["count", "categorical", "positive", "ordinal"]
    assert codec.columns[1].unknown == "missing"
    assert codec.skipped == ("id",)
    assert fit_table(pd.DataFrame({0: [1, 2]}), {0: "count"}).columns[0].word == "count"
    assert fit_table(np.ones((2, 2)), {"1": "skip"}).names == ("0",)


@pytest.mark.parametrize("name", ["skip", "numeric", "levels", "a:b=c", "", "kind", "größe", "\0"])
def test_columns_may_be_named_like_anything(name):
    codec = fit_table({name: [1, 2], "other": [1, 2]}, {name: "count"})
    assert codec.columns[0].word == "count"
    assert codec.names == (name, "other")


@pytest.mark.parametrize(
    ("types", "says"),
    [
        ({"b": "numeric"}, r"X: column_types names a column 'b' that is not there.*Known: a"),
        ({"a": "categoric"}, r"column 'a': unknown column type 'categoric'\. Did you mean 'cat"),
        ({"a": ""}, r"column 'a': unknown column type ''"),
        ({"a": "count:"}, r"column 'a': '' is not option=value"),
        ({"a": "count:x=1"}, r"column 'a': unknown option 'x'"),
        ({"a": None}, r"column 'a': not a column type; expected text, .* got None"),
        ({"a": {"type": "count"}}, r"column 'a': not a column type"),
    ],
)
def test_wrong_types_are_refused(types, says):
    with pytest.raises(ConfigError, match=says):
        fit_table({"a": [1, 2]}, types)


@pytest.mark.parametrize(
    ("column", "says"),
    [
        ([None, None], r"t: column 'a': there are no values at all.* got 2 rows without one"),
        (np.array([np.nan, np.nan]), r"column 'a' has no values at all"),
        (pa.array([None, None], pa.string()), r"column 'a' has no values at all"),
        (pa.array([None, None], pa.timestamp("s")), r"column 'a' has no values at all"),
        ([[1], [2]], r"t: column 'a': no column type stands for .* got list<.*'a': 'skip'"),
        ([b"x", b"y"], r"no column type stands for this data type; got binary"),
        ([dt.time(1), dt.time(2)], r"got time64\[us\]\. Turn it into numbers, text or timestamps"),
        ([{"b": 1}, {"b": 2}], r"got struct"),
    ],
)
def test_unusable_columns_are_refused_by_name(column, says):
    with pytest.raises(DataError, match=says):
        fit_table({"fine": [1.0, 2.0], "a": column}, where="t")
    assert fit_table({"fine": [1.0, 2.0], "a": column}, {"a": "skip"}).names == ("fine",)


def test_text_of_yes_and_no_is_never_guessed():
    assert fit_table({"a": ["true", "true"]}).columns[0].word == "categorical"
    with pytest.raises(
        DataError, match=r"'a': wrong type of values; expected true, false, 1 or 0"
    ):
        fit_table({"a": ["true", "false"]}, {"a": "boolean"})


def test_a_table_without_columns_to_read_is_refused():
    with pytest.raises(DataError, match=r"every column is skipped"):
        fit_table({"a": [1, 2]}, {"a": "skip"})


def test_pieces_of_a_table_fit_as_the_whole_does():
    rng = np.random.default_rng(0)
    n = 300
    table = pa.table(
        {
            "x": pa.array(np.round(rng.normal(size=n), 2)),
            "y": pa.array(np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n))),
            "z": np.where(rng.random(n) < 0.4, 0.0, rng.lognormal(size=n)),
            "c": pa.array(rng.choice(["a", "b", "c"], n)),
            "n": rng.poisson(3, n),
            "b": pa.array(rng.random(n) < 0.5),
            "t": pa.array(rng.integers(0, 10**9, n), pa.timestamp("s")),
        }
    )
    types = {"z": "zero-inflated", "n": "count"}
    summary = TableSummary(types)
    for start in range(0, n, 77):
        summary.add(as_frame(table.slice(start, 77)))
    assert summary.rows == n
    whole, pieces = fit_table(table, types), summary.codec()
    np.testing.assert_allclose(
        pieces.encode(table).numpy(), whole.encode(table).numpy(), rtol=1e-5, atol=1e-6
    )
    assert [c.replace(loc=0.0, scale=1.0) for c in pieces.columns if c.word == "numeric"] == [
        c.replace(loc=0.0, scale=1.0) for c in whole.columns if c.word == "numeric"
    ]
    assert pieces.columns[3] == whole.columns[3]


def test_pieces_name_their_rows_and_have_the_same_columns():
    summary = TableSummary({"n": "count"}, where="t")
    summary.add(as_frame({"n": [1, 2, 3]}))
    with pytest.raises(DataError, match=r"t: column 'n': 1 value\(s\) are no counts, in row 4;"):
        summary.add(as_frame({"n": [1, -2]}))
    with pytest.raises(DataError, match=r"t: these rows have other columns .* expected n, got m"):
        summary.add(as_frame({"m": [1]}))
