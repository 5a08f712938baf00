"""Many methods on many metrics: dots with standard errors, one panel a metric."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vaekit.errors import DataError
from vaekit.plots.metric import Metric
from vaekit.plots.style import BLUE, GREY, INK, LABEL, NOTE, dress, figure, space

__all__ = ["dots_and_whiskers"]

COLUMNS = 3
LONGEST = 44
LETTER = 0.075
"""Width of a letter in inches, on average."""


def dots_and_whiskers(metrics: Sequence[Metric], ours: Collection[str] = ()) -> Figure:
    """One panel for each metric, one line for each method: its mean, ± standard error.

    Args:
        metrics: Each over the same methods; single values are drawn as faint dots.
        ours: The methods in colour; the others are grey.

    Raises:
        DataError: If there are no metrics.

    Example:
        >>> mse = Metric("MSE", {"VAE": 0.04, "PCA": 0.06}, better="lower", errors={"VAE": 0.01})
        >>> len(dots_and_whiskers([mse], ours=["VAE"]).axes)
        1
    """
    if not metrics:
        raise DataError("no metrics to draw", expected="at least one", got=0, where="metrics")
    methods = list(dict.fromkeys(method for metric in metrics for method in metric.values))
    cols = min(len(metrics), COLUMNS)
    lines = math.ceil(len(metrics) / cols)
    names = [m if len(m) <= LONGEST else f"{m[: LONGEST - 1]}…" for m in methods]
    beside = max(1.4, LETTER * max(map(len, names), default=0) - 0.7)
    made = figure(beside + 2.9 * cols, lines * (1.1 + 0.3 * len(methods)))
    space(made, wide=0.04, high=0.06)
    for i, metric in enumerate(metrics):
        ax = made.add_subplot(lines, cols, i + 1)
        _panel(ax, metric, methods, ours)
        ax.set_yticks(range(len(methods)), names if i % cols == 0 else [""] * len(names))
    return made


def _panel(ax: Axes, metric: Metric, methods: Sequence[str], ours: Collection[str]) -> None:
    said = ", ".join(words for words in (metric.unit, metric.direction) if words)
    dress(ax, title=metric.name, xlabel=said, grid="x")
    ax.spines["left"].set_visible(False)
    ax.set_ylim(len(methods) - 0.5, -0.5)
    for y, method in enumerate(methods):
        colour = BLUE if method in ours else GREY
        value, error = metric.values.get(method), metric.errors.get(method)
        if value is None:
            continue
        each = metric.each.get(method, ())
        ax.plot(each, [y] * len(each), "o", ms=3.5, mew=0, color=colour, alpha=0.35)
        ax.errorbar(
            value, y, xerr=error, fmt="o", ms=7, color=colour, elinewidth=2, capsize=3.5,
            mec="white", mew=1,
        )  # fmt: skip
    ax.margins(x=0.12)
    ax.xaxis.label.set_fontsize(NOTE)
    whole = all(value is None or float(value).is_integer() for value in metric.values.values())
    ax.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=whole))
    ax.tick_params(axis="y", length=0, labelsize=LABEL, labelcolor=INK)
