"""Columns of categories, ordered or not, and of yes and no: codes and back."""

import collections
import datetime
import decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaekit.data.columns import OTHER, Boolean, Categorical, Ordinal, Values, categories
from vaekit.errors import ConfigError, DataError
from vaekit.spec import from_json, to_json


def values(array, name="c", **where):
    return Values(name, pa.array(array) if isinstance(array, list) else array, **where)


def fitted(cls, *pieces, **options):
    summary = cls.summary("c", options)
    for piece in pieces:
        summary.add(values(piece))
    return summary.column()


texts = st.text(max_size=4) | st.sampled_from(["", "\0", "(other)", "ß", "🦄", "a", "b"])


@given(st.lists(texts | st.none(), min_size=1, max_size=40), st.integers(1, 3), st.integers(1, 4))
def test_codes_follow_the_counts_of_python(rows, least, most):
    counts = collections.Counter(row for row in rows if row is not None)
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    wanted = [name for name in ranked if counts[name] >= least][:most]
    options = {"min_frequency": str(least), "max_categories": str(most)}
    if not wanted:
        with pytest.raises(DataError, match=r"(no category occurs|no values at all)"):
            fitted(Categorical, pa.array(rows, pa.string()), **options)
        return
    column = fitted(Categorical, pa.array(rows, pa.string()), **options)
    pieces = [pa.array(rows[:7], pa.string()), pa.array(rows[7:], pa.large_string())]
    assert fitted(Categorical, *pieces, **options) == column
    assert column.categories == tuple(wanted)
    assert column.rare == sum(counts[name] for name in counts if name not in wanted)
    assert (column.rows, column.absent) == (len(rows), rows.count(None))
    code = column.encode(values(pa.array(rows, pa.string())))[:, 0]
    rank = {name: place for place, name in enumerate(wanted)} | {None: np.nan}
    np.testing.assert_array_equal(code, [rank.get(row, len(wanted)) for row in rows])
    back = column.decode(code[:, None]).to_pylist()
    assert back == [row if row in wanted else None for row in rows]
    shown = column.typical(code[:, None]).to_pandas()
    assert list(shown.isna()) == [row is None for row in rows]
    assert from_json(to_json(column)) == column


@pytest.mark.parametrize(
    ("array", "scalar"),
    [
        (pa.array([3, 3, None, -7, -7]), "integer"),
        (pa.array([2**63, 2**63, None, 1, 1], pa.uint64()), "integer"),
        (pa.array([0.1, 0.1, None, 1e20, 1e20]), "number"),
        (pa.array([0.1, 0.1, None, 2.0, 2.0], pa.float32()), "number"),
        (pa.array([True, True, None, False, False]), "boolean"),
        (pa.array(["x", "x", None, "yy", "yy"]), "text"),
        (pa.array(["x", "x", None, "yy", "yy"], pa.large_string()), "text"),
        (pa.array(["x", "x", None, "yy", "yy"], pa.string_view()), "text"),
        (pa.array(["x", "x", None, "yy", "yy"]).dictionary_encode(), "text"),
        (pa.chunked_array([["x", "x", None], ["yy", "yy"]]).dictionary_encode(), "text"),
        (pa.chunked_array([["x", "x"], [None, "yy", "yy"]]), "text"),
    ],
)
def test_values_of_all_types_come_back(array, scalar):
    column = fitted(Categorical, array)
    assert column.scalar == scalar
    assert column.absent == 1
    back = column.decode(column.encode(values(array))).to_pylist()
    wanted = array.to_pylist()
    if array.type == pa.float32():
        wanted = [None if value is None else float(str(np.float32(value))) for value in wanted]
    assert back == wanted


