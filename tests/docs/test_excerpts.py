"""Code that a page quotes from the source stands there, word for word."""

import re
import textwrap

import pytest
from tests.docs.pages import DOCS, PAGES, ROOT, blocks

GAP = re.compile(r"^ *# …\n", re.MULTILINE)
EXCERPTS = [
    pytest.param(block, id=f"{page.name}:{block.line}")
    for page in PAGES
    for block in blocks(page.read_text(encoding="utf-8"))
    if block.title is not None
]


def missing(excerpt, source):
    """The pieces of an excerpt, between its gaps, that do not follow one another in a source.

    A piece may be indented less than in the source, by the same for all its lines.
    """
    lines, at, lost = source.splitlines(), 0, []
    for piece in GAP.split(excerpt):
        wanted = textwrap.dedent(piece).rstrip("\n").splitlines()
        found = next((i for i in range(at, len(lines)) if _stands_at(i, wanted, lines)), None)
        if found is None:
            lost.append(piece)
        else:
            at = found + len(wanted)
    return lost


def _stands_at(start, wanted, lines):
    if not wanted[0] or not lines[start].endswith(wanted[0]):
        return False
    indent = lines[start].removesuffix(wanted[0])
    shifted = [f"{indent}{line}" if line else "" for line in wanted]
    return not indent.strip() and lines[start : start + len(wanted)] == shifted


@pytest.mark.parametrize("block", EXCERPTS)
def test_an_excerpt_stands_in_the_source(block):
    assert missing(block.body, (ROOT / block.title).read_text(encoding="utf-8")) == []


def test_the_concepts_are_shown_beside_their_code():
    titles = [block.title for block in blocks((DOCS / "concepts.md").read_text(encoding="utf-8"))]
    packages = {title.split("/")[2] for title in titles if title is not None}
    assert packages >= {"distributions", "likelihoods", "metrics", "models", "objectives"}


SOURCE = "def f(x):\n    if x:\n        return 1\n\n    y = x\n    return y\n"


@pytest.mark.parametrize(
    ("excerpt", "lost"),
    [
        ("if x:\n    return 1\n", []),
        ("if x:\n    return 1\n# …\nreturn y\n", []),
        ("    return 1\n\ny = x\n", []),
        ("if x:\n    return 2\n", ["if x:\n    return 2\n"]),
        ("if x:\nreturn 1\n", ["if x:\nreturn 1\n"]),
        ("return y\n# …\nif x:\n", ["if x:\n"]),
        ("x\n", ["x\n"]),
        ("return\n", ["return\n"]),
    ],
)
def test_what_is_not_in_the_source_is_found(excerpt, lost):
    assert missing(excerpt, SOURCE) == lost
