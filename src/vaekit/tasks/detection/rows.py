"""Tables as rows to train on and rows to draw the line with, in memory or on disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from vaekit.data import DataCodec, Rows, StreamData, TensorData, WindowCodec
from vaekit.data.frames import Frame
from vaekit.data.schema import TableSummary
from vaekit.data.streams import Part, TableRows, split_stream, summarise_table
from vaekit.errors import ConfigError, DataError

__all__ = ["Divided", "divide", "divide_stream", "refuse_windows"]


class Divided(NamedTuple):
    """A table that is ready for training.

    Attributes:
        codec: Fitted on the rows to train on.
        train: These rows.
        held: Rows that are set aside for the threshold; None where there are none.
        fingerprint: What tells this data from other data.
    """

    codec: DataCodec
    train: Rows
    held: Rows | None
    fingerprint: str


def divide(
    frame: Frame,
    column_types: Mapping[str, str] | None,
    *,
    held: float,
    seed: int,
    window: int | None = None,
) -> Divided:
    """A table in memory; a share ``held`` of its rows, drawn by the seed, is set aside.

    Of a time series, whose rows are seen in windows, it is the last rows.

    Raises:
        DataError: If a column cannot be used, or too few rows are left.
    """
    kept, aside = frame, None
    summary = TableSummary(column_types)
    if held:
        order = np.random.default_rng(seed).permutation(len(frame))
        if window is not None:
            order = np.arange(len(frame))[::-1]
        count = round(held * len(frame))
        if not 1 <= count <= len(frame) - 2:
            raise DataError(
                "too few rows to set some aside",
                expected="at least 2 to train on and 1 for the threshold",
                got=f"{len(frame)} rows, {held:g} of them aside",
            )
        rows, others = np.sort(order[count:]), np.sort(order[:count])
        kept, aside = _take(frame, rows), _take(frame, others)
        summary.add(kept, rows=rows)
        summary.look(aside, rows=others)
    else:
        summary.add(kept)
    table = summary.codec()
    codec = DataCodec(table if window is None else WindowCodec(table, window))
    train = TensorData(codec, codec.x.encode(kept))
    rest = None if aside is None else TensorData(codec, codec.x.encode(aside))
    return Divided(codec, train, rest, train.digest())


def divide_stream(
    source: TableRows, column_types: Mapping[str, str] | None, *, held: float, seed: int
) -> Divided:
    """A table on disk, read in each pass; arguments and errors as of :func:`divide`."""
    if len(source) < 2:
        raise DataError("too few rows", expected="at least 2", got=len(source), where="X")
    part, aside = Part(len(source)), None
    if held:
        parts = split_stream(
            source, validation=held, test=0.0, seed=seed, max_validation=len(source)
        )
        part, aside = parts["train"], parts["validation"]
    codec = DataCodec(summarise_table(source, column_types, part=part).codec())
    train = StreamData(source, codec, part)
    rest = None if aside is None else StreamData(source, codec, aside)
    return Divided(codec, train, rest, source.fingerprint)


def refuse_windows(asked: bool) -> None:
    """Refuse windows of rows on disk, which are read in blocks and in parts."""
    if asked:
        raise ConfigError(
            "windows are of tables in memory", remedy="load the series, or a part of it"
        )


def _take(frame: Frame, rows: np.ndarray) -> Frame:
    return frame[rows] if isinstance(frame, np.ndarray) else frame.take(rows)
