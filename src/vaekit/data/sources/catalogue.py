"""Data sets by name: the digits that come with scikit-learn, and OpenML's collection."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from vaekit.data.raw import RawData
from vaekit.errors import DataError

__all__ = ["load_digits", "load_openml"]


def load_digits() -> RawData:
    """1797 handwritten digits, 8 x 8 pixels of 0 .. 16, bundled with scikit-learn.

    Example:
        >>> load_digits()
        RawData('digits', image, 1797 x (8, 8) uint8, 10 classes)
    """
    from sklearn.datasets import load_digits as bundled

    digits = bundled()
    return RawData(digits.images.astype(np.uint8), digits.target, kind="image", name="digits")


def load_openml(name: str) -> RawData:
    """``NAME``, ``NAME:VERSION`` or a number of openml.org, through scikit-learn's cache.

    Pixel tables of the MNIST family become images.

    Raises:
        DataError: If there is no connection (and no cached copy), no such data set, or it is not
            a numeric table.
    """
    bunch = _fetch(name)
    x, columns = bunch.data, tuple(bunch.feature_names)
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "buif":
        raise DataError(
            "not a dense numeric table",
            got=type(x).__name__ if not isinstance(x, np.ndarray) else x.dtype,
            where=f"openml:{name}",
            remedy="fetch it with scikit-learn, turn it into numbers and pass the array",
        )
    images = _as_images(x, name)
    labels = _labels(bunch.target)
    if images is not None:
        return RawData(images, labels, kind="image", name=f"openml:{name}")
    return RawData(x, labels, columns=columns, kind="array", name=f"openml:{name}")


def _fetch(name: str) -> Any:
    from sklearn.datasets import fetch_openml

    title, _, version = name.partition(":")
    which: dict[str, Any] = {"data_id": int(title)} if title.isdigit() else {"name": title}
    if version:
        which["version"] = int(version) if version.isdigit() else version
    try:
        return fetch_openml(**which, as_frame=False, parser="auto", cache=True)
    except OSError as error:
        raise DataError(
            f"OpenML cannot be reached ({error}), and there is no cached copy",
            where=f"openml:{name}",
            remedy="connect once to cache it, or download the data elsewhere and pass the file",
        ) from error
    except ValueError as error:
        raise DataError(
            f"OpenML refused: {error}",
            where=f"openml:{name}",
            remedy="check the name and version at https://www.openml.org",
        ) from error


def _as_images(x: np.ndarray, name: str) -> np.ndarray | None:
    """A square table of byte values from the MNIST family as images, else None."""
    side = math.isqrt(x.shape[1]) if x.ndim == 2 else 0
    family = any(word in name.lower() for word in ("mnist", "fashion"))
    if not family or side < 4 or side * side != x.shape[1]:
        return None
    if not (x.min() >= 0 and x.max() <= 255 and (x == np.floor(x)).all()):
        return None
    return x.astype(np.uint8).reshape(-1, side, side)


def _labels(target: Any) -> np.ndarray | None:
    """The target where it holds classes; a continuous target is none."""
    if target is None or np.ndim(target) != 1:
        return None
    values = np.asarray(target)
    if values.dtype.kind == "f" and not (values == np.floor(values)).all():
        return None
    if values.dtype.kind in "OU" and all(
        str(v).isdigit() for v in np.unique(values.astype(np.str_))
    ):
        return values.astype(np.int64)
    return values
