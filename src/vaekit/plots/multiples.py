"""Several quantities of several methods over one size, a small panel for each quantity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from vaekit.errors import ShapeError
from vaekit.plots import checks
from vaekit.plots.style import CLASS_COLOURS, DASHES, TICK, dress, figure

__all__ = ["panels"]

MARKERS = "osD^vPX"


def panels(
    x: ArrayLike, ys: Mapping[str, Mapping[str, Sequence[float | None]]], *, xlabel: str = ""
) -> Figure:
    """One panel for each quantity and in it one line for each method, over sizes that double.

    A method has one colour and marker in all panels, and one legend names them all. A value of
    None is left out of its line.

    Args:
        x: Sizes, above 0, shape ``(n,)``; the axis is logarithmic.
        ys: For each quantity the n values of each method.
        xlabel: What x is.

    Raises:
        ShapeError: If the lengths differ, or there is no panel.

    Example:
        >>> made = panels([2, 4], {"mse": {"PCA": [0.2, 0.1]}, "R²": {"PCA": [None, 0.5]}})
        >>> [ax.get_title(loc="left") for ax in made.axes]
        ['mse', 'R²']
    """
    at = checks.finite(x, where="x", ndim=1)
    if not ys:
        raise ShapeError("no panels to draw", expected="at least one", got=0, where="ys")
    names = list(dict.fromkeys(name for lines in ys.values() for name in lines))
    made = figure(3.4 * len(ys) + 1.6, 3.4)
    axes = made.subplots(1, len(ys), squeeze=False)[0]
    for ax, (quantity, lines) in zip(axes, ys.items(), strict=True):
        dress(ax, title=quantity, xlabel=xlabel)
        for name, values in lines.items():
            checks.same_length(len(at), values, where=f"{quantity} of {name}")
            _line(ax, at, np.array(values, np.float64), names.index(name), name)
        ax.set_xscale("log", base=2)
        ax.set_xticks(at, [f"{value:g}" for value in at])
        ax.minorticks_off()
    handles = {
        line.get_label(): line for ax in axes for line in ax.lines if line.get_label() in names
    }
    made.legend(
        [handles[name] for name in names if name in handles],
        [name for name in names if name in handles],
        loc="outside right center",
        frameon=False,
        fontsize=TICK,
    )
    return made


def _line(ax: Axes, at: checks.Floats, values: checks.Floats, number: int, name: str) -> None:
    known = np.isfinite(values)
    ax.plot(
        at[known],
        values[known],
        color=CLASS_COLOURS[number % len(CLASS_COLOURS)],
        linestyle=DASHES[number // len(CLASS_COLOURS) % len(DASHES)],
        marker=MARKERS[number % len(MARKERS)],
        linewidth=1.7,
        ms=4.5,
        label=name,
    )
