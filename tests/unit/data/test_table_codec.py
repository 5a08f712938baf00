"""The codec of tables: round trips through tensors, its JSON, and tables that do not fit it."""

import copy
import datetime as dt
import json
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vaekit.artifacts import load, save
from vaekit.data import DataCodec, fit_table
from vaekit.errors import ConfigError, DataError, VaekitError
from vaekit.models import FlatVAE
from vaekit.spec import from_json, to_json
from vaekit.tasks.detection.tables import table_likelihood, table_network

TYPES = {"amount": "zero-inflated", "visits": "count", "size": "ordinal:levels=S,M,L"}


def rows(n=40, seed=0):
    """A table with a column of each kind, some values missing."""
    rng = np.random.default_rng(seed)
    day = np.datetime64("2019-12-01")
    table = {
        "age": rng.integers(18, 90, n),
        "price": np.round(rng.lognormal(3, 1, n), 2),
        "amount": np.where(rng.random(n) < 0.5, 0.0, np.round(rng.lognormal(2, 1, n), 1)),
        "visits": rng.poisson(3, n),
        "paid": rng.random(n) < 0.5,
        "town": rng.choice(["", "Ä", "🦄"], n),
        "size": rng.choice(["S", "M", "L"], n),
        "when": day + rng.integers(0, 10**8, n).astype("m8[s]"),
    }
    missing = {name: rng.random(n) < 0.2 for name in ("price", "amount", "visits", "town", "when")}
    return pa.table({k: pa.array(v, mask=missing.get(k)) for k, v in table.items()})


@given(st.integers(0, 1_000), st.integers(3, 60))
def test_rows_come_back(seed, n):
    table = rows(n, seed)
    try:
        codec = fit_table(table, TYPES)
    except DataError as error:
        assert "no category occurs 2 times" in str(error) or "no values" in str(error)  # noqa: PT017
        return
    x = codec.encode(table)
    assert x.dtype == torch.float32
    assert x.shape == (n, *codec.event_shape) == (n, 11)
    back = codec.decode(x)
    for name in table.column_names:
        wanted, got = table[name].to_pylist(), back[name].to_pylist()
        if name == "town":
            known = codec.columns[5].categories
            wanted = [town if town in known else None for town in wanted]
        if name == "amount":
            both = [np.array(v, np.float64) for v in (got, wanted)]
            np.testing.assert_allclose(*both, rtol=1e-4)
        else:
            assert got == wanted, name


def test_missing_values_are_nan_in_all_fields_of_their_column():
    table = rows()
    codec = fit_table(table, TYPES)
    x = codec.encode(table)
    gone = torch.tensor([table[name].is_null().to_pylist() for name in codec.names]).T
    void = torch.tensor([f.missing is None for f in codec.fields])
    assert torch.equal(x.isnan() | (void & (x == 7)), x.isnan())
    assert (x.isnan()[:, ~void] == gone[:, codec.owners][:, ~void]).all()
    assert x.isnan()[gone[:, codec.owners]].all()
    absent = [field.missing[0] for field in codec.fields if field.missing is not None]
    assert absent == gone.sum(0).tolist()


def test_all_forms_of_a_table_give_the_same_tensor():
    polars = pytest.importorskip("polars")
    table = rows()
    codec = fit_table(table, TYPES)
    x = codec.encode(table)
    forms = [
        table.to_pandas(),
        table.to_pandas(types_mapper=pd.ArrowDtype),
        table.to_batches()[0],
        pa.concat_tables([table.slice(0, 7), table.slice(7)]),
        polars.from_arrow(table),
        {name: table[name] for name in reversed(table.column_names)},
        table.set_column(5, "town", table["town"].dictionary_encode()),
        table.set_column(5, "town", table["town"].cast(pa.large_string())),
    ]
    for form in forms:
        torch.testing.assert_close(codec.encode(form), x, rtol=0, atol=0, equal_nan=True)
        assert fit_table(form, TYPES).encode(table).shape == x.shape


def test_arrays_are_read_by_number():
    array = np.random.default_rng(0).normal(3, 2, (50, 3))
    array[4, 1] = np.nan
    codec = fit_table(array)
    wanted = (array - np.nanmean(array, 0)) / np.nanstd(array, 0)
    for dtype in (np.float64, object):
        found = codec.encode(array.astype(dtype)).numpy()
        np.testing.assert_allclose(found, wanted.astype(np.float32), rtol=1e-5, atol=1e-6)
    assert not codec.named
    frame = pd.DataFrame(array, columns=["a", "b", "c"])
    assert torch.equal(codec.encode(frame).nan_to_num(9), codec.encode(array).nan_to_num(9))
    named = fit_table(frame)
    assert torch.equal(named.encode(array).nan_to_num(9), codec.encode(array).nan_to_num(9))
    with pytest.raises(DataError, match=r"X: another number of columns; expected 3, got 2"):
        codec.encode(array[:, :2])
    mixed = fit_table(np.array([[1.5, "a"], [2.5, "a"]], object))
    assert not mixed.named
    assert mixed.encode(np.array([[1.5, "b"]], object)).tolist() == [[-1.0, 1.0]]


