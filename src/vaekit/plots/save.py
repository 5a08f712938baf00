"""Figures as PNG: the same data gives the same bytes, and no file is ever half written."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

from matplotlib.figure import Figure

from vaekit.plots.style import DPI

__all__ = ["save", "to_png", "write_whole"]


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
    return write_whole(path, to_png(figure))


def write_whole(path: str | os.PathLike[str], content: bytes) -> Path:
    """Write a file so that a reader sees the old content or the new, never a part of it."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target
