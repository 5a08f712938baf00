"""Models in the plane of rate and distortion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from vaekit.errors import ShapeError
from vaekit.metrics import frontier
from vaekit.plots import checks
from vaekit.plots.checks import Floats
from vaekit.plots.style import BLUE, FRAME, GREY, HALO, INK, NOTE, dress, figure, legend

__all__ = ["rate_distortion_plane"]

MAX_LABELS = 24
LINES = 6


def rate_distortion_plane(
    rates: ArrayLike, distortions: ArrayLike, *, labels: Sequence[str] = ()
) -> Figure:
    """Each model a dot; those that are best for some weight of the rate are joined by a line.

    Thin diagonals are models of one ELBO, −distortion − rate: better ones lie further down left.

    Args:
        rates: Nats, shape (n,).
        distortions: Nats, shape (n,).
        labels: What the models are called, for example their β.

    Raises:
        DataError: If a value is not finite, or there are no models.
        ShapeError: If the lengths differ.

    Example:
        >>> figure = rate_distortion_plane([0, 5, 6], [100, 90, 95], labels=["10", "1", "free"])
        >>> figure.axes[0].get_xlabel()
        'rate (nats)'
    """
    x = checks.finite(rates, where="rates", ndim=1)
    y = checks.finite(distortions, where="distortions", ndim=1)
    checks.same_length(len(x), y, where="distortions")
    if labels and len(labels) != len(x):
        raise ShapeError("one label for each model", expected=len(x), got=len(labels))
    best = frontier(x.tolist(), y.tolist())
    made = figure(6.4, 4.6)
    ax = dress(made.add_subplot(), xlabel="rate (nats)", ylabel="distortion (nats)", grid="none")
    others = np.setdiff1d(np.arange(len(x)), best)
    ax.plot(x[others], y[others], "o", ms=6, color=GREY, label="another model is better")
    ax.plot(x[best], y[best], "-o", lw=2, ms=7, color=BLUE, label="best for some β")
    ax.margins(0.1)
    _diagonals(ax, x, y)
    for place in zip(x, y, labels if len(labels) <= MAX_LABELS else (), strict=False):
        ax.annotate(
            place[2], place[:2], (6, 6), textcoords="offset points", fontsize=NOTE, color=INK,
            path_effects=HALO,
        )  # fmt: skip
    legend(ax, loc="upper right")
    return made


def _diagonals(ax: Axes, x: Floats, y: Floats) -> None:
    """Lines of equal rate + distortion, without a change of the limits."""
    limits = ax.get_xlim(), ax.get_ylim()
    for total in np.linspace((x + y).min(), (x + y).max(), LINES):
        ax.axline((0.0, float(total)), slope=-1, color=FRAME, linewidth=0.8, zorder=0)
    ax.set_xlim(limits[0])
    ax.set_ylim(limits[1])
