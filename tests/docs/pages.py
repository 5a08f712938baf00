"""The pages of the documentation as blocks of code, and how these are run."""

import re
import shlex
import textwrap
from pathlib import Path
from typing import NamedTuple

from typer.testing import CliRunner

from vaekit.cli import app

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
GENERATED = {"cli.md"}
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(path for path in DOCS.glob("*.md") if path.name not in GENERATED),
]
FENCE = re.compile(
    r"^(?P<indent> *)(?:<!-- not run(?P<skip>.*?)-->\n\s*)?```(?P<language>\w*)(?P<info>[^\n`]*)\n"
    r"(?P<body>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
TITLE = re.compile(r'\btitle="([^"]*)"')
SHELLS = {"console", "bash"}


class Block(NamedTuple):
    """A block of code.

    Attributes:
        language: What stands behind the fence.
        line: Of its first line of code, counted from 0.
        body: The code.
        skip: Why it is not run, if it is not.
        title: The file that it is an excerpt of, if it is one.
    """

    language: str
    line: int
    body: str
    skip: str | None
    title: str | None


def blocks(text):
    """All blocks of a page, in order."""
    for match in FENCE.finditer(text):
        title = TITLE.search(match["info"])
        yield Block(
            language=match["language"],
            line=text.count("\n", 0, match.start("body")),
            body=textwrap.dedent(match["body"]),
            skip=None if match["skip"] is None else match["skip"].strip(" :"),
            title=None if title is None else title[1],
        )


def blocks_to_run(text):
    """The blocks that are neither left out nor excerpts."""
    return [block for block in blocks(text) if block.skip is None and block.title is None]


def section(text, heading):
    """A page with everything blanked but the section under a heading: line numbers stay."""
    start = text.index(f"\n## {heading}\n") + 1
    end = text.find("\n## ", start)
    return "\n" * text.count("\n", 0, start) + text[start : None if end < 0 else end]


def commands(body):
    """The words after ``vaekit`` of each line that begins with it; a backslash continues it."""
    for line in body.replace("\\\n", " ").splitlines():
        if line.startswith("vaekit "):
            yield shlex.split(line, comments=True)[1:]


def run(page, chosen, namespace):
    """Run blocks of a page, one after another, in one namespace."""
    for block in chosen:
        if block.language == "python":
            exec(compile("\n" * block.line + block.body, str(page), "exec"), namespace)
        elif block.language in SHELLS:
            run_commands(page, block)


def run_commands(page, block):
    for words in commands(block.body):
        result = CliRunner().invoke(app, words)
        where = f"{page.name}, block at line {block.line + 1}: vaekit {shlex.join(words)}"
        assert result.exit_code == 0, f"{where}\n{result.output}\n{result.exception!r}"
