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


def sweep(  # noqa: PLR0913
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
        >>> figure = sweep([1e-3, 1e-1, 10], {"rate": [9, 4, 0]}, markers=[(8e-4, "a")], stacked=True)
        >>> figure.axes[0].get_xscale()
        'log'
    """
    at, lines = _read(x, ys)
    low, high = _span(at, markers)
    groups = [{name: y} for name, y in lines.items()] if stacked else [lines]
    made = figure(8.6, 1.9 * len(groups) + 0.9 if stacked else 4.6)
    axes = made.subplots(len(groups), 1, sharex=True, squeeze=False)[:, 0]
    for turn, (ax, group) in enumerate(zip(axes, groups, strict=True)):
        dress(ax, ylabel=next(iter(group)) if stacked else ylabel)
        _shade(ax, regions, (low, high), named=turn == 0)
        _draw(ax, at, group, first=turn, named=not stacked)
        _mark(ax, markers, (low, high), named=turn == len(groups) - 1)
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


def _shade(
    ax: Axes, regions: Sequence[Region], span: tuple[float, float], *, named: bool
) -> None:
    for i, (start, stop, label) in enumerate(regions):
        low, high = max(start, span[0]), min(stop, span[1])
        if low >= high:
            continue
        ax.axvspan(low, high, color=TINTS[i % len(TINTS)], linewidth=0, zorder=0)
        if named:
            ax.text(
                math.sqrt(low * high), 1.02, label, transform=ax.get_xaxis_transform(),
                ha="center", va="bottom", fontsize=LABEL, color=INK,
            )


def _mark(
    ax: Axes, markers: Sequence[Marker], span: tuple[float, float], *, named: bool
) -> None:
    """Vertical lines; each label stands upright at its line, on the left where the right is taken."""
    last = -math.inf
    for place, label in sorted(markers):
        ax.axvline(place, color=MUTED, linewidth=1, linestyle=(0, (3, 2)), zorder=1)
        if not named:
            continue
        share = math.log(place / span[0]) / math.log(span[1] / span[0])
        left = share > 0.96
        ax.annotate(
            label, (place, 0.03), (-3 if left else 3, 0), xycoords=ax.get_xaxis_transform(),
            textcoords="offset points", rotation=90, ha="right" if left else "left", va="bottom",
            fontsize=NOTE, color=MUTED, path_effects=HALO,
        )
        last = share
