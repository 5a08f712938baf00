"""Parquet read forwards, a few rows at a time, and what becomes of its columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from vaekit.data.sources.parquet import Footer, opened
from vaekit.data.streams.order import Block
from vaekit.errors import DataError

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Reading", "encoded_column", "matrix"]


class Reading:
    """A block that is read forwards; its file is opened when the first rows are asked for.

    Args:
        footer: The file.
        block: Which rows of it.
        columns: What to read.
        rows: Rows to decode at a time.
        where: The place of a row of the source, for messages.
    """

    def __init__(
        self,
        footer: Footer,
        block: Block,
        columns: Sequence[str],
        *,
        rows: int,
        where: Callable[[int], str],
    ) -> None:
        self.footer = footer
        self.block = block
        self.columns = list(columns)
        self.rows = rows
        self.where = where
        self.at = block.start
        self._rest: pyarrow.RecordBatch | None = None
        self._source: Iterator[pyarrow.RecordBatch] | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let go of what was decoded."""
        self._rest = self._source = None
        self._stack.close()

    def batches(self, start: int, stop: int) -> Iterator[tuple[pyarrow.RecordBatch, int]]:
        """Record batches of rows ``start`` to ``stop``, each with the number of its first row.

        Rows before ``start`` that were not read are left out.
        """
        while self.at < stop:
            batch = self._rest if self._rest is not None else self._next()
            here, some = self.at, min(batch.num_rows, stop - self.at)
            self._rest = batch.slice(some) if some < batch.num_rows else None
            self.at += some
            before = min(some, max(0, start - here))
            if some > before:
                yield batch.slice(before, some - before), here + before

    def _next(self) -> pyarrow.RecordBatch:
        import pyarrow

        if self._source is None:
            self._source = self._open()
        try:
            return next(self._source)
        except StopIteration:
            message = "the file holds fewer rows than it declares"
        except (pyarrow.ArrowException, OSError, UnicodeError) as error:
            message = f"not a readable Parquet file ({error})"
        raise DataError(message, where=self.where(self.at))

    def _open(self) -> Iterator[pyarrow.RecordBatch]:
        file = self._stack.enter_context(opened(self.footer.path))
        if file.schema_arrow.remove_metadata() != self.footer.schema:
            raise DataError(
                "the file has changed while it was in use", where=self.footer.path.name
            )
        return file.iter_batches(
            batch_size=self.rows,
            row_groups=list(self.block.groups),
            columns=self.columns,
            use_threads=False,
        )


def matrix(batch: pyarrow.RecordBatch, names: Sequence[str]) -> np.ndarray:
    """Columns as a matrix: float32 where all are, else float64; a missing cell is NaN."""
    import pyarrow

    columns = [batch.column(name) for name in names]
    single = all(pyarrow.types.is_float32(column.type) for column in columns)
    values = np.empty((batch.num_rows, len(columns)), np.float32 if single else np.float64)
    for place, column in enumerate(columns):
        if pyarrow.types.is_boolean(column.type):
            column = column.cast(pyarrow.uint8())
        values[:, place] = column.to_numpy(zero_copy_only=False)
    return values


def encoded_column(column: pyarrow.Array) -> tuple[pd.Series, np.ndarray]:
    """The different values of a column, and for each row the number of its own."""
    import pyarrow

    if pyarrow.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    column = column.dictionary_encode(null_encoding="encode")
    return column.dictionary.to_pandas(), np.asarray(column.indices)
