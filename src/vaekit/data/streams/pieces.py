"""What a streamed source gives: pieces of raw rows, and windows of them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import NamedTuple, Protocol

import numpy as np

from vaekit.data.raw import Kind, RawData
from vaekit.data.streams.parts import Part

__all__ = ["Piece", "Place", "Source", "Window", "Windows", "raw_of"]


class Piece(NamedTuple):
    """Some rows of a source in its own units, not yet checked.

    Attributes:
        rows: Their numbers within the source, int64 ``(n,)``.
        x: Values, ``(n, D)`` or ``(n, H, W[, C])``.
        labels: Classes, ``(n,)``.
        context: Context columns, ``(n, k)``.
    """

    rows: np.ndarray
    x: np.ndarray
    labels: np.ndarray | None = None
    context: np.ndarray | None = None

    def subset(self, index: np.ndarray | slice) -> Piece:
        """The rows at ``index`` (numbers, a mask or a slice)."""
        labels = None if self.labels is None else self.labels[index]
        context = None if self.context is None else self.context[index]
        return Piece(self.rows[index], self.x[index], labels, context)


class Window(NamedTuple):
    """Rows that are in memory at the same time.

    Attributes:
        start: How many rows of the pass come before it.
        size: How many it holds.
        order: Permutation of them for training; None keeps them as they come.
        pieces: The rows themselves, read when they are asked for, before the next window is.
    """

    start: int
    size: int
    order: np.ndarray | None
    pieces: Iterator[Piece]


Windows = Generator[Window, None, None]


class Place(NamedTuple):
    """Where a row of a source is: a file and, where files have several, the row in it."""

    file: str
    row: int | None = None

    def __str__(self) -> str:
        return self.file if self.row is None else f"{self.file}, row {self.row}"


class Source(Protocol):
    """Rows on disk that are read piece by piece."""

    @property
    def name(self) -> str:
        """What to call the source in messages."""

    @property
    def kind(self) -> Kind:
        """``'array'`` or ``'image'``."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Names of a table's columns."""

    @property
    def context_columns(self) -> tuple[str, ...] | None:
        """Names of a table's context columns."""

    @property
    def nbytes(self) -> int:
        """Bytes of all rows in memory."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over names and bytes of the files."""

    def __len__(self) -> int:
        """Number of rows."""

    def place(self, row: int) -> Place:
        """Where a row is, for messages."""

    def same_file(self, row: int) -> Iterator[Piece]:
        """All rows of the file that holds a row, for messages."""

    def classes(self) -> np.ndarray | None:
        """All different labels, or None where the source has none."""

    def given_split(self) -> np.ndarray | None:
        """Part of each row where the source says it, uint8 codes of ``SPLITS``."""

    def ordered(self, part: Part) -> Windows:
        """All rows of a part in their own order."""

    def shuffled(self, part: Part, *, seed: tuple[int, ...], rows: int, skip: int) -> Windows:
        """All rows of a part in an order that ``seed`` determines.

        Args:
            part: Which rows.
            seed: Whole numbers from 0.
            rows: Most rows of a window.
            skip: Rows at the start of the order that are done; windows that hold only such rows
                are left out.
        """


def raw_of(source: Source, piece: Piece) -> RawData:
    """A piece as checked raw data.

    Raises:
        DataError: If a value is not finite or a label is none.
    """
    return RawData(
        piece.x,
        piece.labels,
        context=piece.context,
        columns=source.columns,
        context_columns=source.context_columns,
        kind=source.kind,
        name=source.name,
    )
