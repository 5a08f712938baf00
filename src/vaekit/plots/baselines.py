"""Pictures beside a baseline: PCA's variance, measured quantities, two latent spaces."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import ArrayLike

from vaekit.errors import DataError
from vaekit.plots import checks
from vaekit.plots.checks import Floats
from vaekit.plots.labels import read_labels
from vaekit.plots.latent import scatter_on
from vaekit.plots.metric import Metric, MetricRow, read_metrics
from vaekit.plots.numbers import number
from vaekit.plots.style import (
    BLUE,
    GREY,
    INK,
    LABEL,
    MUTED,
    NOTE,
    ORANGE,
    TICK,
    bare,
    dress,
    figure,
    legend,
    note,
    space,
)

__all__ = ["comparison", "explained_variance", "two_latent_scatter"]

MAX_COMPONENTS = 60
MARKED_SHARE = 0.9


def explained_variance(ratio: ArrayLike) -> Figure:
    """Share of the variance that each principal component explains, and their running sum.

    Args:
        ratio: Shares, largest first, shape ``(components,)``; they sum to at most 1.

    Raises:
        DataError: If a share is negative or not finite, or they sum to more than 1.
        ShapeError: If ``ratio`` is not one row of numbers.

    Example:
        >>> len(explained_variance([0.6, 0.3, 0.1]).axes[0].patches)
        3
    """
    share = checks.not_negative(checks.finite(ratio, where="ratio", ndim=1), where="ratio")
    total = np.cumsum(share)
    if total[-1] > 1 + 1e-6:
        raise DataError(
            "shares of more than the whole", expected="a sum ≤ 1", got=total[-1], where="ratio"
        )
    shown = min(len(share), MAX_COMPONENTS)
    at = np.arange(1, shown + 1)
    made = figure(7.2, 3.6)
    ax = dress(made.add_subplot(), xlabel="principal component", ylabel="variance explained")
    ax.bar(at, share[:shown], width=0.75, color=BLUE, label="each")
    marker = "o" if shown <= 30 else ""
    ax.plot(at, total[:shown], color=ORANGE, linewidth=2, marker=marker, ms=4, label="running sum")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(0, 1.04)
    legend(ax, loc="center right")
    _mark_share(ax, total)
    if shown < len(share):
        note(ax, f"first {shown} of {len(share)} components")
    return made


def _mark_share(ax: Axes, total: Floats) -> None:
    """Say how many components explain 90 % of the variance, where that is in the picture."""
    count = int(np.searchsorted(total, MARKED_SHARE)) + 1
    if count > min(len(total), MAX_COMPONENTS):
        return
    ax.axhline(MARKED_SHARE, color=MUTED, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
    ax.annotate(
        f"{count} component{'s' if count > 1 else ''} explain {MARKED_SHARE:.0%}",
        (count, float(total[count - 1])),
        (10, -16),
        textcoords="offset points",
        fontsize=TICK,
        color=INK,
    )


def comparison(rows: Iterable[MetricRow]) -> Figure:
    """Small bars for each metric: our model, then its baselines, each with its number.

    Args:
        rows: Metrics, or mappings such as
            ``{"name": "MSE", "VAE": 0.038, "PCA": 0.056, "unit": "", "better": "lower"}``;
            the first method is ours.

    Raises:
        ConfigError: If a row is not a metric.
        DataError: If there are no rows, or a value is not a finite number.

    Example:
        >>> len(comparison([{"name": "MSE", "VAE": 0.04, "PCA": 0.06, "better": "lower"}]).axes)
        1
    """
    metrics = read_metrics(rows)
    if not metrics:
        raise DataError("no metrics to draw", expected="at least one row", got=0, where="rows")
    cols = min(len(metrics), 2)
    lines = math.ceil(len(metrics) / cols)
    bars = max(len(metric.values) for metric in metrics)
    made = figure(4.6 * cols, lines * (0.8 + 0.32 * bars))
    space(made, wide=0.08, high=0.08)
    for i, metric in enumerate(metrics):
        _bars(made.add_subplot(lines, cols, i + 1), metric, bars)
    return made


def _bars(ax: Axes, metric: Metric, lines: int) -> None:
    methods = list(metric.values)
    values = np.array([0.0 if v is None else float(v) for v in metric.values.values()])
    colours = [BLUE if m == metric.ours else GREY for m in methods]
    at = np.arange(len(methods))
    title = f"{metric.name} ({metric.unit})" if metric.unit else metric.name
    bare(dress(ax, title=title, grid="none"))
    ax.set_title(metric.direction, loc="right", fontsize=NOTE, color=MUTED, pad=8)
    ax.barh(at, values, height=0.66, color=colours)
    ax.set_yticks(at, methods)
    ax.tick_params(axis="y", length=0, labelsize=LABEL, labelcolor=INK)
    ax.set_ylim(lines - 0.5, -0.5)
    low, high = min(values.min(), 0.0), max(values.max(), 0.0)
    span = (high - low) or 1.0
    ax.set_xlim(low - 0.28 * span * (low < 0), high + 0.28 * span * (high > 0 or low == 0))
    for y, method in enumerate(methods):
        _value(ax, metric, method, y)


def _value(ax: Axes, metric: Metric, method: str, y: int) -> None:
    value = metric.values[method]
    left = value is not None and value < 0
    ax.annotate(
        "none" if value is None else number(value),
        (value or 0.0, y),
        (-4 if left else 4, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="center",
        fontsize=TICK,
        color=MUTED if value is None else INK,
        fontweight="bold" if metric.best == method else "normal",
    )


def two_latent_scatter(
    a: ArrayLike,
    b: ArrayLike,
    labels: ArrayLike | None = None,
    titles: Sequence[str] = ("VAE", "PCA"),
) -> Figure:
    """Two latent spaces of the same rows side by side, as :func:`latent_scatter` draws one.

    Args:
        a: Codes, shape ``(n, 2)`` or wider.
        b: Other codes of the same rows, shape ``(n, 2)`` or wider.
        labels: One for each row.
        titles: What ``a`` and ``b`` are.

    Raises:
        DataError: If a value is not finite.
        ShapeError: If the shapes do not fit each other.

    Example:
        >>> [ax.get_title(loc="left") for ax in two_latent_scatter(np.eye(2), np.eye(2)).axes]
        ['VAE', 'PCA']
    """
    left = checks.finite(a, where="a", ndim=2)
    right = checks.finite(b, where="b", ndim=2)
    checks.same_length(len(left), right, where="b")
    checks.same_length(2, titles, where="titles")
    read = None if labels is None else read_labels(labels)
    made = figure(10.4, 5.0)
    axes = made.subplots(1, 2)
    for ax, codes, title in zip(axes, (left, right), titles, strict=True):
        scatter_on(ax, codes, read)
        ax.set_title(title, loc="left", fontsize=LABEL + 1, fontweight="bold", color=INK)
    if read is not None and read.classes is not None:
        read.legend(axes[1], loc="center left", bbox_to_anchor=(1.0, 0.5))
    return made
