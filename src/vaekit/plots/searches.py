"""Pictures of a search for hyper-parameters: its course, what mattered, and where the best lie."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from vaekit.errors import DataError
from vaekit.plots import checks
from vaekit.plots.checks import Floats
from vaekit.plots.numbers import log_axis
from vaekit.plots.style import (
    BLUE,
    GREY,
    INK,
    LABEL,
    ORANGE,
    TICK,
    dress,
    figure,
    legend,
    note,
    space,
)

__all__ = ["parameter_importances", "parameter_slices", "search_history"]

Better = Literal["higher", "lower"]
TIME = LinearSegmentedColormap.from_list("vaekit_time", ["#c9dcf2", BLUE, "#12345f"])
COLUMNS = 4
SPAN = 6.0


def search_history(
    values: Sequence[float | None],
    complete: Sequence[bool],
    *,
    better: Better,
    ylabel: str = "",
) -> Figure:
    """The value of each trial in order, and the best so far.

    Args:
        values: One for each trial; None draws nothing.
        complete: Whether a trial came to its end; only those can be the best.
        better: Which way is better.
        ylabel: What the values are.

    Raises:
        DataError: If no trial came to its end.
        ShapeError: If the lengths differ.

    Example:
        >>> len(search_history([3.0, 1.0], [True, True], better="lower").axes)
        1
    """
    checks.same_length(len(values), complete, where="complete")
    y = np.array([math.nan if value is None else value for value in values])
    done = np.asarray(complete, bool) & ~np.isnan(y)
    if not done.any():
        raise DataError("no trial came to its end", where="values")
    at = np.arange(len(y))
    made = figure(7.2, 3.8)
    ax = dress(made.add_subplot(), xlabel="trial", ylabel=ylabel)
    ax.plot(at[~done], y[~done], "o", ms=4.5, mew=0, color=GREY, label="ended early")
    ax.plot(at[done], y[done], "o", ms=6, mew=0, color=BLUE, label="complete")
    best = (np.fmax if better == "higher" else np.fmin).accumulate(np.where(done, y, np.nan))
    ax.plot(at, best, color=ORANGE, linewidth=2, drawstyle="steps-post", label="best so far")
    _limit(ax, y[done], better)
    hidden = int((y < ax.get_ylim()[0]).sum() + (y > ax.get_ylim()[1]).sum())
    if hidden:
        note(ax, f"{hidden} poor trial{'s lie' if hidden > 1 else ' lies'} outside")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(ax, loc="lower right" if better == "higher" else "upper right")
    return made


def _limit(ax: Axes, values: Floats, better: Better) -> None:
    """Show the better half in full; very poor values would press all others together."""
    best = float(values.max() if better == "higher" else values.min())
    spread = SPAN * abs(float(np.median(values)) - best)
    worst = float(values.min() if better == "higher" else values.max())
    shown = min(abs(worst - best), spread) if spread else abs(worst - best)
    air = 0.08 * (shown or 1.0)
    far = best - shown - air if better == "higher" else best + shown + air
    near = best + air if better == "higher" else best - air
    ax.set_ylim(min(far, near), max(far, near))


def parameter_importances(shares: Mapping[str, float]) -> Figure:
    """What share each parameter has in the difference between good and poor trials.

    Raises:
        DataError: If there are no shares, or one is negative or no finite number.

    Example:
        >>> len(parameter_importances({"lr": 0.7, "beta": 0.3}).axes[0].patches)
        2
    """
    if not shares:
        raise DataError("no importances to draw", where="shares")
    values = checks.finite(list(shares.values()), where="shares", ndim=1)
    order = np.argsort(-checks.not_negative(values, where="shares"), kind="stable")
    made = figure(7.2, 1.0 + 0.42 * len(order))
    ax = dress(made.add_subplot(), grid="x")
    names = list(shares)
    ax.barh([names[i] for i in order], values[order], height=0.62, color=BLUE)
    ax.invert_yaxis()
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0, labelsize=LABEL, labelcolor=INK)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set_xlim(0, max(0.05, float(values.max()) * 1.06))
    return made


def parameter_slices(
    params: Sequence[Mapping[str, Any]],
    values: Sequence[float],
    *,
    better: Better,
    ylabel: str = "",
    logarithmic: Collection[str] = (),
) -> Figure:
    """One panel for each parameter: the value of each trial over what it had, the best marked.

    Args:
        params: Of each trial that came to its end; numbers or words.
        values: One for each trial.
        better: Which way is better.
        ylabel: What the values are.
        logarithmic: Parameters with a logarithmic axis.

    Raises:
        DataError: If a value is not finite.
        ShapeError: If the lengths differ, or there are no trials.

    Example:
        >>> trials = [{"lr": 0.1, "hidden": "8"}, {"lr": 0.01, "hidden": "4,4"}]
        >>> len(parameter_slices(trials, [1.0, 2.0], better="lower", logarithmic=["lr"]).axes)
        2
    """
    y = checks.finite(values, where="values", ndim=1)
    checks.same_length(len(y), params, where="params")
    names = list(dict.fromkeys(name for trial in params for name in trial))
    cols = min(len(names), COLUMNS)
    rows = math.ceil(len(names) / cols)
    made = figure(max(5.4, 1.0 + 2.6 * cols), 3.1 * rows)
    space(made, wide=0.03, high=0.06)
    axes = made.subplots(rows, cols, sharey=True, squeeze=False)
    best = int(y.argmax() if better == "higher" else y.argmin())
    for ax, name in zip(axes.flat, names, strict=False):
        x = _positions(ax, [trial[name] for trial in params], log=name in logarithmic)
        dress(ax, xlabel=name)
        ax.scatter(x, y, c=np.arange(len(y)), cmap=TIME, s=34, linewidths=0)
        ax.plot(x[best], y[best], "o", ms=11, mfc="none", mec=ORANGE, mew=2)
        _limit(ax, y, better)
    for ax in axes.flat[len(names) :]:
        ax.set_visible(False)
    for ax in axes[:, 0]:
        ax.set_ylabel(ylabel)
    return made


def _positions(ax: Axes, found: Sequence[Any], *, log: bool) -> Floats:
    """Where trials stand on the axis of one parameter; words stand side by side."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in found):
        x = np.asarray(found, np.float64)
        if log and x.min() > 0:
            air = max(1.1, (x.max() / x.min()) ** 0.06)
            log_axis(ax, x.min() / air, x.max() * air)
            ax.set_xlim(x.min() / air, x.max() * air)
        else:
            ax.xaxis.set_major_locator(MaxNLocator(nbins=4))
        return x
    words = sorted(set(map(str, found)))
    ax.set_xticks(range(len(words)), words)
    ax.set_xlim(-0.5, len(words) - 0.5)
    if sum(map(len, words)) > 24:
        for label in ax.get_xticklabels():
            label.set(rotation=30, ha="right", fontsize=TICK)
    return np.array([words.index(str(value)) for value in found], np.float64)
