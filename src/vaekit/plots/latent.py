"""Pictures of the latent space: where data lie in it, and what each place decodes to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from vaekit.errors import ShapeError
from vaekit.plots import checks
from vaekit.plots.canvas import brightness, separate, show, tile, tile_size
from vaekit.plots.checks import Floats
from vaekit.plots.labels import (
    Labels,
    annotate_classes,
    colour_bar,
    point_size,
    read_labels,
    scatter_classes,
)
from vaekit.plots.numbers import number
from vaekit.plots.style import BLUE, FRAME, INK, MUTED, TICK, bare, dress, figure, note

__all__ = ["latent_grid", "latent_scatter", "scatter_on", "traversals"]

MAX_POINTS = 10_000
MAX_ELLIPSES = 150


def latent_scatter(
    codes: ArrayLike,
    labels: ArrayLike | None = None,
    scale: ArrayLike | None = None,
    *,
    names: Sequence[str] | None = None,
) -> Figure:
    """Codes on the plane of their first two dimensions, coloured and named by label.

    Up to 20 different labels are classes; more of them are one continuous colour. Of more than
    10,000 codes that many are drawn, chosen at random with a fixed seed, and the picture says so.

    Args:
        codes: Posterior means, shape ``(n, 2)`` or wider; order the dimensions by rate beforehand.
        labels: One number or name for each code, shape ``(n,)``.
        scale: Posterior standard deviations, the shape of ``codes``: drawn as ellipses of one
            standard deviation around some of the codes.
        names: Names of the dimensions; ``z1``, ``z2`` … by default.

    Raises:
        DataError: If a code or label is not finite, or a scale is negative.
        ShapeError: If the shapes do not fit each other.

    Example:
        >>> latent_scatter([[0.0, 1.0], [2.0, 3.0]], labels=["cat", "dog"]).axes[0].get_xlabel()
        'z1'
    """
    made = figure(5.8, 4.8)
    ax = made.add_subplot()
    read = None if labels is None else read_labels(labels)
    scatter_on(ax, codes, read, scale=scale, names=names)
    if read is not None:
        _explain(ax, read)
    return made


def _explain(ax: Axes, labels: Labels) -> None:
    if labels.classes is None:
        colour_bar(ax, labels)
    else:
        labels.legend(ax, loc="center left", bbox_to_anchor=(1.0, 0.5))


def scatter_on(
    ax: Axes,
    codes: ArrayLike,
    labels: Labels | None,
    *,
    scale: ArrayLike | None = None,
    names: Sequence[str] | None = None,
) -> None:
    """Draw what :func:`latent_scatter` draws on axes that exist already, without a legend."""
    z = checks.finite(codes, where="codes", ndim=2)
    if z.shape[1] < 2:
        raise ShapeError(
            "a plane has two axes", expected="(n, 2 or more)", got=z.shape, where="codes"
        )
    if labels is not None:
        checks.same_length(len(z), labels.values, where="labels")
    spread = None if scale is None else _check_scale(scale, z)
    chosen = _choose(len(z))
    dress(ax, xlabel=_axis_name(z, 0, names), ylabel=_axis_name(z, 1, names), grid="both")
    if labels is None:
        _draw_plain(ax, z[chosen])
    else:
        scatter_classes(ax, z[chosen, :2], labels.take(chosen))
        annotate_classes(ax, z[:, :2], labels)
    if spread is not None:
        _draw_spread(ax, z[chosen], spread[chosen])
    if len(chosen) < len(z):
        note(ax, f"{len(chosen):,} of {len(z):,} points, chosen at random")
    ax.set_aspect("equal", adjustable="datalim")


def _choose(count: int) -> np.ndarray:
    """Indices in random order, so that no class covers another only because it came last."""
    order = np.random.default_rng(0).permutation(count)
    return order[:MAX_POINTS]


def _axis_name(z: Floats, axis: int, names: Sequence[str] | None) -> str:
    name = f"z{axis + 1}" if names is None else str(names[axis])
    return (
        name
        if z.shape[1] == 2
        else f"{name} ({('first', 'second')[axis]} of {z.shape[1]} dimensions)"
    )


def _draw_plain(ax: Axes, z: Floats) -> None:
    alpha = 0.75 if len(z) < 2000 else 0.45
    ax.scatter(z[:, 0], z[:, 1], s=point_size(len(z)), color=BLUE, alpha=alpha, linewidths=0)


def _check_scale(scale: ArrayLike, z: Floats) -> Floats:
    spread = checks.finite(scale, where="scale", ndim=2)
    checks.same_shape(z, spread, where="scale")
    return checks.not_negative(spread, where="scale")


def _draw_spread(ax: Axes, z: Floats, spread: Floats) -> None:
    z, spread = z[:MAX_ELLIPSES, :2], 2 * spread[:MAX_ELLIPSES, :2]
    ax.add_collection(
        EllipseCollection(
            widths=spread[:, 0],
            heights=spread[:, 1],
            angles=np.zeros(len(z)),
            units="xy",
            offsets=z,
            offset_transform=ax.transData,
            facecolors="none",
            edgecolors=INK,
            linewidths=0.5,
            alpha=0.45,
            zorder=2.5,
        )
    )


def latent_grid(
    images: ArrayLike,
    extent: tuple[float, float, float, float],
    *,
    names: Sequence[str] = ("z1", "z2"),
) -> Figure:
    """Decoded images over a plane of the latent space, without seams.

    Args:
        images: Shape ``(rows, cols, H, W)`` or ``(rows, cols, H, W, C)``; row 0 is at the top,
            where the second coordinate is largest.
        extent: ``(left, right, bottom, top)``: coordinates at the *centres* of the outer images,
            as ``np.linspace(left, right, cols)`` gives them.
        names: Names of the two axes.

    Raises:
        DataError: If a value is not finite.
        ShapeError: If these are not a grid of images, or the extent is not increasing.

    Example:
        >>> latent_grid(np.zeros((3, 3, 4, 4)), (-2, 2, -2, 2)).axes[0].images[0].get_extent()
        [-3.0, 3.0, -3.0, 3.0]
    """
    array = checks.images(images, lead=2, where="images")
    rows, cols, height, width = array.shape[:4]
    left, right = _outer(extent[0], extent[1], cols)
    bottom, top = _outer(extent[2], extent[3], rows)
    ratio = rows * height / (cols * width)
    long = 5.4 / max(ratio, 1)
    made = figure(long + 0.5, long * ratio + 0.5)
    ax = dress(made.add_subplot(), xlabel=names[0], ylabel=names[1], grid="none")
    show(ax, tile(array), brightness(images), extent=(left, right, bottom, top))
    ax.set_box_aspect(ratio)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(color=FRAME)
    return made


def _outer(low: float, high: float, count: int) -> tuple[float, float]:
    """The outer edges of ``count`` tiles whose first and last centres are given."""
    if not (np.isfinite([low, high]).all() and (low < high or (count == 1 and low == high))):
        raise ShapeError(
            "extent is not increasing", expected="low < high", got=(low, high), where="extent"
        )
    half = (high - low) / (2 * (count - 1)) if count > 1 else 0.5
    return low - half, high + half


def traversals(
    images: ArrayLike,
    names: Sequence[str] | None = None,
    values: Sequence[float] | ArrayLike | None = None,
) -> Figure:
    """What changes along each latent dimension: one row of decoded images for each.

    Args:
        images: Shape ``(dims, steps, H, W)`` or ``(dims, steps, H, W, C)``.
        names: One name for each row; ``z1``, ``z2`` … by default.
        values: The coordinate at each step, written below its column.

    Raises:
        DataError: If a value is not finite.
        ShapeError: If the shapes do not fit each other.

    Example:
        >>> ax = traversals(np.zeros((2, 3, 4, 4)), values=[-2, 0, 2]).axes[0]
        >>> [t.get_text() for t in ax.get_yticklabels()]
        ['z1', 'z2']
    """
    array = checks.images(images, lead=2, where="images")
    dims, steps, height, width = array.shape[:4]
    labels = [f"z{i + 1}" for i in range(dims)] if names is None else [str(n) for n in names]
    checks.same_length(dims, labels, where="names")
    aspect = height / width
    size = tile_size(dims, steps, aspect, width=8, height=10)
    made = figure(steps * size + 0.6, dims * size * aspect + 0.5)
    ax = bare(made.add_subplot())
    show(ax, tile(array), brightness(images))
    separate(ax, array, columns=False)
    ax.set_yticks((np.arange(dims) + 0.5) * height - 0.5, labels)
    if values is not None:
        at = checks.finite(values, where="values", ndim=1)
        checks.same_length(steps, at, where="values")
        ax.set_xticks((np.arange(steps) + 0.5) * width - 0.5, [number(float(v), 2) for v in at])
    ax.tick_params(length=0, labelsize=TICK, labelcolor=MUTED)
    return made
