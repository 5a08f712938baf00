"""Results of a benchmark: tables for people, all values as JSON, and the machine they are from."""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.record import Page, processor

from benchmarks.harness import Outcome
from vaekit.files import write_bytes, write_json

__all__ = ["Report", "machine"]

FOLDER = Path(__file__).resolve().parent / "results"
PACKAGES = ("torch", "numpy", "vaekit", "pythae", "lightning")
SMALL = "**The small form, all in one process: its numbers mean nothing.**"
PRIVATE = ("--data", "--out")
"""Options whose value is a path of this machine."""


class Report(Page):
    """Collects tables and writes them in one go.

    Args:
        name: Of the files.
        title: Heading of the page.
        words: The command's words after the module's name.
        module: The benchmark's module, where its name is another.
    """

    def __init__(
        self, name: str, *, title: str, words: Sequence[str], module: str | None = None
    ) -> None:
        super().__init__()
        self.name = name
        self.title = title
        if "--small" in words:
            self.text(SMALL)
        self.facts = machine(f"python -m benchmarks.{module or name}", words)

    def cell(self, value: Any) -> str:
        """A value in a table: as many digits as a noisy machine deserves."""
        if not isinstance(value, float):
            return super().cell(value)
        digits = 3 if abs(value) < 100 else 4 if abs(value) < 1_000 else 0
        return f"{value:.{digits}g}" if digits else f"{value:,.0f}"

    def runs(self, outcomes: Mapping[str, Outcome], *, name: str = "runs") -> None:
        """All values of all rounds, for the JSON file; notes of the contestants for the page."""
        self.values[name] = {
            key: outcome.absent or outcome.results for key, outcome in outcomes.items()
        }
        for key, outcome in outcomes.items():
            notes = dict.fromkeys(r["note"] for r in outcome.results if r.get("note"))
            self.lines += [f"- {key}: {note}" for note in notes]
            threads = {r["threads"] for r in outcome.results if "threads" in r}
            self.facts["threads"] = max([self.facts["threads"], *threads])
        self.lines.append("")

    def write(self, options: argparse.Namespace) -> None:
        """Print the page; write it and the values, unless it is the small form's."""
        folder = options.out or (None if options.small else FOLDER)
        facts = self.facts
        versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
        head = [
            f"# {self.title}",
            "",
            f"`{facts['command']}` on {facts['date']}: {facts['threads']} of {facts['cores']} "
            f"cores of {facts['processor']}, load {facts['load']} at the start, "
            f"Python {facts['python']}, {versions}.",
            "",
        ]
        page = "\n".join([*head, *self.lines]).rstrip() + "\n"
        print(page)
        if folder is not None:
            write_bytes(folder / f"{self.name}.md", page.encode())
            write_json(folder / f"{self.name}.json", {**facts, **self.values})


def machine(command: str, words: Sequence[str]) -> dict[str, Any]:
    """Command, date, processor and versions."""
    import torch

    return {
        "command": " ".join([command, *_public(words)]),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {name: version for name in PACKAGES if (version := _version(name))},
    }


def words_of(words: Sequence[str] | None) -> list[str]:
    """The command's words: those given, else the process's own."""
    return list(sys.argv[1:] if words is None else words)


def _public(words: Sequence[str]) -> list[str]:
    kept, skip = [], False
    for word in words:
        if not skip and word not in PRIVATE:
            kept.append(f'"{word}"' if " " in word else word)
        skip = word in PRIVATE
    return kept


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
