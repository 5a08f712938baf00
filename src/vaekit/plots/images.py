"""Pictures of images: grids, samples, and reconstructions beside their originals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from vaekit.errors import ConfigError
from vaekit.plots import checks
from vaekit.plots.canvas import brightness, separate, show, tile, tile_size
from vaekit.plots.checks import Floats
from vaekit.plots.numbers import number
from vaekit.plots.style import ERROR, INK, MUTED, NOTE, TICK, bare, figure, note

__all__ = ["image_grid", "reconstructions", "samples"]

MAX_COLUMNS = 12


def image_grid(
    images: ArrayLike,
    columns: int | None = None,
    *,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Images in reading order.

    Args:
        images: Shape ``(n, H, W)`` or ``(n, H, W, C)`` with 1, 3 or 4 channels.
        columns: How many stand in a row; nearly a square by default.
        limits: The values of black and white; by default 0 and 255 for bytes, 0 and 1 where all
            values lie between them, else the extremes.

    Raises:
        ConfigError: If ``columns`` is below 1.
        DataError: If a value is not finite.
        ShapeError: If these are not images.

    Example:
        >>> len(image_grid(np.zeros((6, 8, 8)), columns=3).axes)
        1
    """
    array = checks.images(images, lead=1, where="images")
    cols = math.ceil(math.sqrt(len(array))) if columns is None else columns
    if cols < 1:
        raise ConfigError("no columns", expected="at least 1", got=columns, where="columns")
    cols = min(cols, len(array))
    limits = limits or brightness(images)
    grid = _fill(array, cols, limits[1])
    rows, _, height, width = grid.shape[:4]
    size = tile_size(rows, cols, height / width, width=6.4, height=6.4)
    made = figure(cols * size, rows * size * height / width)
    ax = bare(made.add_subplot())
    show(ax, tile(grid), limits)
    separate(ax, grid)
    return made


def _fill(array: Floats, cols: int, white: float) -> Floats:
    """Rows of ``cols`` images; what is missing in the last row is white."""
    missing = -len(array) % cols
    blank = np.full((missing, *array.shape[1:]), white)
    return np.concatenate([array, blank]).reshape(-1, cols, *array.shape[1:])


def samples(images: ArrayLike) -> Figure:
    """Samples from a model, nearly square: :func:`image_grid` with its own choice of columns.

    Example:
        >>> samples(np.zeros((9, 4, 4))).axes[0].images[0].get_array().shape
        (12, 12)
    """
    return image_grid(images)


def reconstructions(
    originals: ArrayLike, recons: ArrayLike, errors: Sequence[float] | ArrayLike | None = None
) -> Figure:
    """Originals above their reconstructions above ``|original − reconstruction|``.

    The first twelve are shown. All share the brightness of the originals; differences run from 0
    (pale) to the largest one.

    Args:
        originals: Shape ``(n, H, W)`` or ``(n, H, W, C)``.
        recons: The same shape.
        errors: One number for each image, written below it.

    Raises:
        DataError: If a value is not finite.
        ShapeError: If the shapes differ or are not those of images.

    Example:
        >>> len(reconstructions(np.zeros((5, 8, 8)), np.ones((5, 8, 8))).axes)
        3
    """
    x = checks.images(originals, lead=1, where="originals")
    y = checks.images(recons, lead=1, where="recons")
    checks.same_shape(x, y, where="recons")
    labels = None if errors is None else checks.finite(errors, where="errors", ndim=1)
    if labels is not None:
        checks.same_length(len(x), labels, where="errors")
    gap = np.abs(x - y)
    gap = gap.mean(axis=-1) if gap.ndim == 4 else gap
    shown = min(len(x), MAX_COLUMNS)
    aspect = x.shape[1] / x.shape[2]
    size = tile_size(3, shown, aspect, width=9, height=7)
    made = figure(shown * size + 1.2, 3 * size * aspect + 0.5)
    axes = made.subplots(3, 1, gridspec_kw={"hspace": 0.02})
    _row(axes[0], x[:shown], brightness(originals), "original")
    _row(axes[1], y[:shown], brightness(originals), "reconstruction")
    top = float(gap[:shown].max())
    _row(axes[2], gap[:shown], (0.0, top or 1.0), f"difference\n0 to {number(top, 2)}", cmap=ERROR)
    if len(x) > shown:
        note(axes[0], f"first {shown} of {len(x):,}")
    if labels is not None:
        _label_columns(axes[2], labels[:shown], x.shape[2])
    return made


def _row(
    ax: Axes, images: Floats, limits: tuple[float, float], name: str, cmap: str | Colormap = "gray"
) -> None:
    show(bare(ax), tile(images[None]), limits, cmap=cmap)
    separate(ax, images[None])
    ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=TICK, color=INK, labelpad=6)


def _label_columns(ax: Axes, values: Floats, width: int) -> None:
    ax.set_xticks((np.arange(len(values)) + 0.5) * width - 0.5)
    ax.set_xticklabels([number(float(v), 2) for v in values])
    ax.tick_params(axis="x", length=0, labelsize=NOTE, labelcolor=MUTED)
