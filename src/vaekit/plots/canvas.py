"""Many small images as one: tiling, brightness and the lines between tiles."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from numpy.typing import ArrayLike

from vaekit.plots.checks import Floats

__all__ = ["brightness", "separate", "show", "tile", "tile_size"]


def tile(images: Floats) -> Floats:
    """One canvas ``(rows·H, cols·W[, C])`` from images ``(rows, cols, H, W[, C])``.

    Example:
        >>> tile(np.arange(4.0).reshape(1, 2, 2, 1))
        array([[0., 2.],
               [1., 3.]])
    """
    rows, cols, height, width, *channels = images.shape
    return np.swapaxes(images, 1, 2).reshape(rows * height, cols * width, *channels)


def brightness(original: ArrayLike) -> tuple[float, float]:
    """The values shown as black and white: 0, 255 for bytes; 0, 1 where all fit; or extremes.

    Example:
        >>> brightness(np.uint8([[7]])), brightness([[0.2, 0.9]]), brightness([[-2.0, 3.0]])
        ((0.0, 255.0), (0.0, 1.0), (-2.0, 3.0))
    """
    array = np.asarray(original)
    if array.dtype == np.uint8:
        return 0.0, 255.0
    low, high = float(array.min()), float(array.max())
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    return (low, high) if high > low else (low, low + 1.0)


def show(
    ax: Axes,
    canvas: Floats,
    limits: tuple[float, float],
    *,
    cmap: str | Colormap = "gray",
    extent: tuple[float, float, float, float] | None = None,
) -> None:
    """Draw a canvas: grey values as they are, colours scaled by ``limits`` and clipped."""
    low, high = limits
    if canvas.ndim == 3:
        canvas = np.clip((canvas - low) / (high - low), 0, 1)
    ax.imshow(
        canvas,
        cmap=cmap,
        vmin=low,
        vmax=high,
        extent=extent,
        origin="upper",
        interpolation="antialiased",
        aspect="auto" if extent else "equal",
    )


def separate(ax: Axes, images: Floats, *, columns: bool = True) -> None:
    """White lines between the tiles of ``(rows, cols, H, W[, C])`` drawn in pixel coordinates."""
    rows, cols, height, width = images.shape[:4]
    ax.hlines(np.arange(1, rows) * height - 0.5, -0.5, cols * width - 0.5, "white", linewidth=1.6)
    if columns:
        ax.vlines(
            np.arange(1, cols) * width - 0.5, -0.5, rows * height - 0.5, "white", linewidth=1.6
        )


def tile_size(rows: int, cols: int, aspect: float, *, width: float, height: float) -> float:
    """Inches across one tile so that all fit in a box, and few tiles do not grow huge."""
    return min(width / cols, height / (rows * aspect), 1.1 * math.sqrt(1 / max(aspect, 1)))