@pytest.mark.parametrize(
    "array",
    [
        pa.array([datetime.date(2020, 1, 2)] * 2),
        pa.array([datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC)] * 2),
        pa.array([decimal.Decimal("1.20")] * 2),
        pa.array([datetime.time(3)] * 2),
        pa.array(np.array([0.5, 0.5], np.float16)),
    ],
)
def test_other_types_are_categories_by_their_text(array):
    column = fitted(Categorical, array)
    assert len(column.categories) == 1
    assert column.encode(values(array)).tolist() == [[0.0], [0.0]]


def test_integers_stay_themselves_when_a_missing_value_makes_them_floats():
    column = fitted(Categorical, np.array([1, 1, 10**15, 10**15]))
    floats = np.array([1.0, np.nan, 1e15, -0.0])
    np.testing.assert_array_equal(column.encode(values(floats)), [[0], [np.nan], [1], [2]])
    assert fitted(Categorical, np.array([0.0, -0.0])).categories == ("0",)
    both = fitted(Categorical, np.array([1, 1]), np.array([1.0, 2.5, 2.5]))
    assert (both.categories, both.scalar) == (("1", "2.5"), "number")
    mixed = fitted(Categorical, np.array([1, 1]), ["1", "a"])
    assert (mixed.categories, mixed.scalar) == (("1",), "text")


def test_a_null_or_repeated_value_of_a_dictionary_is_understood():
    dictionary = pa.array(["a", None, "b", "a"])
    array = pa.DictionaryArray.from_arrays(pa.array([0, 1, 3, None, 2, 2]), dictionary)
    column = fitted(Categorical, array)
    assert (column.categories, column.absent) == (("a", "b"), 2)
    np.testing.assert_array_equal(column.encode(values(array))[:, 0], [0, np.nan, 0, np.nan, 1, 1])


def test_unknown_categories_follow_the_policy():
    rows, new = ["a", "a", "b", "b"], ["b", "new", None, "new"]
    other = fitted(Categorical, rows)
    np.testing.assert_array_equal(other.encode(values(new))[:, 0], [1, 2, np.nan, 2])
    assert other.unknown_rows(values(new)).sum() == 2
    missing = fitted(Categorical, rows, unknown="missing")
    np.testing.assert_array_equal(missing.encode(values(new))[:, 0], [1, np.nan, np.nan, np.nan])
    assert missing.unknown_rows(values(new)).sum() == 2
    strict = fitted(Categorical, rows, unknown="error")
    says = r"t: column 'c': 2 value\(s\) are of no known category, in rows 11, 13; expected 'a', "
    with pytest.raises(DataError, match=says + r"'b', got 'new'\. .*unknown=missing"):
        strict.encode(values(new, where="t", first=10))
    assert strict.unknown_rows(values(new)).sum() == 2


@pytest.mark.parametrize(("unknown", "gone"), [("missing", 5), ("other", 2)])
def test_rare_categories_that_are_taken_for_no_value_count_as_missing(unknown, gone):
    rows = ["a"] * 4 + ["b", "c", None, "d", None]
    column = fitted(Categorical, rows[:5], rows[5:], unknown=unknown)
    assert (column.absent, column.rare) == (2, 3)
    assert column.missing == column.fields[0].missing == (gone, 9)
    assert np.isnan(column.encode(values(rows))).sum() == gone
    assert from_json(to_json(column)) == column


def test_the_bucket_has_a_name_that_no_category_has():
    column = Categorical("c", categories=("a", OTHER))
    shown = column.typical(np.array([[0.0], [1.0], [2.0], [np.nan]])).to_pandas()
    assert list(shown[:3]) == ["a", "(other)", "((other))"]
    assert shown.isna().tolist() == [False, False, False, True]


def test_categories_that_are_given_are_written_as_values_are():
    given = fitted(Categorical, np.array([1.0, 2.5, 7.0, 7.0]), categories="2.50,1,9")
    assert (given.categories, given.rare) == (("2.5", "1", "9"), 2)
    assert fitted(Categorical, ["01", "x"], categories="01,none").categories == ("01", "none")
    flags = fitted(Categorical, [True, None], categories="True,false")
    assert flags.categories == ("true", "false")
    with pytest.raises(ConfigError, match=r"'c', option categories: .* numbers, got 'x'"):
        fitted(Categorical, np.array([1, 2]), categories="x")
    with pytest.raises(ConfigError, match=r"the category '1' is there twice"):
        fitted(Categorical, np.array([1, 2]), categories="1,1.0")


