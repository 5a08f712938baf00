"""Whatever holds a table, as NumPy or Arrow holds it: pandas, polars, Arrow, mappings, arrays."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from vaekit.data.columns import Values
from vaekit.errors import DataError, first_line

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Frame", "as_frame", "has_names", "names_of", "values_of"]

Frame = Union[np.ndarray, "pyarrow.Table"]
"""A numeric array ``(n, D)``, or an Arrow table."""
NUMBERED = b"vaekit: columns are numbered"
"""Metadata of a table made of an array, whose columns have numbers in place of names."""


def as_frame(X: Any, *, where: str = "X") -> Frame:
    """A table in one of two forms, without a copy where that can be.

    Args:
        X: A pandas or polars data frame, an Arrow table or batch, anything else with ``to_arrow``,
            a mapping of names to columns, an array of two axes (a masked one has missing values),
            or the path of a Parquet file, which is read whole.
        where: Name of the data, for messages.

    Raises:
        DataError: If it is no table, has no rows or columns, or a column mixes types.

    Example:
        >>> import pandas
        >>> as_frame(pandas.DataFrame({"a": [1, 2], "b": ["x", None]})).column_names
        ['a', 'b']
    """
    frame = _converted(X, where=where)
    rows, columns = _shape(frame)
    if not rows or not columns:
        raise DataError(
            "there is no data",
            expected="at least one row and one column",
            got=f"{rows} rows, {columns} columns",
            where=where,
        )
    if not isinstance(frame, np.ndarray):
        twice = [name for name, n in Counter(frame.column_names).items() if n > 1]
        if twice:
            raise DataError(
                f"{len(twice)} column name(s) are there twice",
                got=", ".join(map(repr, twice[:5])),
                where=where,
                remedy="give each column a name of its own",
            )
    return frame


def _converted(X: Any, *, where: str) -> Frame:
    import pandas as pd
    import pyarrow as pa

    if isinstance(X, pd.DataFrame):
        columns = [X.iloc[:, i] for i in range(X.shape[1])]
        return _from_columns([str(c) for c in X.columns], columns, where)
    if isinstance(X, pa.RecordBatch):
        return pa.Table.from_batches([X])
    if isinstance(X, pa.Table):
        return X
    if hasattr(X, "to_arrow"):
        return _converted(_to_arrow(X, where), where=where)
    if isinstance(X, Mapping):
        return _from_columns([str(name) for name in X], list(X.values()), where)
    if isinstance(X, str | Path):
        return _read(Path(X))
    return _from_array(X, where)


def _to_arrow(X: Any, where: str) -> Any:
    import pyarrow as pa

    try:
        return X.to_arrow()
    except pa.ArrowException as error:
        raise DataError(
            "a column has a data type that Arrow has not",
            got=str(getattr(X, "schema", error))[:300],
            where=where,
            remedy="turn it into another type, for example with cast, or drop it",
        ) from error


def _read(path: Path) -> pyarrow.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            "cannot be read",
            expected="a Parquet file",
            got=first_line(error)[:120],
            where=str(path),
        ) from error


def _from_array(X: Any, where: str) -> Frame:
    if isinstance(X, np.ma.MaskedArray):
        missing: Any = np.nan if X.dtype.kind in "buif" else None
        X = np.where(np.ma.getmaskarray(X), missing, X.data)
    array = np.asarray(X)
    if array.ndim != 2:
        lazy = "collect() it first" if hasattr(X, "collect") else None
        raise DataError(
            "not a table",
            expected="two axes, rows and columns",
            got=f"{type(X).__name__} of shape {array.shape}",
            where=where,
            remedy="reshape one column to (n, 1)" if array.ndim == 1 else lazy,
        )
    if array.dtype.kind in "buif":
        return array
    table = _from_columns([str(i) for i in range(array.shape[1])], list(array.T), where)
    return table.replace_schema_metadata({NUMBERED: b"yes"})


def _from_columns(names: Sequence[str], columns: Sequence[Any], where: str) -> pyarrow.Table:
    import pyarrow as pa

    arrays = []
    for name, column in zip(names, columns, strict=True):
        place = f"{where}: column {name!r}"
        try:
            arrays.append(_arrow(column))
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise DataError(
                "the values cannot be read as one type",
                expected="one type in a column, such as numbers or text",
                got=_types_in(column) or first_line(error)[:120],
                where=place,
                remedy="turn them into one type first, for example with astype(str), or drop "
                "the column",
            ) from error
        if len(arrays[-1]) != len(arrays[0]):
            raise DataError(
                "columns differ in their number of rows",
                expected=f"{len(arrays[0])}, as column {names[0]!r} has",
                got=len(arrays[-1]),
                where=place,
            )
    return pa.Table.from_arrays(arrays, names=list(names))


def _arrow(column: Any) -> Any:
    """A column as an Arrow array, chunked where it is so already."""
    import pyarrow as pa

    if isinstance(column, str | bytes):
        raise TypeError("one text, not a column of them")
    if isinstance(column, pa.Array | pa.ChunkedArray):
        return column
    if hasattr(column, "sparse"):  # pandas adds this to columns that are
        column = column.sparse.to_dense()
    return pa.array(column, from_pandas=True)


def _types_in(column: Any) -> str:
    """The types of Python objects in a column where there are several, each with its first row."""
    if isinstance(column, str | bytes) or not hasattr(column, "__iter__"):
        return f"a single {type(column).__name__}"
    first: dict[str, int] = {}
    for row, value in enumerate(column):
        if not (isinstance(value, float) and math.isnan(value)):
            first.setdefault(type(value).__name__, row)
    for missing in ("NoneType", "NAType", "NaTType"):
        first.pop(missing, None)
    some = [f"{name} in row {row}" for name, row in list(first.items())[:4]]
    return ", ".join(some) if len(some) > 1 else ""


def _shape(frame: Frame) -> tuple[int, int]:
    if isinstance(frame, np.ndarray):
        return frame.shape[0], frame.shape[1]
    return frame.num_rows, frame.num_columns


def has_names(frame: Frame) -> bool:
    """Whether columns have names of their own, not numbers."""
    return not isinstance(frame, np.ndarray) and NUMBERED not in (frame.schema.metadata or {})


def names_of(frame: Frame) -> list[str]:
    """Names of the columns; their numbers as text where they have none."""
    if isinstance(frame, np.ndarray):
        return [str(i) for i in range(frame.shape[1])]
    return list(frame.column_names)


def values_of(
    frame: Frame, place: int, *, name: str | None = None, where: str = "X", first: int = 0
) -> Values:
    """One column, by its number.

    Args:
        frame: The table.
        place: Which column.
        name: What to call it, by default as the table does.
        where: Name of the data, for messages.
        first: Number of the first row within the data, for messages.
    """
    if isinstance(frame, np.ndarray):
        return Values(name or str(place), frame[:, place], where=where, first=first)
    array = frame.column(place)
    if array.num_chunks == 1:
        array = array.chunk(0)
    return Values(name or frame.field(place).name, array, where=where, first=first)
