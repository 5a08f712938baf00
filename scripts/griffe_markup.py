"""Docstrings for the reference pages: reStructuredText roles, formulas and tables as Markdown.

The docstrings read well in a terminal and an editor; the site is Markdown. This extension of
griffe, named in ``mkdocs.yml``, translates the little reStructuredText that they use.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import Any

import griffe

__all__ = ["Markup", "to_markdown"]

MATH_BLOCK = re.compile(r"^( *)\.\. math::(.*)\n((?:\1 +.*\n?|\n(?=\1 +\S))*)", re.MULTILINE)
MATH = re.compile(r":math:`([^`]+)`")
ROLE = re.compile(r":\w+:`~?(?:[\w.]*\.)?(\w+)`")
RULE = re.compile(r"^ *=+(?:  +=+)+ *$")
LINE_BLOCK = re.compile(r"^( +)\| ", re.MULTILINE)
EXAMPLE = re.compile(r"^Example:$", re.MULTILINE)
ARGS = re.compile(r"^Args:$", re.MULTILINE)


def to_markdown(text: str) -> str:
    r"""A docstring with its reStructuredText translated.

    Example:
        >>> print(to_markdown("Uses :class:`~vaekit.spec.Spec` and :math:`z`."))
        Uses `Spec` and \(z\).
    """
    text = MATH_BLOCK.sub(_formula, text)
    text = MATH.sub(lambda m: rf"\({m[1]}\)", text)
    text = ROLE.sub(r"`\1`", text)
    text = LINE_BLOCK.sub(r"\1- ", text)
    text = EXAMPLE.sub("Examples:", text)
    return "\n".join(_tables(text.split("\n")))


def _formula(match: re.Match[str]) -> str:
    indent, first, rest = match.groups()
    body = " ".join(f"{first} {textwrap.dedent(rest)}".split())
    return f"\n{indent}\\[{body}\\]\n\n"


def _tables(lines: list[str]) -> Iterator[str]:
    """Simple tables as Markdown tables: three rules, or two where there is no head."""
    while lines:
        rules = [i for i, line in enumerate(lines) if RULE.match(line)]
        if len(rules) < 2:
            yield from lines
            return
        first, second = rules[:2]
        has_head = second == first + 2 and len(rules) > 2
        last = rules[2] if has_head else second
        starts = [m.start() for m in re.finditer("=+", lines[first])]
        head = lines[first + 1] if has_head else ""
        body = lines[(second if has_head else first) + 1 : last]
        yield from lines[:first]
        yield _row(head, starts)
        yield "|" + "---|" * len(starts)
        yield from (_row(line, starts) for line in body)
        lines = lines[last + 1 :]


def _row(line: str, starts: list[int]) -> str:
    ends = [*starts[1:], len(line)]
    cells = (line[a:b].strip().replace("|", r"\|") for a, b in zip(starts, ends, strict=True))
    return f"| {' | '.join(cells)} |"


class Markup(griffe.Extension):
    """Translates every docstring; fields of specs, which have no ``__init__``, are attributes."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Once for each module, class, function and attribute."""
        if obj.docstring is None:
            return
        text = to_markdown(obj.docstring.value)
        if isinstance(obj, griffe.Class) and "__init__" not in obj.members:
            text = ARGS.sub("Attributes:", text)
        obj.docstring.value = text
