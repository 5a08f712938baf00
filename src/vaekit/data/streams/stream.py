"""Data larger than memory: rows that are read from disk again in each pass."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from vaekit.data.batches import Batch, TensorData, check_size, joined
from vaekit.data.codecs import DataCodec
from vaekit.data.streams.checked import encoded
from vaekit.data.streams.parts import Part
from vaekit.data.streams.pieces import Source, Window, Windows
from vaekit.data.streams.prefetch import read_ahead
from vaekit.data.streams.tables import TableRows

__all__ = ["BUFFER_BYTES", "BUFFER_ROWS", "StreamData"]

BUFFER_ROWS = 1 << 17
BUFFER_BYTES = 1 << 27
DIGEST_ROWS = 64
KEPT_ROWS = 10_000


class StreamData:
    """Rows of a source on disk and the codec that turns them into batches.

    In memory are at most two windows of rows: one that batches are made of, and one that a thread
    reads meanwhile. Batches are made in the thread of the caller, when they are asked for.

    Args:
        source: Where the rows are.
        codec: Makes raw rows into model input.
        part: Which of the rows; all by default.
        buffer: Rows of a window of training; by default 131,072, or as many as have 128 MiB.
        device: Where batches are made.

    Example:
        >>> import tempfile, pandas, pathlib
        >>> from vaekit.data.streams import ParquetRows, fit_codec
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "a.parquet"
        ...     pandas.DataFrame({"a": range(10), "b": [0.5, 2.0] * 5}).to_parquet(path)
        ...     rows = ParquetRows(path)
        ...     data = StreamData(rows, fit_codec(rows))
        ...     [len(batch) for batch in data.epoch(4, seed=0, epoch=0)]
        [4, 4, 2]
    """

    __slots__ = ("_head", "buffer", "codec", "device", "part", "source")

    def __init__(
        self,
        source: Source,
        codec: DataCodec,
        part: Part | None = None,
        *,
        buffer: int | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.source = source.read_as(codec.x) if isinstance(source, TableRows) else source
        self.codec = codec
        self.part = Part(len(source)) if part is None else part
        self.buffer = _buffer_rows(codec) if buffer is None else buffer
        self.device = torch.device(device)
        self._head: TensorData | None = None

    def __len__(self) -> int:
        return len(self.part)

    def to(self, device: torch.device | str) -> StreamData:
        """The same data whose batches are on another device."""
        return StreamData(self.source, self.codec, self.part, buffer=self.buffer, device=device)

    def sample(self, n: int) -> StreamData:
        """``n`` rows that are spread over the data, the same ones every time."""
        part = self.part.sample(n)
        return StreamData(self.source, self.codec, part, buffer=self.buffer, device=self.device)

    def head(self, n: int) -> TensorData:
        """The first ``n`` rows, or all where there are fewer, in memory."""
        if self._head is None or len(self._head) < min(n, len(self)):
            head = self._first(n)
            if n > KEPT_ROWS:
                return head
            self._head = head
        return self._head.head(n)

    def _first(self, n: int) -> TensorData:
        found: list[TensorData] = []
        with read_ahead(self._filled(self.source.ordered(self.part))) as ready:
            for window in ready:
                missing = n - sum(map(len, found))
                found.append(window.data.head(missing))
                if len(found[-1]) == missing:
                    break
        return joined(found).to(self.device)

    # --- batches -------------------------------------------------------------------------------

    def epoch(self, size: int, *, seed: int, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """Training batches of one pass in the shuffled order of (seed, epoch).

        The order depends on the file's rows, their split, ``seed``, ``epoch`` and ``buffer``.
        """
        check_size(size)
        done = min(skip * size, len(self))
        windows = self.source.shuffled(self.part, seed=(seed, epoch), rows=self.buffer, skip=done)
        return self._batches(windows, size, train=True, skip=done)

    def batches(self, size: int, train: bool = False) -> Iterator[Batch]:
        """All rows in their own order, ``size`` at a time; the last batch may be smaller."""
        check_size(size)
        return self._batches(self.source.ordered(self.part), size, train=train)

    def _batches(
        self, windows: Windows, size: int, *, train: bool, skip: int = 0
    ) -> Iterator[Batch]:
        with read_ahead(self._filled(windows)) as ready:
            begun: list[_Filled] = []
            missing = size
            for window in ready:
                here = window.to(self.device)
                at = max(0, skip - here.start)
                while at < len(here.rows):
                    begun.append(here.some(at, at + missing))
                    at += missing
                    missing -= len(begun[-1].rows)
                    if not missing:
                        yield _batch(begun, train=train)
                        begun, missing = [], size
                del window, here  # its place is wanted for the next one
            if begun:
                yield _batch(begun, train=train)

    def _filled(self, windows: Windows) -> Generator[_Filled, None, None]:
        """Windows with their rows in memory; runs in the thread that reads ahead."""
        with closing(windows):
            for window in windows:
                yield self._read(window)

    def _read(self, window: Window) -> _Filled:
        rows = np.empty(window.size, np.int64)
        room: TensorData | None = None
        at = 0
        for piece in window.pieces:
            some = encoded(self.source, piece, self.codec)
            if len(some) == window.size:
                room = some
            else:
                room = _room(some, window.size) if room is None else room
                _put(room, at, some)
            rows[at : at + len(some)] = piece.rows
            at += len(some)
        assert room is not None, "a window has rows"
        order = None if window.order is None else torch.from_numpy(window.order)
        return _Filled(window.start, torch.from_numpy(rows), order, room)

    # --- identity ------------------------------------------------------------------------------

    def steps_per_epoch(self, batch_size: int) -> int:
        """Number of batches in one pass; the last partial batch counts."""
        check_size(batch_size)
        return -(-len(self) // batch_size)

    def digest(self) -> str:
        """Number and shape of the rows, a checksum of files and split, and the buffer's size."""
        content = hashlib.sha256(self.source.fingerprint.encode())
        content.update(self.part.first(DIGEST_ROWS).tobytes())
        shape = (len(self), *self.codec.event_shape)
        return f"{shape} {content.hexdigest()[:16]} in windows of {self.buffer}"


class _Filled(NamedTuple):
    """A window in memory: its rows, their numbers, and the order in which they are wanted."""

    start: int
    rows: Tensor
    order: Tensor | None
    data: TensorData

    def to(self, device: torch.device) -> _Filled:
        order = None if self.order is None else self.order.to(device)
        return _Filled(self.start, self.rows.to(device), order, self.data.to(device))

    def some(self, start: int, stop: int) -> _Filled:
        """The rows at these places of the order."""
        if self.order is None:
            part = slice(start, stop)
            return _Filled(0, self.rows[part], None, self.data.each(lambda t: t[part]))
        index = self.order[start:stop]
        return _Filled(0, self.rows[index], None, self.data.subset(index))


def _batch(parts: list[_Filled], *, train: bool) -> Batch:
    data = joined([part.data for part in parts])
    return data.as_batch(torch.cat([part.rows for part in parts]), train)


def _room(like: TensorData, rows: int) -> TensorData:
    return like.each(lambda tensor: tensor.new_empty((rows, *tensor.shape[1:])))


def _put(room: TensorData, at: int, some: TensorData) -> None:
    for name in ("x", "y", "c"):
        value = getattr(some, name)
        if value is not None:
            getattr(room, name)[at : at + len(value)] = value


def _buffer_rows(codec: DataCodec) -> int:
    """As many rows as fit into the buffer; a row is counted as float32."""
    row = 4 * math.prod(codec.event_shape) + 8
    return max(1, min(BUFFER_ROWS, BUFFER_BYTES // row))
