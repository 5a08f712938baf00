"""Arrays checked before they are drawn: type, shape, finite values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vaekit.errors import DataError, ShapeError

__all__ = ["Floats", "finite", "images", "not_negative", "same_length", "same_shape"]

Floats = NDArray[np.float64]
CHANNELS = (1, 3, 4)


def finite(values: ArrayLike, *, where: str, ndim: int | Sequence[int]) -> Floats:
    """The values as float64, not empty, finite, with an allowed number of axes.

    Raises:
        DataError: If a value is not a number, NaN or infinite.
        ShapeError: If the number of axes is wrong, or there are no values.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise DataError(
            "not numbers", expected="an array of real numbers", got=array.dtype, where=where
        )
    allowed = (ndim,) if isinstance(ndim, int) else tuple(ndim)
    if array.ndim not in allowed:
        expected = " or ".join(f"{n} axes" for n in allowed)
        raise ShapeError("wrong shape", expected=expected, got=array.shape, where=where)
    if array.size == 0:
        raise ShapeError(
            "nothing to draw", expected="at least one value", got=array.shape, where=where
        )
    bad = ~np.isfinite(array)
    if bad.any():
        index = tuple(int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            f"{int(bad.sum())} value(s) are not finite",
            got=f"{array[index]} at index {index}",
            where=where,
            remedy="drop or impute them before drawing",
        )
    return array.astype(np.float64)


def images(values: ArrayLike, *, lead: int, where: str) -> Floats:
    """Images with ``lead`` leading axes, then H, W and perhaps 1, 3 or 4 channels (1 is dropped).

    Raises:
        DataError: If a value is not a finite number.
        ShapeError: If the axes are not those of images.
    """
    array = finite(values, where=where, ndim=(lead + 2, lead + 3))
    if array.ndim == lead + 2:
        return array
    if array.shape[-1] not in CHANNELS:
        raise ShapeError(
            "wrong number of channels",
            expected="1, 3 or 4 on the last axis",
            got=array.shape,
            where=where,
            remedy="move the channels to the end: np.moveaxis(images, -3, -1)",
        )
    return array[..., 0] if array.shape[-1] == 1 else array


def same_shape(a: Floats, b: Floats, *, where: str) -> None:
    """Raise :class:`ShapeError` unless both arrays have one shape."""
    if a.shape != b.shape:
        raise ShapeError("shapes differ", expected=a.shape, got=b.shape, where=where)


def same_length(count: int, items: Sequence[object] | NDArray[np.generic], *, where: str) -> None:
    """Raise :class:`ShapeError` unless there are ``count`` items."""
    if len(items) != count:
        raise ShapeError("wrong number of items", expected=count, got=len(items), where=where)


def not_negative(array: Floats, *, where: str) -> Floats:
    """The array itself, if no value is below zero; else :class:`DataError`."""
    low = float(array.min())
    if low < 0:
        raise DataError("negative value", expected="0 or more", got=low, where=where)
    return array