def test_skipped_columns_keep_their_places_in_arrays():
    array = np.array([[1.0, 5.0, 2.0], [3.0, 7.0, 4.0]])
    codec = fit_table(array, {"1": "skip"})
    assert codec.encode(array).tolist() == [[-1.0, -1.0], [1.0, 1.0]]
    named = fit_table({"a": [1.0, 3.0], "b": ["x", "y"]}, {"b": "skip"})
    assert named.encode({"a": [2.0]}).tolist() == [[0.0]]
    assert named.encode({"b": [None], "a": [2.0]}).tolist() == [[0.0]]
    with pytest.raises(
        DataError, match=r"read by name, and this table has no names; expected 'a'"
    ):
        named.encode(array)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"a": [1.0], "c": [1.0]}, r"lacks 'b' and has 'c', which .* If 'c' is a new name of 'b'"),
        ({"a": [1.0]}, r"t: the table lacks 'b'\. Bring all columns of the training table"),
        (
            {"a": [1.0], "b": [1.0], "x": [1], "y": [2]},
            r"table has 'x', 'y', .*Leave out 'x', 'y'",
        ),
        (
            {"a": [1.0, 2.0], "b": [np.inf, 1.0]},
            r"column 'b': 1 value\(s\) are not finite, in row 5",
        ),
        ({"a": ["x"], "b": [1.0]}, r"t: column 'a': the values are not numbers; .* got string"),
        (
            {"a": [1.0, 1e300], "b": [1.0, 1.0]},
            r"column 'a': 1 value\(s\) are too far .* in row 6",
        ),
        (
            np.array([[1.0, 1.0], [np.inf, 1]]),
            r"t: column 'a': 1 value\(s\) are not finite, in row 6",
        ),
        (
            np.array([[1.0, 1e300]]),
            r"t: column 'b': 1 value\(s\) are too far .* in row 5; expected",
        ),
    ],
)
def test_tables_that_do_not_fit_are_refused_by_name(table, says):
    codec = fit_table({"a": [1.0, 2.0], "b": [1.0, 2.0]})
    with pytest.raises(DataError, match=says):
        codec.encode(table, where="t", first=5)


def test_many_missing_columns_are_not_all_listed():
    codec = fit_table({f"c{i}": [1.0, 2.0] for i in range(9)})
    with pytest.raises(DataError, match=r"lacks 'c1', 'c2', 'c3', 'c4', 'c5' and 3 more\. Bring"):
        codec.encode({"c0": [1.0]})


def test_one_row_is_a_table():
    codec = fit_table({"x": [1.5], "n": [3], "b": [True], "t": [dt.date(2020, 1, 1)]})
    assert codec.encode({"x": [1.5], "n": [3], "b": [True], "t": [dt.date(2020, 1, 1)]}).shape == (
        1,
        5,
    )


def test_expectations_have_raw_units_and_words():
    codec = fit_table({"n": [1, 2, 3], "c": ["x", "x", "y"], "b": [True, False, True]})
    found = codec.typical(np.array([[0.5, 0.0, 0.9], [np.nan, 1.0, np.nan]])).to_pylist()
    assert found[0] == {"n": pytest.approx(2 + 0.5 * np.std([1, 2, 3])), "c": "x", "b": True}
    assert found[1] == {"n": None, "c": "(other)", "b": None}
    with pytest.raises(
        DataError, match=r"not rows of this codec; expected \('n', 3\), got \(2, 2\)"
    ):
        codec.decode(torch.zeros(2, 2))


def test_what_users_are_told():
    codec = fit_table(rows(), TYPES)
    kinds = "2 numeric, 1 zero-inflated, 1 count, 1 Boolean, 1 categorical, 1 ordinal, 1 datetime"
    assert codec.describe() == f"table of 8 columns: {kinds}"
    assert fit_table({"a": [1, 1], "b": [1, 2]}).notes() == [
        "column 'a' is constant (1): only other values will count"
    ]


# --- the schema as JSON -------------------------------------------------------------------------


def test_the_schema_is_json():
    codec = fit_table(rows(), TYPES)
    text = json.dumps(to_json(codec), allow_nan=False)
    again = from_json(json.loads(text))
    assert again == codec
    assert torch.equal(again.encode(rows()).nan_to_num(9), codec.encode(rows()).nan_to_num(9))


NUMBERS = [True, -1, 0, 2**70, 1e308, -1e308, float("nan"), float("inf")]
PARTS = [{"kind": "column/numeric", "name": "x"}, {"kind": "likelihood/gaussian"}, {"$ref": "a b"}]
VALUES = st.sampled_from([None, *NUMBERS, "", "x", [], {}, [[]], ["x"] * 3, *PARTS])


