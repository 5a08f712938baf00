"""A table that is larger than memory should hold: one pass of training, and scores of all rows.

Makes a Parquet file of N rows of 30 float32 columns (4 latent factors and noise, row groups of a
million rows), never holding more than one row group. Then each command runs in a process of its
own, whose peak of resident memory the operating system reports, threads included.

    python -m benchmarks.stream_parquet [--rows 20000000] [--data FOLDER]
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from benchmarks.on_disk import CLI, measure_all, options_of, say_highest
from benchmarks.report import Report, words_of
from vaekit.data.streams import StreamData, fit_codec, open_stream

COLUMNS = 30
FACTORS = 4
GROUP = 1_000_000
BATCH = 4096
LIMIT_MB = 1_500
TRAIN = (
    *("train", "TABLE", "--epochs", "1", "--batch-size", str(BATCH), "--latent-dim", "4"),
    *("--hidden", "64,64", "--set", "data.stream=on", "--samples", "10", "--out", "RUN"),
)
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


def _inside(name: str, run: Path) -> dict[str, Any]:
    """Seconds of the epoch alone, as the history of a run has them."""
    if name != "vaekit train":
        return {}
    lines = (run / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return {"pass_seconds": float(json.loads(lines[-1])["seconds"])}


def main(words: Sequence[str] | None = None) -> None:
    """Make the table, measure, print, and write ``benchmarks/results/stream_parquet``."""
    options = options_of(__doc__ or "", words, rows=20_000_000)
    found, size = measure_all(
        options,
        COMMANDS,
        make_table,
        name="rows",
        row_bytes=COLUMNS * 4,
        after=_inside,
    )
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
    say_highest(report, found, LIMIT_MB)
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


if __name__ == "__main__":
    if sys.argv[1:2] == ["read"]:
        read(Path(sys.argv[2]))
    else:
        main()
