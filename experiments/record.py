"""Results of an experiment: figures as JSON and Markdown, with the command that made them."""

from __future__ import annotations

import argparse
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from vaekit.files import write_bytes, write_json
from vaekit.plots import save
from vaekit.version import __version__

__all__ = ["MNIST", "Page", "Results", "default_mnist", "parser", "processor", "scratch"]

HERE = Path(__file__).resolve().parent
MNIST = HERE.parent.parent / "shared" / "data" / "images" / "mnist.npz"


def default_mnist() -> str:
    """A local copy of MNIST where there is one, else its public original."""
    return str(MNIST) if MNIST.is_file() else "openml:mnist_784"


def parser(description: str) -> argparse.ArgumentParser:
    """The options that every experiment has."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--small", action="store_true", help="a few seconds on the bundled digits")
    made.add_argument("--data", default=None, help="another source")
    made.add_argument("--out", type=Path, default=None, help="folder of the results")
    return made


def scratch() -> Path:
    """A temporary folder for runs that are not kept."""
    return Path(tempfile.mkdtemp(prefix="vaekit-experiment-"))


class Page:
    """Paragraphs and tables, as Markdown for people and as values for JSON."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.values: dict[str, Any] = {}

    def text(self, paragraph: str) -> None:
        """A paragraph of Markdown."""
        self.lines += [paragraph, ""]

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """A table, for people and as JSON."""
        self.values[name] = [dict(zip(columns, row, strict=True)) for row in rows]
        self.lines += [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
        self.lines += [f"| {' | '.join(self.cell(value) for value in row)} |" for row in rows]
        self.lines.append("")

    def cell(self, value: Any) -> str:
        """A value in a table."""
        if value is None:
            return "\N{EN DASH}"
        return f"{value:.4g}" if isinstance(value, float) else str(value)


class Results(Page):
    """Collects what an experiment shows, and writes it in one go.

    Args:
        name: Of the experiment.
        folder: Where to write; by default ``experiments/results/NAME``.
        title: Heading of the page.
    """

    def __init__(self, name: str, folder: Path | None, *, title: str) -> None:
        super().__init__()
        self.name = name
        self.folder = folder or HERE / "results" / name
        self.title = title
        self.start = time.perf_counter()

    def picture(self, name: str, caption: str, figure: Any) -> None:
        """A picture with its caption."""
        save(figure, self.folder / f"{name}.png")
        self.lines += [f"![{caption}]({name}.png)", "", f"*{caption}*", ""]

    def write(self, **facts: Any) -> Path:
        """Write ``README.md`` and ``results.json``; returns the folder."""
        seconds = time.perf_counter() - self.start
        command = " ".join(["python -m", f"experiments.{self.name}", *_arguments()])
        made = {
            "command": command,
            "seconds": round(seconds, 1),
            "vaekit": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "threads": torch.get_num_threads(),
            "processor": processor(),
            **facts,
        }
        head = [f"# {self.title}", "", f"`{command}`: {seconds:.0f} s in all on {_machine()}.", ""]
        write_bytes(self.folder / "README.md", "\n".join([*head, *self.lines]).encode())
        write_json(self.folder / "results.json", {**made, **self.values})
        print(f"{self.folder / 'README.md'} ({seconds:.0f} s)")
        return self.folder


def remove(folder: Path) -> None:
    """Delete a scratch folder."""
    shutil.rmtree(folder, ignore_errors=True)


def _arguments() -> list[str]:
    """The command's words, without paths of this machine."""
    words = sys.argv[1:]
    return [] if "--out" in words or "--data" in words else words


def _machine() -> str:
    return (
        f"{torch.get_num_threads()} threads of {processor()}, "
        f"torch {torch.__version__}, vaekit {__version__}"
    )


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "an unnamed processor"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
