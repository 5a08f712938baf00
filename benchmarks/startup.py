"""Seconds until something happens: imports, help, and the first step of ``vaekit train digits``.

Every command is a fresh process; the commands take turns. The step is counted from the start of
the process to the end of the first optimiser step, with nothing compiled before it where the row
says cold, and with what an earlier process has compiled where it says warm.

    python -m benchmarks.startup [--rounds 5]
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import Outcome, environment, label, parser
from benchmarks.report import Report, words_of

FIRST_STEP = """
import os, sys
from vaekit.cli import main
from vaekit.training import Display
Display.on_step = lambda self, *, step: os._exit(0)
sys.argv = ["vaekit", "train", "digits", "--out", sys.argv[1], *sys.argv[2:]]
main()
sys.exit("no step was made")
"""
"""The command as a user types it; the display ends the process after the first step."""


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """Something to start.

    Args:
        words: After the name of the interpreter; a trailing ``FOLDER`` is an empty folder.
        needs: The peer that must be installed.
        warm: Whether it finds what earlier processes compiled.
        slow: Left out of the small form.
    """

    words: Sequence[str]
    needs: str | None = None
    warm: bool = False
    slow: bool = False


def _imports(module: str) -> Sequence[str]:
    return ("-c", f"import {module}")


def _first_step(compiled: str) -> Sequence[str]:
    return ("-c", FIRST_STEP, "FOLDER", "--set", f"training.speed.compile={compiled}")


HELP = ("-c", "import sys; sys.argv = ['vaekit', '--help']; from vaekit.cli import main; main()")
COMMANDS = {
    "python, nothing else": Command(("-c", "pass")),
    "import torch": Command(_imports("torch")),
    "import pythae.models": Command(_imports("pythae.models"), needs="pythae"),
    "import lightning": Command(_imports("lightning"), needs="lightning"),
    "import vaekit": Command(_imports("vaekit")),
    "import vaekit.tasks": Command(_imports("vaekit.tasks")),
    "vaekit --help": Command(HELP),
    "vaekit train digits: first step, eager": Command(_first_step("off")),
    "first step, compiled, cold": Command(_first_step("on"), slow=True),
    "first step, compiled, warm": Command(_first_step("on"), warm=True, slow=True),
}


def seconds(command: Command, warm: str) -> float:
    """Seconds from start to end of one process.

    Args:
        command: What to start.
        warm: The folder of compiled code that warm commands share.

    Raises:
        subprocess.CalledProcessError: If the process fails.
    """
    with tempfile.TemporaryDirectory(prefix="vaekit-benchmark-") as scratch:
        words = [str(Path(scratch) / "run") if w == "FOLDER" else w for w in command.words]
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, *words],
            cwd=scratch,
            env=environment(warm if command.warm else scratch),
            capture_output=True,
            check=True,
        )
        return time.perf_counter() - start


def measure(options: argparse.Namespace) -> dict[str, Outcome]:
    """Every command once in each round, after a round that only fills the disk's cache."""
    wanted = {
        name: command
        for name, command in COMMANDS.items()
        if (options.only is None or name in options.only) and not (options.small and command.slow)
    }
    outcomes = {name: Outcome() for name in wanted}
    with tempfile.TemporaryDirectory(prefix="vaekit-benchmark-") as warm:
        for number in range(0 if options.small else -1, options.rounds):
            for name, command in wanted.items():
                if command.needs and (options.no_peers or not _installed(command.needs)):
                    outcomes[name].absent = "left out" if options.no_peers else "not installed"
                    continue
                if number < 0 and command.slow and not command.warm:
                    continue
                took = seconds(command, warm)
                if number >= 0:
                    outcomes[name].results.append({"seconds": took})
                if not options.small:
                    print(f"round {number + 1}: {name}: {took:.2f} s", file=sys.stderr)
    return outcomes


@functools.cache
def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print, and write ``benchmarks/results/startup``."""
    options = parser(__doc__ or "", rounds=5).parse_args(words)
    if options.small:
        options.rounds = 1
    outcomes = measure(options)
    report = Report("startup", title="Time to import and to the first step", words=words_of(words))
    report.text(
        f"Medians of {options.rounds} fresh process(es) each, in turns, their files in the disk's "
        "cache. Cold: nothing compiled before; warm: an earlier process compiled the same."
    )
    torch = outcomes["import torch"].median("seconds") if "import torch" in outcomes else None
    table = []
    for name, outcome in outcomes.items():
        took, values = outcome.median("seconds"), outcome.values("seconds")
        beyond = took - torch if took and torch and took >= torch else None
        table.append([label(name, outcome), took, min(values, default=None), beyond])
    report.table("seconds", ["command", "median (s)", "fastest (s)", "beyond torch (s)"], table)
    report.runs(outcomes)
    report.write(options)


if __name__ == "__main__":
    main()
