"""The critical-difference picture: which methods differ, over many data sets."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vaekit.errors import ConfigError
from vaekit.metrics import MethodRanks
from vaekit.plots.numbers import number
from vaekit.plots.style import BLUE, FRAME, GREY, INK, LABEL, MUTED, NOTE, TICK, bare, figure

__all__ = ["critical_difference_diagram"]

LONGEST = 28
INCHES = 0.27  # a line of text, which is the unit of y
FIRST_BAR, BAR_STEP = 0.75, 0.5
MARGIN = 0.008  # of the scale, before the first rank and after the last
BAR_END = 0.006  # how far a bar goes beyond its methods
SMALL = TICK - 1


def critical_difference_diagram(
    ranks: MethodRanks,
    *,
    ours: Collection[str] = (),
    test: Literal["nemenyi", "wilcoxon"] = "nemenyi",
) -> Figure:
    """Methods at their mean ranks, the best on the left; a bar joins those that do not differ.

    Args:
        ranks: As :func:`vaekit.metrics.rank_methods` finds them.
        ours: The methods in colour; the others are grey.
        test: Whose bars to draw: ``nemenyi`` of mean ranks, whose critical difference is shown as
            a ruler, or ``wilcoxon`` of pairs, corrected by Holm.

    Raises:
        ConfigError: If there is no such test.

    References:
        Statistical Comparisons of Classifiers over Multiple Data Sets (Demšar, 2006), JMLR 7.

    Example:
        >>> from vaekit.metrics import rank_methods
        >>> table = {"pca": [0.7, 0.6, 0.8], "vae": [0.8, 0.9, 0.8]}
        >>> drawn = critical_difference_diagram(rank_methods(table), ours=["vae"])
        >>> [text.get_text() for text in drawn.axes[0].texts[-4:]]
        ['1.17', 'vae', '1.83', 'pca']
    """
    if test not in ("nemenyi", "wilcoxon"):
        raise ConfigError(
            "no such test", expected="'nemenyi' or 'wilcoxon'", got=repr(test), where="test"
        )
    k = len(ranks.methods)
    groups = ranks.groups if test == "nemenyi" else ranks.holm_groups
    levels = _levels(groups)
    depth = FIRST_BAR + BAR_STEP * (max(levels, default=-1) + 1) + 0.6  # of the first name
    bottom = depth + k / 2 + 1.7
    top = 2.6 if test == "nemenyi" else 1.4
    made = figure(7.6, INCHES * (top + bottom))
    ax = bare(made.add_subplot())
    ax.set_xlim(1 - MARGIN * k, k + MARGIN * k)
    ax.set_ylim(bottom, -top)
    _scale(ax, k)
    if test == "nemenyi":
        _ruler(ax, ranks.critical_difference, k)
    _remark(ax, ranks, test, bottom)
    for (first, last), level in zip(groups, levels, strict=True):
        ends = ranks.mean_ranks[[first, last]] + [-BAR_END * k, BAR_END * k]
        y = FIRST_BAR + BAR_STEP * level
        ax.plot(ends, [y, y], lw=4, color=INK, solid_capstyle="round", zorder=3)
    for place, name in enumerate(ranks.methods):
        _method(ax, ranks, place, depth, name in ours)
    return made


def _levels(groups: Sequence[tuple[int, int]]) -> list[int]:
    """On which line to draw each bar, so that none touches another."""
    ends: list[int] = []
    chosen = []
    for first, last in groups:
        level = next((i for i, end in enumerate(ends) if end < first), len(ends))
        ends[level : level + 1] = [last]
        chosen.append(level)
    return chosen


def _scale(ax: Axes, k: int) -> None:
    ax.plot([1, k], [0, 0], lw=1.2, color=MUTED, solid_capstyle="butt", zorder=1)
    step = max(1, math.ceil(k / 16))
    for rank in range(1, k + 1):
        named = (rank - 1) % step == 0
        ax.plot([rank, rank], [0, -0.35 if named else -0.2], lw=0.8, color=MUTED, zorder=1)
        if named:
            ax.text(rank, -0.5, str(rank), fontsize=TICK, color=MUTED, ha="center", va="bottom")


def _ruler(ax: Axes, distance: float, k: int) -> None:
    """The critical difference, as long as it is, above the left end of the scale."""
    shown = min(distance, k - 1)
    for x, y in (([1, 1 + shown], [-2.1, -2.1]), ([1, 1], [-2.3, -1.9])):
        ax.plot(x, y, lw=1.6, color=BLUE, solid_capstyle="butt")
    if shown == distance:
        ax.plot([1 + shown] * 2, [-2.3, -1.9], lw=1.6, color=BLUE, solid_capstyle="butt")
    words = f"critical difference {number(distance, 3)}"
    ax.annotate(
        words, (1 + shown, -2.1), (6, 0), textcoords="offset points", fontsize=NOTE, color=BLUE,
        ha="left", va="center",
    )  # fmt: skip


def _remark(ax: Axes, ranks: MethodRanks, test: str, bottom: float) -> None:
    name = "Nemenyi" if test == "nemenyi" else "Wilcoxon with Holm"
    words = (
        f"mean rank over {ranks.sets} data sets, lower is better; "
        f"Friedman p = {number(ranks.friedman_p, 2)}\n"
        f"a bar joins methods that the test by {name} at α = {number(ranks.alpha)} "
        "does not tell apart"
    )
    middle = (1 + len(ranks.methods)) / 2
    ax.text(
        middle, bottom - 0.1, words, fontsize=NOTE, color=MUTED, ha="center", va="bottom",
        linespacing=1.5,
    )  # fmt: skip


def _method(ax: Axes, ranks: MethodRanks, place: int, depth: float, ours: bool) -> None:
    """A dot on the scale, and a line from it to the name at the side."""
    k = len(ranks.methods)
    left = place < math.ceil(k / 2)
    # Half a line apart, so that no line of the left seems to go on to the right.
    y = depth + (place if left else k - 1 - place + 0.5)
    rank, name = float(ranks.mean_ranks[place]), ranks.methods[place]
    side, out = (1 - MARGIN * k, -5) if left else (k + MARGIN * k, 5)
    colour, ink = (BLUE, BLUE) if ours else (FRAME, INK)
    ax.plot([rank, rank, side], [0, y, y], lw=1.4 if ours else 1.0, color=colour, zorder=1.5)
    ax.plot(rank, 0, "o", ms=7, color=BLUE if ours else GREY, mec="white", mew=1, zorder=4)
    ends = ("right", "left") if left else ("left", "right")
    ax.annotate(
        f"{rank:.2f}", (side, y), (-out, 2), textcoords="offset points", fontsize=SMALL,
        color=MUTED, ha=ends[1], va="bottom",
    )  # fmt: skip
    ax.annotate(
        name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…", (side, y), (out, 0),
        textcoords="offset points", fontsize=LABEL, color=ink, ha=ends[0], va="center",
    )  # fmt: skip
