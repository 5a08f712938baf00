"""Anomalies in a mixed table larger than memory should hold: one pass of training, and all scores.

Makes a Parquet file of N rows of 30 columns (14 numbers, 3 amounts with zeros, 3 counts, 3
Booleans, 5 texts of up to 2,000 categories, a timestamp and a grade; a tenth of two columns is
missing), never holding more than one row group. Then each command runs in a process of its own,
whose peak of resident memory the operating system reports, threads included.

    python -m benchmarks.detect_stream [--rows 10000000] [--data FOLDER]
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from benchmarks.on_disk import CLI, measure_all, options_of, say_highest
from benchmarks.report import Report, words_of

COLUMNS = 30
GROUP = 500_000
BATCH = 2048
LIMIT_MB = 2_000
FACTORS = 3
CATEGORIES = (5, 12, 40, 300, 2_000)
TYPES = [f"amount{i}=zero-inflated" for i in range(3)] + [f"count{i}=count" for i in range(3)]
TRAIN = (
    *("detect", "train", "TABLE", "--out", "RUN", "--epochs", "1", "--batch-size", str(BATCH)),
    *(word for name in TYPES for word in ("--types", name)),
    *("--types", "grade=ordinal:levels=A,B,C,D,E"),
)
COMMANDS = {
    "import alone": ("-c", "import vaekit.tasks.detection"),
    "vaekit detect train": (*CLI, *TRAIN),
    "vaekit detect score": (*CLI, "detect", "score", "RUN", "TABLE", "--out", "SCORES"),
}


def some_rows(rng: np.random.Generator, n: int, mixing: np.ndarray) -> pyarrow.Table:
    """Rows whose columns all follow from a few factors."""
    factors = rng.standard_normal((n, FACTORS), dtype=np.float32)
    x = factors @ mixing + 0.5 * rng.standard_normal((n, COLUMNS), dtype=np.float32)
    columns: dict[str, Any] = {f"x{i:02}": x[:, i] for i in range(14)}
    for i in range(2):
        columns[f"x{i:02}"] = np.where(rng.random(n) < 0.1, np.nan, x[:, i])
    for i in range(3):
        amount = np.exp(x[:, 14 + i]).round(2)
        columns[f"amount{i}"] = np.where(x[:, 17 + i] < 0, 0.0, amount)
        columns[f"count{i}"] = rng.poisson(np.exp(1 + 0.5 * x[:, 20 + i].clip(-4, 4)))
        columns[f"flag{i}"] = x[:, 23 + i] > 0
    for i, size in enumerate(CATEGORIES):
        place = np.floor(np.abs(x[:, 26 + i % 3]) * size / 3).astype(np.int32) % size
        names = pyarrow.array([f"category {k}" for k in range(size)])
        columns[f"text{i}"] = pyarrow.DictionaryArray.from_arrays(place, names).cast("string")
    seconds = rng.integers(0, 180, n) * 86_400 + (9 + 3 * np.abs(x[:, 28])) * 3_600
    columns["time"] = pyarrow.array((1_700_000_000 + seconds).astype(np.int64)).cast(
        pyarrow.timestamp("s")
    )
    grade = np.digitize(x[:, 29], (-1.5, -0.5, 0.5, 1.5)).astype(np.int32)
    letters = pyarrow.array(list("ABCDE"))
    columns["grade"] = pyarrow.DictionaryArray.from_arrays(grade, letters).cast("string")
    return pyarrow.table(columns)


def make_table(path: Path, rows: int, *, seed: int = 0) -> None:
    """Write the table, a row group at a time."""
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((FACTORS, COLUMNS), dtype=np.float32)
    partial = path.with_suffix(".partial")
    with ExitStack() as stack:
        writer = None
        for start in range(0, rows, GROUP):
            table = some_rows(rng, min(GROUP, rows - start), mixing)
            if writer is None:
                made = pyarrow.parquet.ParquetWriter(partial, table.schema)
                writer = stack.enter_context(made)
            writer.write_table(table, row_group_size=GROUP)
    partial.rename(path)


def main(words: Sequence[str] | None = None) -> None:
    """Make the table, measure, print, and write ``benchmarks/results/detect_stream``."""
    options = options_of(__doc__ or "", words, rows=10_000_000)
    found, size = measure_all(
        options,
        COMMANDS,
        make_table,
        name="mixed",
        row_bytes=COLUMNS * 8,
    )
    report = Report("detect_stream", title="Anomalies in a table on disk", words=words_of(words))
    report.text(
        f"{options.rows:,} rows of {COLUMNS} mixed columns, {size / 1e9:.2f} GB of Parquet "
        f"(snappy, row groups of {GROUP:,} rows), pyarrow "
        f"{importlib.metadata.version('pyarrow')}. Training: one epoch, batches of {BATCH}, all "
        "else by default; its command also fits the schema, draws the line and writes the "
        "report. Scoring: every row, with the default number of draws, to Parquet."
    )
    report.table(
        "commands",
        ["command", "peak memory (MB)", "seconds", "rows/s", "CPU seconds"],
        [_row(name, result, options.rows) for name, result in found.items()],
    )
    say_highest(report, found, LIMIT_MB)
    report.write(options)


def _row(name: str, result: dict[str, Any], rows: int) -> list[Any]:
    whole = None if name == "import alone" else rows / result["seconds"]
    return [name, result["peak_mb"], result["seconds"], whole, result["cpu"]]


if __name__ == "__main__":
    main()
