"""Commands over a table on disk, each a process of its own: seconds and peak of memory."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.harness import environment, parser
from benchmarks.report import Report

__all__ = ["CLI", "measure", "measure_all", "options_of", "say_highest"]

CLI = ("-c", "from vaekit.cli import main; main()")
SMALL = 20_000
LAUNCH = """
import json, os, subprocess, sys, time
start = time.perf_counter()
with open(sys.argv[1], "w") as said:
    child = subprocess.Popen(sys.argv[2:], stdout=said)
    _, status, usage = os.wait4(child.pid, 0)
took = time.perf_counter() - start
cpu = usage.ru_utime + usage.ru_stime
print(json.dumps({"status": status, "seconds": took, "cpu": cpu, "peak_mb": usage.ru_maxrss}))
"""
"""Starts a process from a small one: Linux counts the memory of who starts it, too."""


def options_of(doc: str, words: Sequence[str] | None, *, rows: int) -> argparse.Namespace:
    """The options of such a benchmark: how many rows, and where the table is kept."""
    found = parser(doc, rounds=1)
    found.add_argument("--rows", type=int, default=rows, help="of the table")
    found.add_argument("--data", type=Path, default=None, help="folder that keeps the table")
    options = found.parse_args(words)
    if options.small:
        options.rows = SMALL
    return options


def measure_all(
    options: argparse.Namespace,
    commands: Mapping[str, Sequence[str]],
    make_table: Callable[[Path, int], None],
    *,
    name: str,
    row_bytes: int,
    after: Callable[[str, Path], Mapping[str, Any]] = lambda name, run: {},
) -> tuple[dict[str, dict[str, Any]], int]:
    """Make the table, unless it is kept, and measure each command that is asked for.

    Args:
        options: Of :func:`options_of`.
        commands: Words after the interpreter's, by what they are called; ``TABLE``, ``RUN`` and
            ``SCORES`` stand for paths.
        make_table: Writes a table of so many rows.
        name: How the table's file begins.
        row_bytes: Of a row, at most.
        after: More figures of a command, from its name and the folder RUN.

    Returns:
        The figures of each command, and the size of the table in bytes.
    """
    found: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="vaekit-benchmark-"))
        table = (options.data or Path(scratch)).resolve() / f"{name}-{options.rows}.parquet"
        if not table.exists():
            table.parent.mkdir(parents=True, exist_ok=True)
            _require_space(table.parent, options.rows * row_bytes)
            make_table(table, options.rows)
        size = table.stat().st_size
        run = Path(scratch) / "run"
        places = {
            "TABLE": str(table),
            "RUN": str(run),
            "SCORES": str(Path(scratch) / "scores.parquet"),
        }
        for label, command in commands.items():
            if options.only is None or label in options.only:
                found[label] = measure([places.get(word, word) for word in command], scratch)
                found[label] |= after(label, run)
                print(f"{label}: {found[label]}", file=sys.stderr)
    return found, size


def measure(words: Sequence[str], scratch: str) -> dict[str, Any]:
    """Seconds and peak of memory of one process.

    Raises:
        SystemExit: If it fails.
    """
    said = Path(scratch) / "said"
    launched = subprocess.run(
        [sys.executable, "-c", LAUNCH, str(said), sys.executable, *words],
        cwd=scratch,
        env=environment(scratch),
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(launched.stdout)
    if found.pop("status"):
        raise SystemExit(f"{' '.join(words)} failed")
    found["peak_mb"] *= (1 if sys.platform == "darwin" else 1024) / 1e6
    answer = said.read_text(encoding="utf-8")
    if answer.startswith("{"):
        found["pass_seconds"] = json.loads(answer)["seconds"]
    return found


def say_highest(report: Report, found: Mapping[str, Mapping[str, Any]], limit_mb: float) -> None:
    """Add which peak was the highest, and on which side of the limit it is."""
    most = max(result["peak_mb"] for result in found.values())
    verdict = "below" if most < limit_mb else "ABOVE"
    report.text(f"The highest peak is {most:,.0f} MB, {verdict} the limit of {limit_mb:,} MB.")


def _require_space(folder: Path, size: int) -> None:
    """Refuse to begin where a table of so many bytes does not fit."""
    free = shutil.disk_usage(folder).free
    if free < 1.5 * size:
        raise SystemExit(
            f"the table needs {1.5 * size / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free; "
            "choose another folder with --data, or fewer --rows"
        )