@given(st.data())
def test_damaged_schemas_are_refused_or_work(data):
    """One value is changed anywhere: what is accepted encodes, or refuses by a typed error."""
    damaged = copy.deepcopy(to_json(fit_table(rows(), TYPES)))
    column = data.draw(st.sampled_from(damaged["columns"]))
    place = data.draw(st.sampled_from([damaged, column]))
    place[data.draw(st.sampled_from([*place, "extra"]))] = data.draw(VALUES)
    try:
        codec = from_json(damaged, role="codec")
        x = codec.encode(rows().select(list(codec.names)))
        codec.decode(x)
        codec.typical(x)
        table_likelihood(codec).build(event_shape=codec.event_shape)
        table_network(codec).encoder(codec.event_shape)
    except (VaekitError, KeyError) as error:
        assert not isinstance(error, KeyError) or "does not exist in schema" in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"columns": []}, r"not the columns of a table"),
        ({"columns": [{"kind": "codec/labels", "classes": ["a"]}]}, r"not a column"),
        (
            {"columns": [{"kind": "column/boolean", "name": "a"}] * 2},
            r"not the columns of a table",
        ),
        ({"named": False}, r"columns without names are numbered; expected 0 to 0.*got 'a'"),
        ({"skipped": [1]}, r"wrong type"),
        ({"columns": [{"kind": "column/numeric", "name": "a", "scale": 0}]}, r"out of bounds"),
        ({"columns": [{"kind": "column/numeric"}]}, r"needs name"),
    ],
)
def test_what_is_wrong_with_a_schema_is_said(changes, says):
    damaged = {"kind": "codec/table", "columns": [{"kind": "column/boolean", "name": "a"}]}
    with pytest.raises(ConfigError, match=says):
        from_json(damaged | changes)


def test_an_artifact_keeps_schema_likelihood_and_network(tmp_path):
    table = rows()
    codec = fit_table(table, TYPES)
    spec = FlatVAE(encoder=table_network(codec), likelihood=table_likelihood(codec))
    model = spec.build(event_shape=codec.event_shape)
    x = codec.encode(table)
    model.likelihood.initialise(x)
    save(tmp_path / "model", model.eval(), DataCodec(codec))
    artifact = load(tmp_path / "model")
    again = artifact.model.eval()
    assert artifact.codec.x == codec
    q, wanted = again.encode(x), model.encode(x)
    torch.testing.assert_close(q.mean, wanted.mean, rtol=0, atol=0)
    z = q.mean
    torch.testing.assert_close(
        again.decode(z).log_prob(x), model.decode(z).log_prob(x), rtol=0, atol=0
    )


# --- sizes --------------------------------------------------------------------------------------


def test_a_hundred_thousand_categories_cost_seconds_and_no_dense_columns():
    rng = np.random.default_rng(0)
    drawn = rng.zipf(1.3, 1_000_000) % 100_000
    table = pa.table({"id": pa.array(drawn).cast(pa.string())})
    start = time.process_time()
    codec = fit_table(table)
    x = codec.encode(table)
    assert time.process_time() - start < 10
    assert x.shape == (1_000_000, 1)
    column = codec.columns[0]
    counts = pd.Series(drawn).value_counts()
    assert len(column.categories) == 255
    assert column.rare == counts[255:].sum()
    assert (x == 255).sum().item() == column.rare


def test_three_thousand_columns_cost_seconds():
    array = np.random.default_rng(0).normal(size=(50, 3_000))
    frame = pa.table(list(array.T), names=[f"column {i}" for i in range(3_000)])
    start = time.process_time()
    codec = fit_table(frame)
    x = codec.encode(frame)
    codec.decode(x)
    assert from_json(to_json(codec)) == codec
    assert time.process_time() - start < 10
    np.testing.assert_allclose(x.mean(0).numpy(), 0, atol=1e-6)


@pytest.mark.parametrize("name", ["adult-train.csv", "creditcard_sample.csv"])
def test_real_tables_come_back(shared_data, name):
    import pyarrow.csv

    options = pyarrow.csv.ConvertOptions(null_values=["?", " ?"], strings_can_be_null=True)
    table = pyarrow.csv.read_csv(shared_data / "tabular" / name, convert_options=options)
    table = table.slice(0, 3_000)
    codec = fit_table(table)
    back = codec.decode(codec.encode(table))
    for column in codec.columns:
        wanted, got = table[column.name].to_pandas(), back[column.name].to_pandas()
        if column.word == "categorical":
            known = wanted.where(wanted.isin(column.categories))
            assert list(got.astype(object).fillna("")) == list(known.fillna(""))
        else:
            np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-5 * column.scale)
