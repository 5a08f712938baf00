"""Pictures of tables: marginals of real and sampled rows, and rows beside reconstructions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from vaekit.errors import ShapeError
from vaekit.plots import checks
from vaekit.plots.checks import Floats
from vaekit.plots.style import BLUE, MUTED, NOTE, ORANGE, TICK, dress, figure, note

__all__ = ["marginals", "profile"]

MAX_PANELS = 12
MAX_ROWS = 4
BINS = 30
NAMED_COLUMNS = 24


def marginals(
    original: ArrayLike, sampled: ArrayLike, columns: Sequence[str] | None = None
) -> Figure:
    """Histograms of the first twelve columns, real and sampled rows on the same bins.

    Args:
        original: Real rows, shape ``(n, columns)``.
        sampled: Rows from the model, shape ``(m, columns)``.
        columns: Their names.

    Raises:
        DataError: If a value is not finite.
        ShapeError: If the numbers of columns differ.

    Example:
        >>> len(marginals(np.eye(3), np.ones((5, 3)), ["a", "b", "c"]).axes)
        3
    """
    real = checks.finite(original, where="original", ndim=2)
    fake = checks.finite(sampled, where="sampled", ndim=2)
    names = _names(real, fake, columns, where="sampled")
    shown = min(real.shape[1], MAX_PANELS)
    cols = min(shown, 4)
    rows = math.ceil(shown / cols)
    made = figure(max(2.4 * cols, 4.4), 1.9 * rows + 0.4)
    for i in range(shown):
        ax = made.add_subplot(rows, cols, i + 1)
        dress(ax, grid="none").set_title(names[i], fontsize=TICK + 0.5, loc="left")
        _histograms(ax, real[:, i], fake[:, i])
    _shared_legend(made, "original", "sampled")
    if shown < len(names):
        made.supxlabel(f"first {shown} of {len(names)} columns", fontsize=NOTE, color=MUTED)
    return made


def _names(a: Floats, b: Floats, columns: Sequence[str] | None, *, where: str) -> list[str]:
    if a.shape[1] != b.shape[1]:
        raise ShapeError(
            "numbers of columns differ", expected=a.shape[1], got=b.shape[1], where=where
        )
    if columns is None:
        return [f"column {i + 1}" for i in range(a.shape[1])]
    checks.same_length(a.shape[1], columns, where="columns")
    return [name if len(name) <= 26 else f"{name[:25]}…" for name in map(str, columns)]


def _histograms(ax: Axes, real: Floats, fake: Floats) -> None:
    edges = bin_edges(real, fake)
    share = [np.histogram(v, edges)[0] / len(v) for v in (real, fake)]
    ax.stairs(share[0], edges, fill=True, color=BLUE, alpha=0.35, linewidth=0, label="original")
    ax.stairs(share[1], edges, color=ORANGE, linewidth=1.6, label="sampled")
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_ylim(0, max(s.max() for s in share) * 1.08)
    ax.locator_params(axis="x", nbins=4)


def bin_edges(real: Floats, fake: Floats) -> Floats:
    """Edges over both sets of values, around each whole number where the real ones are whole.

    Example:
        >>> bin_edges(np.array([0.0, 1.0]), np.array([0.2]))
        array([-0.5,  0.5,  1.5])
    """
    low = float(min(real.min(), fake.min()))
    high = float(max(real.max(), fake.max()))
    if (real == real.round()).all() and high - low <= BINS:
        return np.arange(math.floor(low), math.ceil(high) + 2, dtype=np.float64) - 0.5
    if high == low:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, BINS + 1, dtype=np.float64)


def profile(
    originals: ArrayLike, recons: ArrayLike, columns: Sequence[str] | None = None
) -> Figure:
    """The first four rows across their columns, with their reconstructions.

    Args:
        originals: Rows, shape ``(n, columns)``: a table, spectra, signals.
        recons: Their reconstructions, the same shape.
        columns: Names of the columns.

    Raises:
        DataError: If a value is not finite.
        ShapeError: If the shapes differ.

    Example:
        >>> len(profile(np.zeros((2, 5)), np.ones((2, 5))).axes)
        2
    """
    x = checks.finite(originals, where="originals", ndim=2)
    y = checks.finite(recons, where="recons", ndim=2)
    checks.same_shape(x, y, where="recons")
    names = _names(x, y, columns, where="recons")
    shown = min(len(x), MAX_ROWS)
    made = figure(8.6, 1.5 * shown + 1.0)
    axes = made.subplots(shown, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for i, ax in enumerate(axes):
        dress(ax, ylabel=f"row {i + 1}")
        _line_pair(ax, x[i], y[i])
    _name_columns(axes[-1], names, named=columns is not None)
    _shared_legend(made, "original", "reconstruction")
    if shown < len(x):
        note(axes[0], f"first {shown} of {len(x):,} rows")
    return made


def _line_pair(ax: Axes, x: Floats, y: Floats) -> None:
    at = np.arange(1, len(x) + 1)
    marker = "o" if len(x) <= NAMED_COLUMNS else ""
    ax.plot(at, x, color=BLUE, linewidth=1.8, marker=marker, ms=4, label="original")
    dash = (0, (4, 1.6))
    ax.plot(at, y, color=ORANGE, linewidth=1.5, linestyle=dash, label="reconstruction")
    ax.margins(x=0.01 if len(x) > NAMED_COLUMNS else 0.03)


def _name_columns(ax: Axes, names: list[str], *, named: bool) -> None:
    if not named or len(names) > NAMED_COLUMNS:
        ax.set_xlabel("column")
        return
    ax.set_xticks(np.arange(1, len(names) + 1), names)
    if sum(map(len, names)) > 90:
        ax.tick_params(axis="x", rotation=45)
        for label in ax.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")


def _shared_legend(made: Figure, *names: str) -> None:
    handles, labels = made.axes[0].get_legend_handles_labels()
    chosen = [handles[labels.index(name)] for name in names]
    made.legend(
        chosen, names, loc="outside upper left", ncols=len(names), frameon=False, fontsize=TICK
    )
