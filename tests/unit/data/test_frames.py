"""Tables of all libraries as one of two forms, and what is no table."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse

from vaekit.data.frames import as_frame, has_names, names_of, values_of
from vaekit.errors import DataError


def test_arrays_of_numbers_stay_as_they_are():
    for dtype in (np.float64, np.float32, np.int8, np.uint64, bool):
        array = np.ones((3, 2), dtype)
        assert as_frame(array) is array
    assert not has_names(as_frame(np.ones((3, 2))))
    assert names_of(as_frame(np.ones((3, 2)))) == ["0", "1"]
    assert as_frame([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]


def test_masked_values_are_missing_ones():
    masked = np.ma.masked_array([[1, 2], [3, 4]], mask=[[False, True], [False, False]])
    np.testing.assert_array_equal(as_frame(masked), [[1, np.nan], [3, 4]])


def test_arrays_of_text_and_objects_have_numbered_columns():
    frame = as_frame(np.array([["a", 1.5], [None, np.nan]], object))
    assert [str(kind) for kind in frame.schema.types] == ["string", "double"]
    assert not has_names(frame)
    assert not has_names(frame.take([0]))
    assert as_frame(np.array([["x", "yy"]])).to_pylist() == [{"0": "x", "1": "yy"}]
    assert not has_names(as_frame(np.array([["2020-01-01"]], "M8[D]")))


def test_every_library_gives_the_same_table(tmp_path):
    polars = pytest.importorskip("polars")
    data = {"a": [1.0, None, 3.0], "b": ["x", "ü\0", None], "c": [True, False, None]}
    table = pa.table(data)
    pq.write_table(table, tmp_path / "t.parquet")
    forms = [
        data,
        table,
        table.to_batches()[0],
        table.to_pandas(),
        table.to_pandas(types_mapper=pd.ArrowDtype),
        polars.DataFrame(data),
        {"a": polars.Series(data["a"]), "b": pa.chunked_array([data["b"]]), "c": data["c"]},
        tmp_path / "t.parquet",
        str(tmp_path / "t.parquet"),
    ]
    for form in forms:
        frame = as_frame(form)
        assert has_names(frame)
        assert frame.to_pylist() == table.to_pylist()


def test_chunks_are_read_in_their_order():
    table = pa.concat_tables([pa.table({"a": [1, None]}), pa.table({"a": [3]})])
    np.testing.assert_array_equal(values_of(table, 0).floats(), [1, np.nan, 3])
    assert values_of(table, 0).missing().tolist() == [False, True, False]
    assert values_of(table, 0, name="b", where="t").place == "t: column 'b'"


def test_sparse_columns_of_pandas_are_filled():
    frame = pd.DataFrame({"a": pd.arrays.SparseArray([0.0, 2.0, np.nan])})
    assert as_frame(frame).to_pydict() == {"a": [0.0, 2.0, None]}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (np.empty((0, 3)), r"no data; expected at least one row .* got 0 rows, 3 columns"),
        (np.empty((3, 0)), r"got 3 rows, 0 columns"),
        (pd.DataFrame({"a": []}), r"got 0 rows, 1 columns"),
        ({}, r"got 0 rows, 0 columns"),
        (np.ones(3), r"got ndarray of shape \(3,\)\. Reshape one column to \(n, 1\)"),
        (np.ones((2, 3, 4)), r"not a table; expected two axes, rows and columns"),
        (7, r"got int of shape \(\)"),
        (scipy.sparse.eye(3), r"not a table"),
        ({"a": [1, 2], "b": [1]}, r"column 'b': columns differ .* expected 2, as column 'a'"),
        ({"a": 3}, r"column 'a': the values cannot be read as one type; .* got a single int"),
        ({"a": "xyz"}, r"got a single str"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), r"twice; got 'a'\. Give each column"),
        (pa.table([[1], [2]], names=["a", "a"]), r"twice; got 'a'"),
        ({1: [2], "1": [3]}, r"twice; got '1'"),
        ({"a": [None, 1, "x"]}, r"column 'a': .* got int in row 1, str in row 2\. Turn them"),
        ({"a": [pd.NA, np.nan, 1, "x"]}, r"got int in row 2, str in row 3\. Turn them"),
        ({"a": [2**70]}, r"column 'a': the values cannot be read as one type"),
        ({"a": ["\ud800"]}, r"column 'a': the values cannot be read as one type"),
        (np.array([[1 + 2j]]), r"column '0': the values cannot be read as one type"),
        ("there/is/none.parquet", r"none\.parquet: cannot be read; expected a Parquet file"),
    ],
)
def test_what_is_no_table_is_refused(given, says):
    with pytest.raises(DataError, match=says):
        as_frame(given)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(DataError, match=r"t\.parquet: cannot be read; expected a Parquet file"):
        as_frame(tmp_path / "t.parquet")


def test_lazy_frames_are_to_be_collected():
    polars = pytest.importorskip("polars")
    with pytest.raises(DataError, match=r"got LazyFrame .* Collect\(\) it first"):
        as_frame(polars.DataFrame({"a": [1]}).lazy())


def test_numbers_of_all_types_are_read_as_such():
    day = datetime.timedelta(days=1)
    table = as_frame(
        {
            "decimal": [decimal.Decimal("1.20"), None],
            "duration": [day, None],
            "nanoseconds": pa.array([1_500_000_000, None], pa.duration("ns")),
            "flag": [True, None],
            "coded": pa.array([2.5, None]).dictionary_encode(),
            "large": pa.array([2**63, None], pa.uint64()),
            "half": pa.array(np.array([0.5, np.nan], np.float16)),
            "nothing": [None, None],
        }
    )
    found = [values_of(table, i).floats() for i in range(table.num_columns)]
    wanted = [1.2, 86_400, 1.5, 1, 2.5, 2.0**63, 0.5, np.nan]
    np.testing.assert_array_equal(np.stack(found)[:, 0], wanted)
    assert np.isnan(np.stack(found)[:, 1]).all()


def test_what_is_no_number_is_refused_with_its_place():
    table = as_frame({"a": ["x", "y"], "b": [np.inf, 1.0]})
    with pytest.raises(DataError, match=r"t: column 'a': the values are not numbers; .* string"):
        values_of(table, 0, where="t").floats()
    with pytest.raises(DataError, match=r"t: column 'b': 1 value\(s\) .* row 40; .* got inf"):
        values_of(table, 1, where="t", first=40).floats()
