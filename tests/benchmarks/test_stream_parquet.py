"""The benchmark of streams: its table, its measure of memory, its page."""

import json

import numpy as np
import pandas as pd
import pytest
from benchmarks import stream_parquet
from benchmarks.on_disk import measure
from benchmarks.stream_parquet import COLUMNS, FACTORS, main, make_table


def test_the_table_has_something_to_learn(tmp_path, monkeypatch):
    monkeypatch.setattr(stream_parquet, "GROUP", 700)
    make_table(tmp_path / "a.parquet", 2000)
    x = pd.read_parquet(tmp_path / "a.parquet")
    assert x.shape == (2000, COLUMNS)
    assert set(x.dtypes) == {np.dtype(np.float32)}
    variances = np.linalg.eigvalsh(np.cov(x.to_numpy().T))[::-1]
    assert variances[FACTORS - 1] > 10 * variances[FACTORS]


def test_peak_memory_is_that_of_the_process(tmp_path):
    """300 MB more are seen as such, and the memory of this process is not counted."""
    small, large = (
        measure(("-c", f"x = bytearray({size}_000_000)"), str(tmp_path)) for size in (1, 301)
    )
    assert large["peak_mb"] - small["peak_mb"] == pytest.approx(300, abs=10)
    assert small["peak_mb"] < 60
    with pytest.raises(SystemExit, match="failed"):
        measure(("-c", "raise SystemExit(3)"), str(tmp_path))


def test_small_form(tmp_path):
    name = "one shuffled pass, no training"
    main(["--small", "--out", str(tmp_path), "--only", name])
    (row,) = json.loads((tmp_path / "stream_parquet.json").read_text())["commands"]
    assert row["command"] == name
    assert row["rows/s of the pass"] > row["rows/s"] > 0
    assert str(tmp_path) not in (tmp_path / "stream_parquet.md").read_text()
