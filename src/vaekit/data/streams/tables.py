"""Tables of mixed columns as a stream: Parquet files whose rows stay in Arrow until encoded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from vaekit.data.codecs import TableCodec
from vaekit.data.frames import as_frame
from vaekit.data.schema import ColumnTypes, TableSummary
from vaekit.data.streams.parquet import ParquetRows
from vaekit.data.streams.parts import Part
from vaekit.data.streams.pieces import Piece

if TYPE_CHECKING:
    import pyarrow

__all__ = ["ArrowRows", "Known", "TableRows", "summarise_table"]

Known = ColumnTypes | TableCodec | None
"""What is known of the columns of a table: types that the user says, or all of it."""


class ArrowRows:
    """Rows of a record batch, from which some can be picked as from an array.

    Args:
        batch: The rows.
    """

    __slots__ = ("batch",)

    def __init__(self, batch: pyarrow.RecordBatch) -> None:
        self.batch = batch

    def __len__(self) -> int:
        return int(self.batch.num_rows)

    def __getitem__(self, index: np.ndarray | slice) -> ArrowRows:
        if isinstance(index, slice):
            start, stop, _ = index.indices(len(self))
            return ArrowRows(self.batch.slice(start, max(0, stop - start)))
        places = np.flatnonzero(index) if index.dtype == bool else index
        return ArrowRows(self.batch.take(places))

    def to_arrow(self) -> pyarrow.RecordBatch:
        """The record batch."""
        return self.batch


class TableRows(ParquetRows):
    """The rows of a Parquet file, or of a folder of them, whatever the types of their columns.

    Args:
        path: File or folder.
        columns: Which columns; by default all.

    Raises:
        ConfigError: If a column is unknown.
        DataError: If a file cannot be read, or differs from the first in its columns.

    Example:
        >>> import tempfile, pandas
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "a.parquet"
        ...     pandas.DataFrame({"a": [1.0, 3.0], "b": ["x", "x"]}).to_parquet(path)
        ...     codec = summarise_table(TableRows(path)).codec()
        >>> [column.word for column in codec.columns]
        ['numeric', 'categorical']
    """

    kind: Any = "table"

    def __init__(self, path: Path, *, columns: Sequence[str] | None = None) -> None:
        super().__init__(path, columns=columns)

    def read_as(self, known: Known) -> Self:
        """The same rows with the values that the columns should have; the file says them."""
        return self

    def _piece(self, batch: pyarrow.RecordBatch, start: int) -> Piece:
        rows = np.arange(start, start + batch.num_rows)
        return Piece(rows, ArrowRows(batch))  # type: ignore[arg-type]

    def _require_numbers(self) -> None:
        """Columns may hold anything."""


def summarise_table(
    source: TableRows, column_types: ColumnTypes | None = None, *, part: Part | None = None
) -> TableSummary:
    """What must be known of a table on disk to fit its codec, in one pass.

    Whether cells fit the type of their column is looked at in all rows.

    Args:
        source: The rows.
        column_types: As of :func:`vaekit.data.fit_table`.
        part: Which rows to fit; all by default.
    """
    source = source.read_as(column_types)
    summary = TableSummary(column_types, where=source.name)
    part = Part(len(source)) if part is None else part
    for window in source.ordered(Part(len(source))):
        for piece in window.pieces:
            start, stop = int(piece.rows[0]), int(piece.rows[-1]) + 1
            inside = part.mask(start, stop)
            place = source.place(start)
            rows = piece.rows - start + (place.row or 0)
            for some, take in ((inside, summary.add), (~inside, summary.look)):
                if some.any():
                    chosen = piece if some.all() else piece.subset(some)
                    frame = as_frame(chosen.x, where=source.name)
                    take(frame, where=place.file, rows=rows[some])
    return summary
