"""Print the reference of the command line as Markdown, from the commands themselves.

``python scripts/cli_reference.py > docs/cli.md`` writes the page; a test keeps it up to date.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from typing import Any

import typer

HEADER = """\
# Command line

*This page is generated from `--help` by `scripts/cli_reference.py`; do not edit it.*
"""
ESCAPED_PIPE = "\\|"


def reference(app: Any) -> str:
    """The Markdown page of a typer application."""
    lines = [HEADER, *_command(typer.main.get_command(app), "vaekit", level=1)]
    return "\n".join(lines).rstrip() + "\n"


def _command(command: Any, path: str, *, level: int) -> Iterator[str]:
    """One command as blocks of Markdown, then its sub-commands."""
    context = typer.Context(command, info_name=path)
    if level > 1:
        yield f"{'#' * level} {path}\n"
    yield f"{_clean(command.help)}\n"
    yield f"```\n{path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    rows = [_row(*record) for record in _records(command, context)]
    if rows:
        yield "| name | meaning |\n|---|---|"
        yield "\n".join(rows) + "\n"
    for name, child in getattr(command, "commands", {}).items():
        if not child.hidden:
            yield from _command(child, f"{path} {name}", level=level + 1)


def _records(command: Any, context: Any) -> Iterator[tuple[str, str]]:
    """What ``--help`` says of each argument and option: its name and its meaning."""
    for param in command.params:
        record = None if param.hidden else param.get_help_record(context)
        if record is not None:
            yield record


def _row(name: str, meaning: str) -> str:
    cells = (f"`{_clean(name)}`", _clean(meaning))
    return f"| {' | '.join(cell.replace('|', ESCAPED_PIPE) for cell in cells)} |"


def _clean(text: str | None) -> str:
    """One paragraph: line breaks within it are of no meaning, nor are escapes for a terminal."""
    return " ".join(inspect.cleandoc(text or "").split()).replace("\\[", "[")


def main() -> int:
    """Print the page of the installed command line."""
    sys.stdout.write(reference(importlib.import_module("vaekit.cli").app))
    return 0


if __name__ == "__main__":
    sys.exit(main())
