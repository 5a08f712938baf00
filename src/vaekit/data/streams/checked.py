"""Pieces that are checked and encoded; what is wrong with one names the file and the row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vaekit.data.batches import TensorData
from vaekit.data.checks import not_finite
from vaekit.data.codecs import DataCodec, TableCodec
from vaekit.data.raw import RawData
from vaekit.data.streams.pieces import Piece, Source, raw_of
from vaekit.errors import DataError

__all__ = ["checked", "encoded"]

MOST_ROWS = 5


def checked(source: Source, piece: Piece) -> RawData:
    """A piece as raw data.

    Raises:
        DataError: If a value is not finite or a label is none; names the file and its rows.
    """
    try:
        return raw_of(source, piece)
    except DataError as error:
        raise _explained(source, piece, lambda some: raw_of(source, some), error) from error


def encoded(source: Source, piece: Piece, codec: DataCodec) -> TensorData:
    """A piece as stored tensors.

    Rows of mixed columns are checked by the codec itself.

    Raises:
        DataError: If the codec cannot encode a row; names the file and the row.
    """
    if isinstance(codec.x, TableCodec):
        return _encoded_table(source, piece, codec)
    raw = checked(source, piece)
    try:
        return TensorData.of(raw, codec)
    except DataError as error:

        def encode(some: Piece) -> object:
            return TensorData.of(raw_of(source, some), codec)

        raise _explained(source, piece, encode, error) from error


def _encoded_table(source: Source, piece: Piece, codec: DataCodec) -> TensorData:
    """A piece of mixed columns; the message of an error counts rows from those of its file."""
    try:
        return TensorData(codec, codec.x.encode(piece.x, where=source.name))
    except DataError:
        first = _first_bad(piece, lambda some: codec.x.encode(some.x))
        if first is not None:
            place = source.place(int(piece.rows[first]))
            one = piece.subset(slice(first, first + 1))
            codec.x.encode(one.x, where=place.file, first=place.row or 0)
        raise


def _explained(
    source: Source, piece: Piece, use: Callable[[Piece], object], error: DataError
) -> DataError:
    """The error of the first row of a piece that cannot be used, with the row's place."""
    first = _first_bad(piece, use)
    if first is None:
        return error
    row = int(piece.rows[first])
    place = source.place(row)
    for field, columns in (("x", source.columns), ("context", source.context_columns)):
        values = getattr(piece, field)
        bad = values is not None and values.dtype.kind == "f" and not np.isfinite(values).all()
        if bad and columns is not None:
            return _not_finite(source, row, field, columns)
    try:
        use(piece.subset(slice(first, first + 1)))
    except DataError as found:
        message = found.message.replace(" in row 0", "").replace(" row 0 ", " it ")
        return DataError(
            message,
            expected=found.expected,
            got=found.got,
            where=str(place),
            remedy=found.remedy,
        )
    return error


def _first_bad(piece: Piece, use: Callable[[Piece], object]) -> int | None:
    """The first row that cannot be used, found by halving; None where all can, one by one."""
    low, high = 0, len(piece.rows)
    while high - low > 1:
        middle = (low + high) // 2
        if _can(use, piece.subset(slice(low, middle))):
            low = middle
        else:
            high = middle
    return None if _can(use, piece.subset(slice(low, high))) else low


def _can(use: Callable[[Piece], object], piece: Piece) -> bool:
    try:
        use(piece)
    except DataError:
        return False
    return True


def _not_finite(source: Source, row: int, field: str, columns: tuple[str, ...]) -> DataError:
    """The error that the whole file would give in memory."""
    counts = np.zeros(len(columns), np.int64)
    rows: list[list[int]] = [[] for _ in columns]
    got = [""] * len(columns)
    for piece in source.same_file(row):
        values = getattr(piece, field)
        bad = ~np.isfinite(values)
        counts += bad.sum(axis=0)
        for at in np.flatnonzero(bad.any(axis=0)):
            here = np.flatnonzero(bad[:, at])
            got[at] = got[at] or ("NaN" if np.isnan(values[here[0], at]) else "infinity")
            for one in here[: MOST_ROWS - len(rows[at])]:
                rows[at].append(source.place(int(piece.rows[one])).row or 0)
    column = int((counts > 0).argmax())
    file = source.place(row).file
    return not_finite(
        f"column {columns[column]!r}",
        rows=np.array(rows[column]),
        total=int(counts[column]),
        got=got[column],
        others=int((counts > 0).sum()) - 1,
        where=file if field == "x" else f"{file} {field}",
    )