def test_forgetting_the_rarest_keeps_the_frequent(monkeypatch):
    monkeypatch.setattr(categories, "COUNTED", 50)
    summary = Categorical.summary("c", {})
    for batch in range(20):
        some = [f"{batch}-{i}" for i in range(40)] + ["often"] * 3 + ["also"] * 2
        summary.add(values(some))
        assert len(summary.counts) <= 150
    column = summary.column()
    assert column.categories == ("often", "also")
    assert column.rare == 800


def test_what_users_are_told():
    assert fitted(Categorical, ["a", "a"]).notes() == (
        "column 'c' is constant ('a'): only other values will count",
    )
    rare = fitted(Categorical, ["a", "a", *map(str, range(8))])
    assert rare.notes() == ("column 'c': 80% of its rows hold categories too rare to tell apart",)
    assert rare.describe() == "categorical, 1 categories and a bucket for others"
    told = fitted(Categorical, ["a", "a"], unknown="missing").describe()
    assert told == "categorical, 1 categories, others are missing"
    assert fitted(Categorical, ["a", "a", "b", "b"]).notes() == ()
    assert fitted(Ordinal, ["a"], levels="a,b,c,d,e").describe() == "ordinal, a < b < c < d < …"


@pytest.mark.parametrize("cls", [Categorical, Ordinal, Boolean])
def test_columns_without_values_are_refused(cls):
    options = {"levels": "a,b"} if cls is Ordinal else {}
    with pytest.raises(DataError, match=r"column 'c' has no values at all.*'c': 'skip'"):
        fitted(cls, pa.array([None, None]), **options)


def test_names_of_single_rows_teach_nothing():
    with pytest.raises(DataError, match=r"no category occurs 2 times.*got 3 categories in 3 rows"):
        fitted(Categorical, ["a", "b", "c", None])
    assert len(fitted(Categorical, ["a", "b"], min_frequency="1").categories) == 2


@pytest.mark.parametrize(
    ("cls", "options", "says"),
    [
        (Categorical, {"most": "3"}, r"unknown option 'most' .*Known: categories, max_cat"),
        (Categorical, {"max_categories": "many"}, r"'c', option max_categories: wrong type"),
        (Categorical, {"max_categories": "0"}, r"out of bounds; expected between 1 and 65535"),
        (Categorical, {"max_categories": "70000"}, r"out of bounds; expected between 1 and"),
        (Categorical, {"min_frequency": "-1"}, r"option min_frequency: out of bounds"),
        (Categorical, {"unknown": "drop"}, r"option unknown: not one of the choices"),
        (Ordinal, {"levels": "a,a"}, r"the category 'a' is there twice"),
        (Ordinal, {"unknown": "other"}, r"expected 'missing' or 'error', got 'other'"),
        (Ordinal, {}, r"c': the order of these levels is not known.*'c': 'ordinal:levels="),
        (Boolean, {"levels": "a"}, r"unknown option 'levels' .*This type has no options"),
    ],
)
def test_wrong_options_are_refused(cls, options, says):
    with pytest.raises(ConfigError, match=says):
        fitted(cls, ["a", "a"], **options)


@pytest.mark.parametrize(
    "array", [pa.array([[1], [2]]), pa.array([{"a": 1}]), pa.array([b"\xff"])]
)
def test_lists_records_and_bytes_are_no_categories(array):
    with pytest.raises(DataError, match=r"column 'c': these values cannot be categories; expect"):
        fitted(Categorical, array)


