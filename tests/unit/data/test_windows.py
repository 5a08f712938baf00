"""Windows of time series."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view

from vaekit.data import DataCodec, WindowCodec, fit_table
from vaekit.data.codecs.windows import over_windows
from vaekit.errors import ConfigError, DataError
from vaekit.spec import from_json, to_json


def series(rows=12):
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(rows, 2)), columns=["a", "b"])


def test_windows_are_those_of_numpy():
    table = series()
    codec = WindowCodec(fit_table(table), length=3)
    stored = codec.table.encode(table).numpy()
    expected = sliding_window_view(stored, 3, axis=0).transpose(0, 2, 1)
    assert (codec.encode(table).numpy().reshape(10, 3, 2) == expected).all()
    assert [field.name for field in codec.fields][:3] == ["a [−2]", "b [−2]", "a [−1]"]
    assert codec.owners.tolist() == [0, 1, 0, 1, 0, 1]


def test_rows_come_back():
    table = series()
    codec = WindowCodec(fit_table(table), length=4)
    again = codec.decode(codec.encode(table)).to_pandas()
    assert again.to_numpy() == pytest.approx(table.to_numpy(), abs=1e-6)
    assert from_json(to_json(DataCodec(codec))) == DataCodec(codec)


def test_missing_values_stay_missing():
    table = series()
    table.loc[5, "a"] = np.nan
    codec = WindowCodec(fit_table(table), length=3)
    windows = codec.encode(table)
    assert int(windows.isnan().sum()) == 3
    again = codec.decode(windows).to_pandas()
    assert again["a"].isna().tolist() == table["a"].isna().tolist()


def test_means_over_windows():
    values = np.random.default_rng(0).normal(size=(6, 4, 3))
    found = over_windows(values)
    for row in range(9):
        held = [values[w, row - w] for w in range(6) if 0 <= row - w < 4]
        assert found[row] == pytest.approx(np.mean(held, axis=0))


def test_bad_windows():
    table = series()
    codec = WindowCodec(fit_table(table), length=3)
    with pytest.raises(DataError, match="too few rows for one window; expected 3, got 2"):
        codec.encode(table[:2])
    with pytest.raises(ConfigError, match="column 'c' is not"):
        WindowCodec(fit_table(table.assign(c=True)), length=3)
    with pytest.raises(ConfigError, match="windows are of tables"):
        WindowCodec(codec, length=2)
    assert torch.equal(codec.to_model(torch.ones(1)), torch.ones(1))
