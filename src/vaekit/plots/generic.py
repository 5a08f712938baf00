"""Lines over a quantity that is varied: plain curves, and sweeps over many decades."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from vaekit.errors import DataError, ShapeError
from vaekit.plots import checks
from vaekit.plots.checks import Floats
from vaekit.plots.numbers import log_axis
from vaekit.plots.style import (
    DASHES,
    HALO,
    INK,
    LABEL,
    LINE_COLOURS,
    MUTED,
    NOTE,
    dress,
    figure,
    legend,
)

__all__ = ["curve", "sweep"]

Region = tuple[float, float, str]
Marker = tuple[float, str]
LETTER = 0.0105  # share of the axis that one letter of a marker takes
TINTS = ("#fdf0e3", "#e8f1fb", "#f1eaf7", "#eef0f2")


def curve(
    x: ArrayLike, ys: Mapping[str, ArrayLike], *, xlabel: str = "", ylabel: str = ""
) -> Figure:
    """One line for each entry of ``ys`` over ``x``.

    Args:
        x: Positions, shape ``(n,)``.
        ys: Values by name, each of shape ``(n,)``.
        xlabel: What x is.
        ylabel: What the values are, with their unit.

    Raises:
        DataError: If a value is not finite.
        ShapeError: If the lengths differ, or there is no line.

    Example:
        >>> len(curve([1, 2, 3], {"rate": [3, 2, 1]}).axes[0].lines)
        1
    """
    at, lines = _read(x, ys)
    made = figure(7.2, 4.0)
    ax = dress(made.add_subplot(), xlabel=xlabel, ylabel=ylabel)
    _draw(ax, at, lines)
    return made


def sweep(
    x: ArrayLike,
    ys: Mapping[str, ArrayLike],
    *,
    regions: Sequence[Region] = (),
    markers: Sequence[Marker] = (),
    xlabel: str = "β",
    ylabel: str = "",
    stacked: bool = False,
) -> Figure:
    """Lines over a logarithmic x with shaded regimes and marked places.

    Args:
        x: Positions, above zero, shape ``(n,)``.
        ys: Values by name, each of shape ``(n,)``.
        regions: ``(low, high, label)`` of each shaded regime.
        markers: ``(x, label)`` of each vertical line.
        xlabel: What is varied.
        ylabel: What the values are, with their unit (when not stacked).
        stacked: Give each line its own panel and y axis, for values of different units.

    Raises:
        DataError: If a value is not finite, or a position is not above zero.
        ShapeError: If the lengths differ, or there is no line.

    Example:
        >>> figure = sweep([1e-3, 1e-1, 10], {"rate": [9, 4, 0]}, markers=[(8e-4, "a")])
        >>> figure.axes[0].get_xscale()
        'log'
    """
    at, lines = _read(x, ys)
    low, high = _span(at, markers)
    groups = [{name: y} for name, y in lines.items()] if stacked else [lines]
    lanes = _lanes(markers, (low, high))
    tall = [1.8] * len(groups) if stacked else [3.6]
    heights = [*tall, 0.24 * (1 + max(lanes))] if lanes else tall
    made = figure(8.6, sum(heights) + 0.9)
    grid = {"height_ratios": heights}
    axes = made.subplots(len(heights), 1, sharex=True, squeeze=False, gridspec_kw=grid)[:, 0]
    for turn, (ax, group) in enumerate(zip(axes, groups, strict=False)):
        dress(ax, ylabel=next(iter(group)) if stacked else ylabel)
        _shade(ax, regions, (low, high), named=turn == 0)
        _draw(ax, at, group, first=turn, named=not stacked)
    if lanes:
        _name_markers(dress(axes[-1], grid="none"), markers, lanes, (low, high))
    for ax in axes:
        for place, _ in markers:
            ax.axvline(place, color=MUTED, linewidth=1, linestyle=(0, (3, 2)), zorder=1)
        log_axis(ax, low, high)
        ax.set_xlim(low, high)
    axes[-1].set_xlabel(xlabel)
    return made


def _read(x: ArrayLike, ys: Mapping[str, ArrayLike]) -> tuple[Floats, dict[str, Floats]]:
    at = checks.finite(x, where="x", ndim=1)
    if not ys:
        raise ShapeError("no lines to draw", expected="at least one", got=0, where="ys")
    lines = {name: checks.finite(y, where=name, ndim=1) for name, y in ys.items()}
    for name, y in lines.items():
        checks.same_length(len(at), y, where=name)
    order = np.argsort(at, kind="stable")
    return at[order], {name: y[order] for name, y in lines.items()}


def _draw(
    ax: Axes, x: Floats, lines: Mapping[str, Floats], *, first: int = 0, named: bool = True
) -> None:
    marker = "o" if len(x) <= 40 else ""
    for i, (name, y) in enumerate(lines.items(), start=first):
        colour, dash = LINE_COLOURS[i % len(LINE_COLOURS)], DASHES[(i - first) % len(DASHES)]
        ax.plot(x, y, color=colour, linestyle=dash, linewidth=2, marker=marker, ms=4.5, label=name)
    if named:
        legend(ax, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _span(x: Floats, markers: Sequence[Marker]) -> tuple[float, float]:
    """The x axis: all positions and markers, with a little air on both sides."""
    every = [float(x.min()), float(x.max()), *(place for place, _ in markers)]
    if not all(math.isfinite(v) and v > 0 for v in every):
        raise DataError("a logarithm needs positions above zero", got=min(every), where="x")
    low, high = min(every), max(every)
    air = (high / low) ** 0.03 if high > low else 2.0
    return low / air, high * air


def _shade(ax: Axes, regions: Sequence[Region], span: tuple[float, float], *, named: bool) -> None:
    for i, (start, stop, label) in enumerate(regions):
        low, high = max(start, span[0]), min(stop, span[1])
        if low >= high:
            continue
        ax.axvspan(low, high, color=TINTS[i % len(TINTS)], linewidth=0, zorder=0)
        if named:
            ax.text(
                math.sqrt(low * high),
                1.02,
                label,
                transform=ax.get_xaxis_transform(),
                ha="center",
                va="bottom",
                fontsize=LABEL,
                color=INK,
            )


def _share(place: float, span: tuple[float, float]) -> float:
    return math.log(place / span[0]) / math.log(span[1] / span[0])


def _reach(marker: Marker, span: tuple[float, float]) -> tuple[float, float]:
    """The part of the axis that a label covers: right of its line, or left where that ends."""
    start, width = _share(marker[0], span), LETTER * (len(marker[1]) + 2)
    return (start, start + width) if start + width <= 1 else (start - width, start)


def _lanes(markers: Sequence[Marker], span: tuple[float, float]) -> list[int]:
    """A lane for each label, such that no two in one lane overlap."""
    lanes: list[int] = []
    for i, marker in enumerate(markers):
        low, high = _reach(marker, span)
        near = [_reach(other, span) for other in markers[:i]]
        taken = {lanes[k] for k, (a, b) in enumerate(near) if low < b and a < high}
        lanes.append(next(lane for lane in range(len(markers)) if lane not in taken))
    return lanes


def _name_markers(
    ax: Axes, markers: Sequence[Marker], lanes: Sequence[int], span: tuple[float, float]
) -> None:
    """Labels in a strip of their own below the curves, each beside its line."""
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_ylim(max(lanes) + 0.6, -0.6)
    for marker, lane in zip(markers, lanes, strict=True):
        left = _reach(marker, span)[0] < _share(marker[0], span)
        ax.annotate(
            marker[1],
            (marker[0], lane),
            (-4 if left else 4, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize=NOTE,
            color=INK,
            path_effects=HALO,
        )