@pytest.mark.parametrize(
    ("cls", "changes"),
    [
        (Categorical, {"categories": []}),
        (Categorical, {"categories": ["a", "a"]}),
        (Categorical, {"categories": [1, 2]}),
        (Categorical, {"categories": [f"{i}" for i in range(65_536)]}),
        (Categorical, {"categories": ["a"], "scalar": "code"}),
        (Categorical, {"categories": ["a"], "rare": -1}),
        (Categorical, {"categories": ["a"], "rows": 3, "absent": 4}),
        (
            Categorical,
            {"categories": ["a"], "rows": 3, "absent": 2, "rare": 2, "unknown": "missing"},
        ),
        (Ordinal, {"levels": []}),
        (Ordinal, {"levels": ["a", "a"]}),
        (Ordinal, {"levels": ["a"], "unknown": "other"}),
        (Boolean, {"rows": 2**60}),
        (Boolean, {"name": 7}),
    ],
)
def test_damaged_columns_are_refused(cls, changes):
    with pytest.raises(ConfigError):
        from_json({"kind": cls.kind, "name": "c", **changes})


def test_codes_that_no_category_has_are_missing():
    column = Categorical("c", categories=("1", "x"), scalar="text")
    code = np.array([[-1.0], [2.0], [9e9], [np.inf], [-np.inf], [np.nan], [0.9999999]])
    assert column.decode(code).to_pylist() == [None] * 6 + ["x"]
    torn = column.replace(scalar="integer")  # whose category 'x' is no integer
    assert torn.decode(np.array([[0.0]])).to_pylist() == ["1"]


def test_levels_have_the_order_of_their_type_or_of_the_user():
    ordered = pa.DictionaryArray.from_arrays([1, 0, None, 1], ["low", "high"], ordered=True)
    for array in (ordered, pa.chunked_array([ordered])):
        column = fitted(Ordinal, array)
        assert (column.levels, column.rows, column.absent) == (("low", "high"), 4, 1)
        code = column.encode(values(array))
        np.testing.assert_array_equal(code[:, 0], [1, 0, np.nan, 1])
        assert column.decode(code).to_pylist() == ["high", "low", None, "high"]
    given = fitted(Ordinal, [3.0, 1.0], levels="1,2,3")
    assert (given.levels, given.scalar) == (("1", "2", "3"), "number")
    assert given.decode(given.encode(values([3, None, 1]))).to_pylist() == [3.0, None, 1.0]
    assert fitted(Ordinal, ["only", "only"], levels="only").fields[0].size == 2


def test_unknown_levels_follow_the_policy():
    says = r"1 value\(s\) are of no known category, in row 1; expected 'S', 'M', got 'XL'"
    with pytest.raises(DataError, match=says):
        fitted(Ordinal, ["S", "XL"], levels="S,M")
    lenient = fitted(Ordinal, ["S", "XL"], levels="S,M", unknown="missing")
    assert (lenient.rows, lenient.absent) == (2, 1)
    assert lenient.unknown_rows(values(["XL", None, "M"])).sum() == 1
    np.testing.assert_array_equal(lenient.encode(values(["M", "XL"])), [[1], [np.nan]])
    with pytest.raises(DataError, match=r"got 'XL'"):
        lenient.replace(unknown="error").encode(values(["XL"]))


def test_yes_and_no_come_back():
    for array in (
        pa.array([True, None, False]),
        np.array([1.0, np.nan, 0.0]),
        pa.array([1, None, 0]),
    ):
        column = fitted(Boolean, array)
        assert (column.rows, column.absent) == (3, 1)
        assert column.decode(column.encode(values(array))).to_pylist() == [True, None, False]
    with pytest.raises(DataError, match=r"1 value\(s\) are neither true nor false, in row 1; .*2"):
        column.encode(values([1, 2]))
    with pytest.raises(DataError, match=r"wrong type of values; expected true, false, 1 or 0"):
        column.encode(values(["yes"]))
