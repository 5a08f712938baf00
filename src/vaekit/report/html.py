"""HTML from Python values: every text is escaped, every attribute is quoted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import NewType

__all__ = ["Html", "element", "join", "text"]

Html = NewType("Html", str)
"""Markup that is safe to put in a page: made by :func:`element`, :func:`text` or :func:`join`."""


def text(value: object) -> Html:
    """Any value as escaped text.

    Example:
        >>> text("a < b & 'c'")
        'a &lt; b &amp; &#x27;c&#x27;'
    """
    return Html(escape(str(value), quote=True))


def element(
    tag: str, *children: Html, attributes: Mapping[str, object] | None = None, **more: object
) -> Html:
    """An element around its children; ``class_`` names ``class``, ``aria_label`` ``aria-label``.

    Example:
        >>> element("p", text("1 < 2"), class_="note")
        '<p class="note">1 &lt; 2</p>'
        >>> element("img", alt="a", width=3)
        '<img alt="a" width="3">'
    """
    named = {
        **(attributes or {}),
        **{key.rstrip("_").replace("_", "-"): value for key, value in more.items()},
    }
    start = "".join(f' {key}="{text(value)}"' for key, value in named.items() if value is not None)
    if tag in {"img", "meta"}:
        return Html(f"<{tag}{start}>")
    return Html(f"<{tag}{start}>{''.join(children)}</{tag}>")


def join(parts: Iterable[Html]) -> Html:
    """Pieces one after the other, on lines of their own."""
    return Html("\n".join(part for part in parts if part))
