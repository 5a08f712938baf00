"""Pictures of anomaly scores: how they spread, where the line is, and which columns explain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter
from numpy.typing import ArrayLike
from sklearn.metrics import precision_recall_curve, roc_curve

from vaekit.errors import DataError
from vaekit.plots import checks
from vaekit.plots.checks import Floats
from vaekit.plots.numbers import number, power_of_ten
from vaekit.plots.style import (
    BLUE,
    GREY,
    INK,
    LABEL,
    MUTED,
    NOTE,
    ORANGE,
    PURPLE,
    dress,
    figure,
    legend,
    note,
    space,
)

__all__ = ["detection_curves", "explaining_columns", "score_histogram", "training_loss"]

BINS = 60
TAIL = 3.0
"""Rows farther out than so many times the spread of the others share the last bin."""
LONGEST = 32
POINTS = 2_000
FEW = 15


def score_histogram(
    scores: ArrayLike,
    threshold: float,
    labels: ArrayLike | None = None,
    *,
    xlabel: str = "anomaly score (nats)",
) -> Figure:
    """How many rows have which score, counted on a logarithmic axis, and where the line is.

    Args:
        scores: Higher is more anomalous, shape ``(n,)``.
        threshold: Rows beyond it are anomalies.
        labels: 1 for known anomalies, which are then drawn in colour.
        xlabel: What the scores are.

    Raises:
        DataError: If a score is not finite.
        ShapeError: If there are no scores, or the lengths differ.

    Example:
        >>> len(score_histogram([0.0, 1.0, 1.5, 9.0], 5.0).axes)
        1
    """
    found = checks.finite(scores, where="scores", ndim=1)
    made = figure(9.6, 3.6)
    ax = dress(made.add_subplot(), xlabel=xlabel, ylabel="rows")
    last = _last(found, threshold)
    edges = np.linspace(min(float(found.min()), threshold), last, BINS + 1)
    shown = np.minimum(found, last)
    beyond = found > threshold
    if labels is None:
        groups = [("normal", ~beyond, GREY), ("anomalies", beyond, ORANGE)]
    else:
        checks.same_length(len(found), np.asarray(labels), where="labels")
        known = np.asarray(labels, np.float64) == 1
        groups = [("all rows", np.ones_like(known), GREY), ("labelled anomalies", known, ORANGE)]
    for name, mask, colour in groups:
        counts = np.histogram(shown[mask], edges)[0]
        ax.stairs(counts, edges, fill=True, color=colour, linewidth=0, label=name)
    ax.set_yscale("log")
    ax.set_ylim(0.7, None)
    ax.yaxis.set_major_formatter(lambda value, _: power_of_ten(value))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.axvline(threshold, color=INK, linewidth=1.2, linestyle=(0, (4, 2)))
    ax.axvspan(threshold, last, color=ORANGE, alpha=0.06, linewidth=0, zorder=0)
    share = beyond.mean()
    note(
        ax,
        f"{int(beyond.sum()):,} of {len(found):,} rows ({share:.2%}) beyond {number(threshold)}",
    )
    if last < found.max():
        far = f"farther out up to {number(float(found.max()))}: in the last bar"
        ax.annotate(
            far, (1, 0.94), xycoords="axes fraction", ha="right", fontsize=NOTE, color=MUTED
        )
    ax.set_xlim(edges[0], last)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=8))
    legend(ax, loc="upper right", bbox_to_anchor=(1, 0.9))
    return made


def _last(scores: Floats, threshold: float) -> float:
    """Where the axis ends: a few rows very far out would press all others together."""
    low, middle, high = np.quantile(scores, [0.0, 0.5, 0.999], method="lower")
    inner = max(high, threshold)
    end = min(float(scores.max()), inner + TAIL * (inner - middle))
    return max(end, threshold, float(min(low, threshold)) + 1e-9)


def explaining_columns(
    counts: Mapping[str, float], *, xlabel: str = "rows", most: int = 15
) -> Figure:
    """How many anomalous rows each column explains best, most first.

    Args:
        counts: Rows by the name of the column.
        xlabel: What is counted.
        most: Columns that are drawn.

    Raises:
        DataError: If there are none, or one is negative or not finite.

    Example:
        >>> len(explaining_columns({"amount": 12, "shop": 3}).axes[0].patches)
        2
    """
    if not counts:
        raise DataError("no columns to draw", where="counts")
    values = checks.not_negative(
        checks.finite(list(counts.values()), where="counts", ndim=1), where="counts"
    )
    order = np.argsort(-values, kind="stable")
    names = list(counts)
    shown = order[:most]
    made = figure(9.6, 0.9 + 0.36 * len(shown))
    ax = dress(made.add_subplot(), xlabel=xlabel, grid="x")
    at = np.arange(len(shown))
    ax.barh(at, values[shown], height=0.64, color=BLUE)
    ax.set_yticks(at, [_short(names[i]) for i in shown])
    ax.invert_yaxis()
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0, labelsize=LABEL, labelcolor=INK)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    ax.set_xlim(0, float(values.max() or 1) * 1.08)
    for place, i in zip(at, shown, strict=True):
        ax.annotate(
            f"{number(float(values[i]))} ({values[i] / (values.sum() or 1):.0%})",
            (values[i], place),
            (5, 0),
            textcoords="offset points",
            va="center",
            fontsize=NOTE,
            color=MUTED,
        )
    if len(order) > most:
        note(ax, f"{most} of {len(order)} columns")
    return made


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def detection_curves(labels: ArrayLike, scores: ArrayLike, threshold: float) -> Figure:
    """ROC curve (left) and precision over recall (right), with the place of the line on both.

    Args:
        labels: 1 for anomalies, 0 for normal rows, shape ``(n,)``; some of both.
        scores: Higher is more anomalous, shape ``(n,)``.
        threshold: Rows beyond it are flagged.

    Raises:
        DataError: If a score is not finite, or there is one class only.
        ShapeError: If the lengths differ.

    Example:
        >>> len(detection_curves([0, 0, 1], [0.1, 0.4, 0.9], 0.5).axes)
        2
    """
    found = checks.finite(scores, where="scores", ndim=1)
    truth = checks.finite(labels, where="labels", ndim=1) == 1
    checks.same_length(len(found), truth, where="labels")
    if truth.all() or not truth.any():
        raise DataError("there is one class only", expected="anomalies and normal rows")
    made = figure(9.6, 3.8)
    space(made, wide=0.06, high=0.0)
    left, right = made.subplots(1, 2)
    flagged = found > threshold
    hits, share = (flagged & truth).sum(), truth.mean()
    false, true, _ = roc_curve(truth, found)
    here = (flagged & ~truth).sum() / (~truth).sum(), hits / truth.sum()
    _curve(left, false, true, here, "ROC curve")
    left.plot([0, 1], [0, 1], color=GREY, linewidth=1.2, linestyle="--", label="chance")
    left.set(xlabel="normal rows that are flagged", ylabel="anomalies that are flagged")
    precision, recall, _ = precision_recall_curve(truth, found)
    here = here[1], hits / flagged.sum() if flagged.any() else 1.0
    _curve(right, recall, precision, here, "Precision and recall")
    right.axhline(share, color=GREY, linewidth=1.2, linestyle="--", label="chance")
    right.set(xlabel="recall", ylabel="precision")
    legend(left, loc="lower right")
    return made


def _curve(ax: Axes, x: Floats, y: Floats, here: tuple[float, float], title: str) -> None:
    every = max(1, math.ceil(len(x) / POINTS))
    dress(ax, title=title, grid="both")
    ax.plot(np.append(x[::every], x[-1]), np.append(y[::every], y[-1]), color=BLUE, linewidth=2)
    ax.plot(*here, "o", ms=9, mfc="white", mec=ORANGE, mew=2, label="at the line", clip_on=False)
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.03))


def training_loss(records: Sequence[Mapping[str, Any]]) -> Figure:
    """The loss of each epoch (left) and the rate of the code (right), where there is one.

    Args:
        records: One mapping for each epoch, with ``epoch``, ``loss`` and perhaps ``rate``.

    Raises:
        DataError: If there are no records with a loss.

    Example:
        >>> len(training_loss([{"epoch": 1, "loss": 3.0}, {"epoch": 2, "loss": 2.5}]).axes)
        1
    """
    names = [name for name in ("loss", "rate") if any(r.get(name) is not None for r in records)]
    if "loss" not in names:
        raise DataError("no history to draw", expected="records with a loss", where="records")
    made = figure(9.6, 3.0)
    space(made, wide=0.06, high=0.0)
    axes = made.subplots(1, len(names), squeeze=False)[0]
    for ax, name, colour in zip(axes, names, (BLUE, PURPLE), strict=False):
        dress(
            ax, title=name.capitalize(), xlabel="epoch", ylabel="nats" if "rate" in names else ""
        )
        known = [r for r in records if r.get(name) is not None]
        x = [r.get("epoch", place) for place, r in enumerate(known, 1)]
        marker = "o" if len(known) <= FEW else ""
        ax.plot(x, [r[name] for r in known], color=colour, linewidth=2, marker=marker, ms=4)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        ax.yaxis.set_major_locator(MaxNLocator(nbins=5))
    return made
