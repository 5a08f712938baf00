"""Pictures of a training run: its bound, rate and distortion, and the use of each dimension."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from vaekit.errors import ConfigError, DataError
from vaekit.plots import checks
from vaekit.plots.checks import Floats
from vaekit.plots.numbers import number
from vaekit.plots.style import (
    BLUE,
    GREY,
    INK,
    MUTED,
    NOTE,
    ORANGE,
    PURPLE,
    TICK,
    dress,
    figure,
    legend,
    note,
    placeholder,
    space,
)

__all__ = ["kl_per_dimension", "rate_distortion_curves"]

Record = Mapping[str, Any]
LABELLED_BARS = 40


def rate_distortion_curves(records: Sequence[Record]) -> Figure:
    """Distortion and rate (left) and the bound in training and held out (right), in nats.

    Args:
        records: One mapping for each epoch with any of ``epoch``, ``rate``, ``distortion``,
            ``elbo``, ``valid_elbo``, ``valid_rate``, ``valid_distortion`` and ``beta``. What is
            missing, None or not finite is left out of the lines.

    Raises:
        DataError: If there are no records.

    Example:
        >>> records = [{"epoch": 1, "elbo": -200.0}, {"epoch": 2, "elbo": -180.0}]
        >>> len(rate_distortion_curves(records).axes)
        3
    """
    if not records:
        raise DataError(
            "no history to draw", expected="at least one record", got=0, where="records"
        )
    made = figure(9.6, 4.2)
    axes = made.subplot_mosaic(
        [["distortion", "bound"], ["rate", "bound"]], width_ratios=[1, 1.15]
    )
    space(made, wide=0.06, high=0.04)
    _term(axes["distortion"], records, "distortion", BLUE)
    _term(axes["rate"], records, "rate", PURPLE)
    _bound(axes["bound"], records)
    if change := _change_of_beta(records):
        note(axes["rate"], change)
    return made


def _series(records: Sequence[Record], key: str) -> Floats:
    """The values of one key, NaN where a record does not have it."""
    values = (record.get(key) for record in records)
    numbers = [math.nan if value is None else float(value) for value in values]
    array = np.array(numbers, dtype=np.float64)
    return np.where(np.isfinite(array), array, np.nan)


def _epochs(records: Sequence[Record]) -> Floats:
    epochs = _series(records, "epoch")
    return np.where(np.isnan(epochs), np.arange(1.0, len(records) + 1), epochs)


def _line(ax: Axes, records: Sequence[Record], key: str, **kwargs: Any) -> bool:
    """Draw one key against the epoch; a single point gets a marker. False when there is none."""
    values = _series(records, key)
    seen = int(np.isfinite(values).sum())
    if seen:
        ax.plot(
            _epochs(records), values, linewidth=2, marker="o" if seen <= 15 else "", ms=4, **kwargs
        )
    return seen > 0


def _term(ax: Axes, records: Sequence[Record], key: str, colour: str) -> None:
    dress(ax, title=key.capitalize(), xlabel="epoch" if key == "rate" else "", ylabel="nats")
    drawn = _line(ax, records, key, color=colour, label="training")
    held = _line(ax, records, f"valid_{key}", color=ORANGE, label="held out", linestyle="--")
    if drawn and held:
        legend(ax)
    _finish(ax, drawn or held, key)


def _bound(ax: Axes, records: Sequence[Record]) -> None:
    dress(ax, title="Bound on log p(x)", xlabel="epoch", ylabel="nats, higher is better")
    drawn = _line(ax, records, "elbo", color=BLUE, label="training")
    held = _line(ax, records, "valid_elbo", color=ORANGE, label="held out", linestyle="--")
    if held:
        _mark_best(ax, _epochs(records), _series(records, "valid_elbo"))
    if drawn or held:
        legend(ax, loc="lower right")
    _finish(ax, drawn or held, "bound")


def _mark_best(ax: Axes, epochs: Floats, values: Floats) -> None:
    best = int(np.nanargmax(values))
    point = (float(epochs[best]), float(values[best]))
    ax.plot(
        *point, marker="o", ms=9, mfc="white", mec=ORANGE, mew=2, label="best", linestyle="none"
    )
    ax.annotate(
        number(point[1]),
        point,
        (0, 9),
        textcoords="offset points",
        ha="right" if best > len(values) / 2 else "left",
        fontsize=TICK,
        fontweight="bold",
        color=INK,
    )
    ax.margins(y=0.12)


def _finish(ax: Axes, drawn: bool, name: str) -> None:
    if drawn:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        ax.yaxis.set_major_locator(MaxNLocator(nbins=5))
    else:
        placeholder(ax, f"{name} was not recorded")


def _change_of_beta(records: Sequence[Record]) -> str:
    beta = _series(records, "beta")
    beta = beta[np.isfinite(beta)]
    if not len(beta) or beta.min() == beta.max():
        return ""
    return f"β from {number(float(beta[0]), 3)} to {number(float(beta[-1]), 3)}"


def kl_per_dimension(kl: ArrayLike, *, threshold: float = 0.01, part: str = "dimension") -> Figure:
    """Rate of each latent dimension, largest first, with the threshold above which it is active.

    Args:
        kl: Mean KL of each dimension in nats, shape ``(latent_dim,)``.
        threshold: A dimension is active when its KL is above this many nats.
        part: What ``kl`` has a number for, where that is not a dimension: a group of them.

    Raises:
        ConfigError: If the threshold is negative.
        DataError: If a value is not finite.
        ShapeError: If ``kl`` is not one row of numbers.

    Example:
        >>> len(kl_per_dimension([0.0, 2.1, 0.7]).axes[0].patches)
        3
    """
    values = checks.finite(kl, where="kl", ndim=1)
    if threshold < 0:
        raise ConfigError(
            "negative threshold", expected="0 or more", got=threshold, where="threshold"
        )
    order = np.argsort(-values, kind="stable")
    active = values[order] > threshold
    made = figure(min(9.6, max(4.4, 1.8 + 0.3 * len(values))), 3.4)
    ax = dress(made.add_subplot(), xlabel=f"latent {part}, by rate", ylabel="rate (nats)")
    colours = [BLUE if a else GREY for a in active]
    thin = len(values) > LABELLED_BARS
    at = np.arange(1, len(values) + 1)
    ax.bar(at, values[order], width=1.0 if thin else 0.72, color=colours)
    ax.axhline(threshold, color=MUTED, linewidth=1, linestyle=(0, (4, 2)))
    note(
        ax, f"{int(active.sum())} of {len(values)} active (above {number(threshold)} nats, dashed)"
    )
    ax.set_xlim(0.3, len(values) + 0.7)
    if not thin:
        letter = "z" if part == "dimension" else ""
        ax.set_xticks(at, [f"{letter}{i + 1}" for i in order])
        ax.tick_params(axis="x", length=0, labelsize=TICK if len(values) <= 20 else NOTE - 1.5)
    return made
