"""Labels of points: classes with their own colours, or one continuous colour."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from vaekit.errors import DataError, ShapeError
from vaekit.plots.checks import Floats
from vaekit.plots.style import CLASS_COLOURS, LABEL, MUTED, TICK, legend, outlined

__all__ = [
    "Labels",
    "annotate_classes",
    "colour_bar",
    "point_size",
    "read_labels",
    "scatter_classes",
]

MAX_CLASSES = 20
LONGEST_NAME = 22
MARKERS = ("o", "^")
AXES_INCHES, LETTER_INCHES, LINE_INCHES = 3.8, 0.105, 0.19

Box = tuple[float, float, float, float]


@dataclasses.dataclass(frozen=True)
class Labels:
    """What colours points: class indices with their names, or values when ``classes`` is None."""

    values: NDArray[Any]
    classes: tuple[str, ...] | None
    title: str = ""

    def take(self, index: NDArray[np.intp]) -> Labels:
        """The labels of some points."""
        return dataclasses.replace(self, values=self.values[index])

    def legend(self, ax: Axes, **kwargs: Any) -> None:
        """A legend with one entry for each class."""
        handles = [
            Line2D([], [], linestyle="", marker=_marker(i), color=_colour(i), ms=6.5, label=name)
            for i, name in enumerate(self.classes or ())
        ]
        legend(ax, handles=handles, handletextpad=0.3, handlelength=1.2, **kwargs)


def _colour(index: int) -> str:
    return CLASS_COLOURS[index % len(CLASS_COLOURS)]


def _marker(index: int) -> str:
    return MARKERS[index // len(CLASS_COLOURS)]


def read_labels(labels: ArrayLike) -> Labels:
    """Classes where there are at most 20 different labels, else a continuous value.

    Raises:
        DataError: If a numeric label is not finite.
        ShapeError: If the labels are not one row.

    Example:
        >>> read_labels([3.0, 1.0, 3.0]).classes, read_labels(np.arange(50)).classes
        (('1', '3'), None)
    """
    array = np.asarray(labels)
    if array.ndim != 1:
        raise ShapeError("wrong shape", expected="(n,)", got=array.shape, where="labels")
    numeric = array.dtype.kind in "biuf"
    if numeric and not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array))[0])
        raise DataError("a label is not finite", got=f"{array[row]} at row {row}", where="labels")
    found, index = np.unique(array if numeric else array.astype(str), return_inverse=True)
    if len(found) <= MAX_CLASSES:
        return Labels(index.reshape(-1), tuple(_name(value) for value in found))
    if numeric:
        return Labels(array.astype(np.float64), None, "label")
    return Labels(
        index.reshape(-1).astype(np.float64), None, f"{len(found)} classes, in sorted order"
    )


def _name(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, np.floating) else str(value)
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"


def point_size(count: int) -> float:
    """Area of a marker, in points², that suits so many of them."""
    return float(np.clip(14_000 / count, 4, 36))


def scatter_classes(ax: Axes, points: Floats, labels: Labels) -> None:
    """Points in the colours of their labels, in the order given; one collection a marker."""
    size = point_size(len(points))
    options: dict[str, Any] = {"alpha": 0.8 if len(points) < 5000 else 0.6, "linewidths": 0}
    if labels.classes is None:
        options |= {"vmin": labels.values.min(), "vmax": labels.values.max(), "cmap": "viridis"}
        ax.scatter(points[:, 0], points[:, 1], s=size, c=labels.values, **options)
        return
    for turn, marker in enumerate(MARKERS):
        chosen = labels.values // len(CLASS_COLOURS) == turn
        if chosen.any():
            colours = [_colour(int(i)) for i in labels.values[chosen]]
            x, y = points[chosen].T
            ax.scatter(x, y, s=size, c=colours, marker=marker, **options)


def annotate_classes(ax: Axes, points: Floats, labels: Labels) -> None:
    """The name of each class at the median of its points, or just beside it where that is taken.

    A name that finds no free place is left to the legend.
    """
    unit = float(np.ptp(points, axis=0).max() or 1.0) / AXES_INCHES
    taken: list[Box] = []
    for index, name in enumerate(labels.classes or ()):
        x, y = np.median(points[labels.values == index], axis=0)
        width, height = unit * LETTER_INCHES * len(name), unit * LINE_INCHES
        for step in (0, 1, -1, 2, -2):
            box = (float(x), float(y + step * height), width, height)
            if not any(_overlap(box, other) for other in taken):
                taken.append(box)
                outlined(ax, box[:2], name, fontweight="bold", fontsize=LABEL + 0.5)
                break


def _overlap(a: Box, b: Box) -> bool:
    """Whether two boxes ``(x, y, width, height)`` around their centres overlap."""
    return 2 * abs(a[0] - b[0]) < a[2] + b[2] and abs(a[1] - b[1]) < 0.999 * (a[3] + b[3]) / 2


def colour_bar(ax: Axes, labels: Labels) -> None:
    """The scale of a continuous colour, beside the axes."""
    owner = ax.figure
    bar = owner.colorbar(ax.collections[0], ax=ax, shrink=0.7, aspect=28, pad=0.02)
    bar.outline.set_visible(False)
    bar.set_label(labels.title, fontsize=LABEL, color=MUTED)
    bar.ax.tick_params(labelsize=TICK, labelcolor=MUTED, length=0)
    bar.solids.set_alpha(1)  # type: ignore[union-attr]
