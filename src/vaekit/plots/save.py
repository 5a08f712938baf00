"""Figures as PNG: the same data gives the same bytes, and no file is ever half written."""

from __future__ import annotations

import io
import os
from pathlib import Path

from matplotlib.figure import Figure

from vaekit.files import write_bytes
from vaekit.plots.style import DPI

__all__ = ["save", "to_png"]


def to_png(figure: Figure) -> bytes:
    """The figure as PNG bytes without dates or versions in its metadata.

    Example:
        >>> to_png(Figure(figsize=(1, 1)))[1:4]
        b'PNG'
    """
    buffer = io.BytesIO()
    figure.savefig(
        buffer,
        format="png",
        dpi=DPI,
        bbox_inches="tight",
        pad_inches=0.12,
        metadata={"Software": None},
    )
    return buffer.getvalue()


def save(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write the figure as PNG under a temporary name, then rename it to ``path``.

    Args:
        figure: The picture.
        path: The file; missing parent folders are made.

    Returns:
        The path written.
    """
    return write_bytes(Path(path), to_png(figure))
