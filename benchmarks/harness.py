"""What the benchmarks share: contestants in processes of their own, in turns; medians, tables.

A benchmark is a module with a table ``CONTESTANTS``. Its parent process starts one child after
another, round by round (A B C, A B C, …), so that whatever else the machine does hits all alike. A
child is ``python -m benchmarks.harness MODULE CONTESTANT FOLDER``: it reads ``settings.json`` in
the folder and leaves ``result.json`` there. It lives no longer than its parent. A peer that is not
installed gives a row that says so.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib
import importlib.util
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = [
    "Contestant",
    "Outcome",
    "environment",
    "label",
    "located",
    "median",
    "parser",
    "race",
    "ratio",
    "run_child",
    "select",
]

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 3 * 3600.0
Settings = Mapping[str, Any]
Result = dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Contestant:
    """One way to do the work.

    Args:
        run: Settings in, measured numbers out, both ready for JSON.
        needs: The peer that must be installed; None for what comes with vaekit.
        slow: Left out of the small form.
    """

    run: Callable[[Settings], Result]
    needs: str | None = None
    slow: bool = False


@dataclasses.dataclass(slots=True)
class Outcome:
    """What one contestant measured: a result for each round, or why there is none."""

    results: list[Result] = dataclasses.field(default_factory=list)
    absent: str = ""

    def values(self, name: str) -> list[float]:
        """One number from each round."""
        return [result[name] for result in self.results if result.get(name) is not None]

    def median(self, name: str) -> float | None:
        """The median over the rounds, None where nothing was measured."""
        return median(self.values(name))


def median(values: Sequence[float]) -> float | None:
    """The median, or None of nothing.

    Example:
        >>> median([3.0, 1.0, 2.0])
        2.0
    """
    return statistics.median(values) if values else None


def ratio(value: float | None, other: float | None) -> float | None:
    """value / other, None where either was not measured."""
    return value / other if value and other else None


def label(name: str, outcome: Outcome) -> str:
    """The name of a row, with the reason where it is empty."""
    return f"{name} ({outcome.absent})" if outcome.absent else name


def located(source: str) -> str:
    """A source of data as children find it, who work in other folders."""
    return str(Path(source).resolve()) if Path(source).exists() else source


def parser(description: str, *, rounds: int = 3) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    made = argparse.ArgumentParser(description=description.splitlines()[0])
    made.add_argument("--small", action="store_true", help="a few seconds, in this process")
    made.add_argument("--no-peers", action="store_true", help="leave Pythae and Lightning out")
    made.add_argument("--only", nargs="+", default=None, help="these contestants alone")
    made.add_argument("--rounds", type=int, default=rounds, help="how often each is measured")
    made.add_argument("--out", type=Path, default=None, help="folder of the results")
    return made


def select(
    contestants: Mapping[str, Contestant], options: argparse.Namespace
) -> dict[str, Contestant]:
    """The contestants that the options ask for.

    Raises:
        SystemExit: If ``--only`` names one that does not exist.
    """
    unknown = set(options.only or ()) - set(contestants)
    if unknown:
        raise SystemExit(f"no contestant {sorted(unknown)}; there are {list(contestants)}")
    return {
        name: entry
        for name, entry in contestants.items()
        if (options.only is None or name in options.only) and not (options.small and entry.slow)
    }


def race(
    module: str,
    contestants: Mapping[str, Contestant],
    settings: Settings,
    options: argparse.Namespace,
) -> dict[str, Outcome]:
    """Let every contestant run once in each round, one after the other.

    Args:
        module: Name of the benchmark's module within ``benchmarks``.
        contestants: Those that take part, in this order.
        settings: Given to each, ready for JSON.
        options: ``rounds``, ``small`` (then everything runs in this process) and ``no_peers``.
    """
    outcomes = {name: Outcome(absent=_absence(c, options)) for name, c in contestants.items()}
    for number in range(options.rounds):
        for name, outcome in outcomes.items():
            if outcome.absent:
                continue
            run = contestants[name].run
            result = run(settings) if options.small else run_child(module, name, settings)
            if "failed" in result:
                outcome.absent = f"failed: {result['failed']}"
                continue
            outcome.results.append(result)
            if not options.small:
                print(f"round {number + 1}: {name}: {_brief(result)}", file=sys.stderr)
    return outcomes


def _absence(contestant: Contestant, options: argparse.Namespace) -> str:
    """Why a contestant cannot take part; empty when it can."""
    if contestant.needs is None:
        return ""
    if options.no_peers:
        return "left out"
    return "" if importlib.util.find_spec(contestant.needs) else "not installed"


def _brief(result: Result) -> str:
    """The numbers of a result in one line."""
    shown = {key: value for key, value in result.items() if isinstance(value, float | int)}
    return ", ".join(f"{key} {value:.4g}" for key, value in shown.items())


def environment(scratch: str) -> dict[str, str]:
    """The environment of a child: this checkout, and no compiled code of earlier children."""
    path = [str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "TORCHINDUCTOR_CACHE_DIR": str(Path(scratch) / "inductor"),
    }


def run_child(module: str, name: str, settings: Settings) -> Result:
    """One contestant in a process of its own.

    Returns:
        What it measured, or ``failed`` with the last line of what it said.
    """
    with tempfile.TemporaryDirectory(prefix="vaekit-benchmark-") as scratch:
        folder = Path(scratch)
        (folder / "settings.json").write_text(json.dumps(dict(settings)), encoding="utf-8")
        command = [sys.executable, "-m", "benchmarks.harness", module, name, scratch]
        try:
            code, said = _run_group(command, folder)
        except subprocess.TimeoutExpired:
            return {"failed": f"no result after {LONGEST:.0f} s"}
        result = folder / "result.json"
        if code or not result.is_file():
            print(said, file=sys.stderr)
            lines = said.strip().splitlines()
            return {"failed": lines[-1] if lines else f"exit code {code}"}
        found: Result = json.loads(result.read_text(encoding="utf-8"))
        return found


def _run_group(command: Sequence[str], folder: Path) -> tuple[int, str]:
    """The exit code of a child and what it said; nothing that it started outlives it.

    The child's input is a pipe that closes when this process ends, however it ends.
    """
    given, held = os.pipe()
    try:
        with subprocess.Popen(
            command,
            cwd=folder,
            env=environment(str(folder)),
            stdin=given,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as child:
            try:
                _, said = child.communicate(timeout=LONGEST)
            finally:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(child.pid, signal.SIGKILL)
            return child.returncode, said
    finally:
        os.close(given)
        os.close(held)


def _end_with_parent() -> None:
    """Wait for the end of the input, which is the parent's, then end the whole group."""
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGKILL)


def main(words: Sequence[str]) -> None:
    """A child: run one contestant and leave its result."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    module, name, scratch = words
    folder = Path(scratch)
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    contestants = importlib.import_module(f"benchmarks.{module}").CONTESTANTS
    result = contestants[name].run(settings)
    import torch

    result["threads"] = torch.get_num_threads()
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
