"""A table that is larger than memory should hold: one pass of training, and scores of all rows.

Makes a Parquet file of N rows of 30 float32 columns (4 latent factors and noise, row groups of a
million rows), never holding more than one row group. Then each command runs in a process of its
own, whose peak of resident memory the operating system reports, threads included.

    python -m benchmarks.stream_parquet [--rows 20000000] [--data FOLDER]
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from benchmarks.harness import environment, parser
from benchmarks.report import Report, words_of
from vaekit.data.streams import StreamData, fit_codec, open_stream

COLUMNS = 30
FACTORS = 4
GROUP = 1_000_000
BATCH = 4096
LIMIT_MB = 1_500
CLI = ("-c", "from vaekit.cli import main; main()")
TRAIN = (
    *("train", "TABLE", "--epochs", "1", "--batch-size", str(BATCH), "--latent-dim", "4"),
    *("--hidden", "64,64", "--set", "data.stream=on", "--samples", "10", "--out", "RUN"),
)
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
COMMANDS = {
    "import alone": ("-c", "import vaekit.tasks"),
    "one shuffled pass, no training": ("-m", "benchmarks.stream_parquet", "read", "TABLE"),
    "vaekit train": (*CLI, *TRAIN),
    "vaekit score, K = 1": (*CLI, "score", "RUN", "TABLE", "--samples", "1", "--out", "SCORES"),
    "vaekit score, K = 10": (*CLI, "score", "RUN", "TABLE", "--samples", "10", "--out", "SCORES"),
}


def make_table(path: Path, rows: int, *, seed: int = 0) -> None:
    """Write the table, a row group at a time."""
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((FACTORS, COLUMNS), dtype=np.float32)
    names = [f"x{i:02}" for i in range(COLUMNS)]
    schema = pyarrow.schema([(name, pyarrow.float32()) for name in names])
    partial = path.with_suffix(".partial")
    with pyarrow.parquet.ParquetWriter(
        partial, schema, compression="snappy", use_dictionary=False
    ) as writer:
        for start in range(0, rows, GROUP):
            n = min(GROUP, rows - start)
            x = rng.standard_normal((n, FACTORS), dtype=np.float32) @ mixing
            x += 0.3 * rng.standard_normal((n, COLUMNS), dtype=np.float32)
            columns = [np.ascontiguousarray(x[:, i]) for i in range(COLUMNS)]
            writer.write_table(pyarrow.table(columns, schema=schema), row_group_size=GROUP)
    partial.rename(path)


def read(path: Path) -> None:
    """One shuffled pass, as training would make it."""
    source = open_stream(path)
    data = StreamData(source, fit_codec(source))
    start = time.perf_counter()
    rows = sum(len(batch) for batch in data.epoch(BATCH, seed=0, epoch=0))
    print(json.dumps({"seconds": time.perf_counter() - start, "rows": rows}))


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


def pass_seconds(run: Path) -> float:
    """Seconds of the epoch alone, as the history of a run has them."""
    lines = (run / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return float(json.loads(lines[-1])["seconds"])


def main(words: Sequence[str] | None = None) -> None:
    """Make the table, measure, print, and write ``benchmarks/results/stream_parquet``."""
    options_of = parser(__doc__ or "", rounds=1)
    options_of.add_argument("--rows", type=int, default=20_000_000, help="of the table")
    options_of.add_argument("--data", type=Path, default=None, help="folder that keeps the table")
    options = options_of.parse_args(words)
    if options.small:
        options.rows = 20_000
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="vaekit-benchmark-"))
        table = (options.data or Path(scratch)).resolve() / f"rows-{options.rows}.parquet"
        if not table.exists():
            table.parent.mkdir(parents=True, exist_ok=True)
            require_space(table.parent, options.rows * COLUMNS * 4)
            make_table(table, options.rows)
        size = table.stat().st_size
        places = {
            "TABLE": str(table),
            "RUN": str(Path(scratch) / "run"),
            "SCORES": str(Path(scratch) / "scores.parquet"),
        }
        found = {}
        for name, command in COMMANDS.items():
            if options.only is None or name in options.only:
                found[name] = measure([places.get(word, word) for word in command], scratch)
                if name == "vaekit train":
                    found[name]["pass_seconds"] = pass_seconds(Path(places["RUN"]))
                print(f"{name}: {found[name]}", file=sys.stderr)
    report = Report("stream_parquet", title="A table read from disk", words=words_of(words))
    report.text(
        f"{options.rows:,} rows of {COLUMNS} float32 columns, {size / 1e9:.2f} GB of Parquet "
        f"(snappy, row groups of {GROUP:,} rows), pyarrow "
        f"{importlib.metadata.version('pyarrow')}; {options.rows * COLUMNS * 8 / 1e9:.1f} GB as "
        f"float64 in memory. Training: 30-64-64-4 and its mirror, batches of {BATCH}, one epoch; "
        "its command also fits the codec, measures held-out rows and draws the report."
    )
    report.table(
        "commands",
        ["command", "peak memory (MB)", "seconds", "rows/s", "rows/s of the pass", "CPU seconds"],
        [_row(name, result, options.rows) for name, result in found.items()],
    )
    most = max(result["peak_mb"] for result in found.values())
    verdict = "below" if most < LIMIT_MB else "ABOVE"
    report.text(f"The highest peak is {most:,.0f} MB, {verdict} the limit of {LIMIT_MB:,} MB.")
    report.write(options)


def _row(name: str, result: dict[str, Any], rows: int) -> list[Any]:
    inside = result.get("pass_seconds")
    return [
        name,
        result["peak_mb"],
        result["seconds"],
        None if name == "import alone" else rows / result["seconds"],
        None if inside is None else rows / inside,
        result["cpu"],
    ]


def require_space(folder: Path, size: int) -> None:
    """Refuse to begin where a table of so many bytes does not fit."""
    free = shutil.disk_usage(folder).free
    if free < 1.5 * size:
        raise SystemExit(
            f"the table needs {1.5 * size / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free; "
            "choose another folder with --data, or fewer --rows"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["read"]:
        read(Path(sys.argv[2]))
    else:
        main()
