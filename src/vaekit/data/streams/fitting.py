"""Codecs fitted in one pass over data that is never in memory as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from vaekit.data.codecs import ArrayCodec, Context, DataCodec, ImageCodec, LabelCodec
from vaekit.data.codecs.composite import context_codec, require_known
from vaekit.data.streams.checked import checked
from vaekit.data.streams.parts import Part
from vaekit.data.streams.pieces import Piece, Source

__all__ = ["Moments", "fit_codec"]

Seen = Callable[[Piece], None]


class Moments:
    """Mean, standard deviation and range of columns, merged piece by piece in float64.

    References:
        | Updating formulae and a pairwise algorithm for computing sample variances (Chan, Golub &
          LeVeque, 1979)

    Example:
        >>> moments = Moments()
        >>> for piece in np.arange(6.0).reshape(3, 2, 1):
        ...     moments.add(piece)
        >>> moments.mean, moments.deviation
        (array([2.5]), array([1.7078]))
    """

    def __init__(self) -> None:
        self.count = 0
        self.squares = self.low = self.high = self._origin = self._mean = np.zeros(0)

    def add(self, values: np.ndarray) -> None:
        """Take in rows ``(n, D)``."""
        if not len(values):
            return
        n = len(values)
        low, high = (end(axis=0).astype(np.float64) for end in (values.min, values.max))
        values = values.astype(np.float64)
        if not self.count:
            self._origin = values[0].copy()  # near the mean, so that differences are exact
        with np.errstate(over="ignore", invalid="ignore"):  # the codec refuses what overflows
            values -= self._origin
            mean = values.mean(axis=0)
            values -= mean
            squares = np.einsum("ij,ij->j", values, values)
            if self.count:
                total = self.count + n
                gap = mean - self._mean
                squares += self.squares + gap * gap * (self.count * n / total)
                mean = self._mean + gap * (n / total)
                low, high = np.minimum(low, self.low), np.maximum(high, self.high)
        self.count += n
        self._mean, self.squares, self.low, self.high = mean, squares, low, high

    @property
    def mean(self) -> np.ndarray:
        """Arithmetic mean, shape ``(D,)``."""
        return self._origin + self._mean

    @property
    def deviation(self) -> np.ndarray:
        """Standard deviation over n, shape ``(D,)``."""
        return np.sqrt(self.squares / self.count)

    def codec(self, **options: Any) -> ArrayCodec:
        """The codec of columns with these moments."""
        return ArrayCodec.of_statistics(self.low, self.high, self.mean, self.deviation, **options)


def fit_codec(
    source: Source,
    train: Part | None = None,
    *,
    context: Context | None = None,
    seen: Seen | None = None,
    **options: Any,
) -> DataCodec:
    """The codec that :meth:`DataCodec.fit` would fit with all rows in memory.

    Tables are read once, and every row is checked. Images are read until nothing that is still to
    come can change the codec: photographs of 8 bits for a moment only.

    Args:
        source: The rows.
        train: Rows to measure ranges, means and scales on; all by default. The list of classes
            always comes from all rows.
        context: As of :meth:`DataCodec.fit`.
        seen: Called with every piece of a table, after it was checked.
        **options: As of :meth:`DataCodec.fit`.

    Raises:
        ConfigError: If an option is unknown.
        DataError: If the data does not fit; names the file and the row, or the column.
    """
    train = Part(len(source)) if train is None else train
    require_known(options, ImageCodec if source.kind == "image" else ArrayCodec)
    classes = source.classes()
    labels = None if classes is None else LabelCodec.fit(classes)
    if source.kind == "image":
        codec = context_codec(context, labels, None, where=source.name)
        return DataCodec(_fit_images(source, train, options), labels, codec)
    x, c = _moments(source, train, seen)

    def columns() -> ArrayCodec:
        return c.codec(columns=source.context_columns)

    has_columns = source.context_columns is not None
    codec = context_codec(context, labels, columns if has_columns else None, where=source.name)
    return DataCodec(x.codec(columns=source.columns, **options), labels, codec)


def _moments(source: Source, train: Part, seen: Seen | None) -> tuple[Moments, Moments]:
    """Of x and of the context columns, over the training rows."""
    x, c = Moments(), Moments()
    for piece in _pieces(source, Part(len(source))):
        raw = checked(source, piece)
        chosen = train.mask(int(piece.rows[0]), int(piece.rows[-1]) + 1)
        x.add(raw.x[chosen])
        if raw.context is not None:
            c.add(raw.context[chosen])
        if seen is not None:
            seen(piece)
    return x, c


def _pieces(source: Source, part: Part) -> Iterator[Piece]:
    for window in source.ordered(part):
        yield from window.pieces


def _fit_images(source: Source, train: Part, options: dict[str, Any]) -> ImageCodec:
    """The codec depends on the least, the greatest and whether there is a third value only."""
    values: np.ndarray | None = None
    shape: tuple[int, ...] = ()
    for piece in _pieces(source, train):
        x = checked(source, piece).x
        shape = x.shape[1:]
        low, high = x.min(), x.max()
        third = x[(x != low) & (x != high)][:1]
        values = np.unique([low, high, *third, *([] if values is None else values)]).astype(
            x.dtype
        )
        values = values[[0, len(values) // 2, -1]]
        if x.dtype == np.uint8 and high > 16 and values[0] < values[1] < values[2]:
            break
    assert values is not None
    return ImageCodec.fit(np.stack([np.full(shape, value) for value in values]), **options)
