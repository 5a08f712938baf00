"""Pictures of a report: PNG bytes inside the page, with titles, captions and alternative text."""

from __future__ import annotations

import base64
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from vaekit.errors import DataError
from vaekit.plots import to_png
from vaekit.plots.style import DPI
from vaekit.report.html import Html, element, join, text

__all__ = ["Exhibit", "Source", "gallery"]

Source = Figure | bytes | str | os.PathLike[str]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CSS_DPI = 100
WIDE, LARGE = 1.7, 780  # width over height, or CSS pixels, above which a picture has its own row


@dataclasses.dataclass(frozen=True)
class Exhibit:
    """What one ``<figure>`` shows: PNG bytes with their title and caption."""

    title: str
    caption: str
    content: bytes

    @classmethod
    def read(cls, title: str, caption: str, source: Source) -> Exhibit:
        """A picture from a figure, PNG bytes or a PNG file.

        Raises:
            DataError: If the source is not a PNG, or cannot be read.
        """
        return cls(title, caption, read_png(source, where=title))

    @property
    def wide(self) -> bool:
        """Whether it needs the whole width of the page."""
        width, height = png_size(self.content)
        return width > WIDE * height or width * CSS_DPI > LARGE * DPI


def gallery(pictures: Sequence[Exhibit]) -> Html:
    """Wide pictures in rows of their own, the others in pairs; an odd last one stands alone."""
    if not pictures:
        return Html("")
    narrow = [p for p in pictures if not p.wide]
    alone = narrow[-1] if len(narrow) % 2 else None
    figures = [_figure(p, full=p.wide or p is alone) for p in pictures]
    return element("div", join(figures), class_="gallery")


def _figure(shown: Exhibit, *, full: bool) -> Html:
    width, height = (size * CSS_DPI // DPI for size in png_size(shown.content))
    image = element(
        "img",
        src=f"data:image/png;base64,{base64.b64encode(shown.content).decode('ascii')}",
        alt=f"{shown.title}. {shown.caption}" if shown.caption else shown.title,
        width=width,
        height=height,
        class_="wide" if shown.wide else None,
    )
    return element(
        "figure",
        element("h3", text(shown.title)),
        element("div", image, class_="canvas", tabindex=0 if shown.wide else None),
        element("figcaption", text(shown.caption)) if shown.caption else Html(""),
        class_="full" if full else "half",
    )


def read_png(source: Source, *, where: str) -> bytes:
    """The bytes of a figure or PNG file."""
    if isinstance(source, Figure):
        return to_png(source)
    content = source if isinstance(source, bytes) else _read_file(Path(source), where=where)
    if not content.startswith(SIGNATURE) or len(content) < 24:
        name = "bytes" if isinstance(source, bytes) else str(source)
        raise DataError("not a PNG image", got=name, where=where)
    return content


def _read_file(path: Path, *, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError("the picture cannot be read", got=error, where=where) from error


def png_size(content: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the header."""
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
