"""Parquet as a stream: a file, or a folder of files of one schema, a few rows at a time."""

from __future__ import annotations

import bisect
import functools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vaekit.data.raw import SPLITS, Kind, clean_labels, clean_split
from vaekit.data.sources.parquet import Footer, read_footers
from vaekit.data.sources.table import as_numbers, classes, require_columns, require_once
from vaekit.data.streams.arrow import Reading, encoded_column, matrix
from vaekit.data.streams.checksum import checksum
from vaekit.data.streams.order import Block, Span, plan
from vaekit.data.streams.parts import Part, spans
from vaekit.data.streams.pieces import Piece, Place, Window, Windows
from vaekit.errors import DataError
from vaekit.spec import MAX_ITEMS

if TYPE_CHECKING:
    import pyarrow

__all__ = ["ParquetRows"]

PIECE_BYTES = 1 << 21
PIECE_ROWS = 1 << 14
BLOCK_ROWS = 1 << 16
"""Smaller row groups of a file are read as one block."""


class ParquetRows:
    """The rows of a Parquet file, or of a folder of them in the order of their names.

    Args:
        path: File or folder.
        label: Column of classes.
        columns: Columns of x; by default all that have no other use.
        context: Continuous columns that the model reads as context.
        split: Column that says ``train``, ``validation`` or ``test``.

    Raises:
        ConfigError: If a column is unknown or used twice.
        DataError: If a file cannot be read, differs from the first in its columns, or a column is
            not numeric; the message names the file.
    """

    kind: Kind = "array"

    def __init__(
        self,
        path: Path,
        *,
        label: str | None = None,
        columns: Sequence[str] | None = None,
        context: Sequence[str] | None = None,
        split: str | None = None,
    ) -> None:
        self.path = path
        self.name = path.name
        self.label = label
        self.split = split
        used = [*(context or ()), *filter(None, (label, split))]
        wanted = None if columns is None else [*used, *columns]
        self.footers, names = read_footers(path, wanted=wanted)
        require_columns(used, names, where=self.name)
        x = [name for name in names if name not in used] if columns is None else [*columns]
        require_once([*used, *x], where=self.name)
        self.columns: tuple[str, ...] = tuple(x)
        self.context_columns = tuple(context) if context else None
        self._starts = [0]
        for footer in self.footers:
            self._starts.append(self._starts[-1] + sum(footer.groups))
        if not x or not len(self):
            raise DataError(
                "there is no data",
                expected="at least one row and one column of x",
                got=f"{len(self)} rows, columns {x}",
                where=self.name,
            )
        self.blocks = [
            block for file, f in enumerate(self.footers) for block in self._blocks(file, f)
        ]
        self._require_numbers()

    def __len__(self) -> int:
        return self._starts[-1]

    @property
    def nbytes(self) -> int:
        """Bytes of all rows in memory, where numbers are float64."""
        return 8 * len(self) * (len(self.columns) + len(self.context_columns or ()))

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the names and bytes of the files."""
        return checksum([(footer.path.name, footer.path) for footer in self.footers])

    def place(self, row: int) -> Place:
        """File, and row in the file, of a row."""
        file = bisect.bisect_right(self._starts, row) - 1
        return Place(self.footers[file].path.name, row - self._starts[file])

    def same_file(self, row: int) -> Iterator[Piece]:
        """All rows of the file that holds a row."""
        file = bisect.bisect_right(self._starts, row) - 1
        for block in self.blocks:
            if block.file == file:
                yield from self.pieces(block)

    def pieces(self, block: Block) -> Iterator[Piece]:
        """All rows of one of the ``blocks``, in order."""
        with self._reading(block) as reading:
            for batch, start in reading.batches(block.start, block.stop):
                yield self._piece(batch, start)

    def classes(self) -> np.ndarray | None:
        """All different labels, or None without a label column; no more than can be used."""
        if self.label is None:
            return None
        found = None
        for names, _ in self._column(self.label):
            found = names if found is None else np.union1d(found, names)
            if len(found) > MAX_ITEMS:
                break
        return found

    def given_split(self) -> np.ndarray | None:
        """Part of each row as the split column says it, codes of ``SPLITS``."""
        if self.split is None:
            return None
        codes = {name: code for code, name in enumerate(SPLITS)}
        return np.concatenate(
            [
                np.array([codes[name] for name in names.tolist()], np.uint8)[rows]
                for names, rows in self._column(self.split)
            ]
        )

    # --- order ---------------------------------------------------------------------------------

    def ordered(self, part: Part) -> Windows:
        """All rows of a part in their own order."""
        at = 0
        for block in self.blocks:
            with self._reading(block) as reading:
                for start, stop in spans(block.stop, self._piece_rows, block.start):
                    rows = start + np.flatnonzero(part.mask(start, stop))
                    if len(rows):
                        yield Window(at, len(rows), None, self._chosen(reading, rows))
                        at += len(rows)

    def shuffled(self, part: Part, *, seed: tuple[int, ...], rows: int, skip: int) -> Windows:
        """All rows of a part in the order of :func:`vaekit.data.streams.order.plan`."""
        with ExitStack() as stack:
            readings: dict[Block, Reading] = {}

            def read(some: list[Span]) -> Iterator[Piece]:
                for block, rows, last in some:
                    if block not in readings:
                        readings[block] = stack.enter_context(self._reading(block))
                    yield from self._chosen(readings[block], rows)
                    if last:
                        readings.pop(block).close()

            for planned in plan(self.blocks, part, seed=seed, rows=rows, skip=skip):
                yield Window(planned.start, planned.size, planned.order, read(planned.spans))

    # --- reading -------------------------------------------------------------------------------

    def _piece(self, batch: pyarrow.RecordBatch, start: int) -> Piece:
        """The rows of a record batch, of which the first is row ``start`` of the source."""
        labels = context = None
        if self.label is not None:
            names, codes = self._labels(batch.column(self.label), start)
            labels = names[codes]
        if self.context_columns is not None:
            context = matrix(batch, self.context_columns)
        rows = np.arange(start, start + batch.num_rows)
        return Piece(rows, matrix(batch, self.columns), labels, context)

    @property
    def _piece_rows(self) -> int:
        """Rows that are decoded at a time."""
        return max(1, min(PIECE_ROWS, PIECE_BYTES // (8 * len(self.columns))))

    def _reading(self, block: Block, columns: Sequence[str] | None = None) -> Reading:
        """A block to be read, by default the columns of a piece."""
        wanted = [*self.columns, *(self.context_columns or ()), *filter(None, [self.label])]
        return Reading(
            self.footers[block.file],
            block,
            wanted if columns is None else columns,
            rows=self._piece_rows,
            where=lambda row: str(self.place(row)),
        )

    def _chosen(self, reading: Reading, rows: np.ndarray) -> Iterator[Piece]:
        """Some rows of a block, given by their rising numbers, none of which was read before."""
        for batch, start in reading.batches(int(rows[0]), int(rows[-1]) + 1):
            low, high = np.searchsorted(rows, (start, start + batch.num_rows))
            if high > low:
                piece = self._piece(batch, start)
                whole = high - low == batch.num_rows
                yield piece if whole else piece.subset(rows[low:high] - start)

    def _labels(self, column: pyarrow.Array, start: int) -> tuple[np.ndarray, np.ndarray]:
        """The different labels of some rows, and for each row the number of its own."""
        names, codes = encoded_column(column)
        missing = names.isna().to_numpy()
        if missing.any():
            raise DataError(
                f"label column {self.label!r} is empty",
                where=str(self.place(start + int(missing[codes].argmax()))),
                remedy="fill these labels or remove these rows first",
            )
        values = classes(names, where=self.name)
        if values.dtype.kind == "f" and (broken := values != np.floor(values)).any():
            raise DataError(
                "labels must be classes",
                expected="whole numbers or text",
                got=values[broken][0],
                where=str(self.place(start + int(broken[codes].argmax()))),
                remedy="pass a continuous target as context",
            )
        return clean_labels(values, where=f"{self.name} labels"), codes

    def _column(self, name: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Labels or parts alone, a piece at a time: the different ones, and the rows' numbers."""
        for block in self.blocks:
            with self._reading(block, [name]) as reading:
                for batch, start in reading.batches(block.start, block.stop):
                    if name == self.label:
                        yield self._labels(batch.column(name), start)
                        continue
                    words, codes = encoded_column(batch.column(name))
                    text = words.astype(str).to_numpy(dtype=np.str_)
                    yield clean_split(text, where=f"{self.name} split"), codes

    def _blocks(self, file: int, footer: Footer) -> Iterator[Block]:
        start = at = self._starts[file]
        groups: list[int] = []
        for number, rows in enumerate(footer.groups):
            groups.append(number)
            at += rows
            if at - start >= BLOCK_ROWS or number == len(footer.groups) - 1:
                if at > start:
                    yield Block(start, at, file, tuple(groups))
                start, groups = at, []

    def _require_numbers(self) -> None:
        """The checks of tables in memory, on the first rows: they depend on types only."""
        block = self.blocks[0]
        with self._reading(block) as reading:
            batch, _ = next(reading.batches(block.start, block.stop))
        head = batch.slice(0, 1000).to_pandas()
        as_numbers(head[[*self.columns]], where=self.name)
        if self.context_columns:
            as_numbers(head[[*self.context_columns]], where=self.name)
