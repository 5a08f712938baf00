"""One look for all pictures: colours, sizes of text, figures and axes.

Everything is set on the objects themselves, never through ``pyplot`` or ``rcParams``, so that
pictures can be drawn from several threads and leave no trace in the user's own session.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import matplotlib.patheffects as effects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.legend import Legend

__all__ = ["CLASS_COLOURS", "DPI", "LINE_COLOURS", "dress", "figure", "legend"]

DPI = 160

INK = "#1f2328"
MUTED = "#5f6873"
GRID = "#e7e9ec"
FRAME = "#c6cbd1"
GREY = "#a3aab4"

TITLE, LABEL, TICK, NOTE = 11.0, 10.0, 9.0, 8.5

# "Accessible color sequences for data visualization" (Petroff, 2021, arXiv:2107.02270): apart
# under every common kind of colour blindness and in lightness.
CLASS_COLOURS = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
BLUE, ORANGE, PURPLE, RED = "#2f74c0", "#e76300", "#832db6", "#bd1f01"
LINE_COLOURS = (BLUE, ORANGE, PURPLE, "#5d8f86", RED, "#717581")
DASHES = ("-", (0, (5, 1.8)), (0, (1.2, 1.4)), (0, (6, 1.5, 1.2, 1.5)))

CLASSES = ListedColormap(list(CLASS_COLOURS), name="vaekit_classes")
ERROR = LinearSegmentedColormap.from_list(
    "vaekit_error", ["#f5f5f6", "#ffd9a0", "#f08a24", "#bd1f01", "#4a0a12"]
)

HALO = [effects.withStroke(linewidth=2.6, foreground="white")]


def figure(width: float, height: float) -> Figure:
    """An empty white figure of that many inches, drawn by Agg and laid out without overlaps."""
    made = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(made)
    return made


def dress(
    ax: Axes,
    *,
    title: str = "",
    xlabel: str = "",
    ylabel: str = "",
    grid: Literal["x", "y", "both", "none"] = "y",
) -> Axes:
    """Give an axes its titles, a light grid behind the data, and a quiet frame."""
    ax.set_title(title, fontsize=TITLE, color=INK, loc="left", fontweight="bold", pad=8)
    ax.set_xlabel(xlabel, fontsize=LABEL, color=MUTED)
    ax.set_ylabel(ylabel, fontsize=LABEL, color=MUTED)
    ax.tick_params(labelsize=TICK, labelcolor=MUTED, color=FRAME, length=3, which="both")
    ax.set_axisbelow(True)
    for side, spine in ax.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(FRAME)
        spine.set_linewidth(0.8)
    if grid != "none":
        ax.grid(visible=True, axis=grid, color=GRID, linewidth=0.8, linestyle="-")
    return ax


def space(made: Figure, *, wide: float, high: float) -> None:
    """Leave these shares of an axes' size free between neighbours."""
    engine = made.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(wspace=wide, hspace=high)


def bare(ax: Axes) -> Axes:
    """Remove ticks and frame, as images want it."""
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


def legend(ax: Axes, *args: Any, **kwargs: Any) -> Legend:
    """A legend without a box, in small readable text."""
    options: dict[str, Any] = {
        "frameon": False,
        "fontsize": TICK,
        "labelcolor": INK,
        "handlelength": 1.8,
    }
    return ax.legend(*args, **(options | kwargs))


def note(ax: Axes, text: str) -> None:
    """A small remark above the upper right corner."""
    ax.annotate(
        text,
        (1, 1),
        (0, 5),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=NOTE,
        color=MUTED,
    )


def placeholder(ax: Axes, text: str) -> None:
    """Say in the middle of an empty axes why nothing is drawn."""
    bare(ax).grid(visible=False)
    ax.set(xlabel="", ylabel="")
    ax.text(
        0.5,
        0.5,
        text,
        transform=ax.transAxes,
        ha="center",
        va="center",
        fontsize=LABEL,
        color=MUTED,
    )


def outlined(ax: Axes, xy: Sequence[float], text: str, **kwargs: Any) -> None:
    """Text at a point of the data, legible over any background."""
    options: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": LABEL, "color": INK}
    ax.text(xy[0], xy[1], text, path_effects=HALO, **(options | kwargs))
