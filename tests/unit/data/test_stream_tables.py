"""Mixed tables read piece by piece."""

import numpy as np
import pandas as pd
import pytest

from vaekit.data import DataCodec, StreamData, fit_table
from vaekit.data.streams import TableRows, open_table, summarise_table
from vaekit.errors import ConfigError, DataError

ROWS = 500


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "number": rng.normal(size=ROWS),
            "word": rng.choice(["red", "green", "blue"], ROWS),
            "yes": rng.random(ROWS) < 0.3,
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 9e6, ROWS), "s"),
        }
    )
    frame.loc[::7, "number"] = np.nan
    frame.loc[3, "word"] = None
    return frame


@pytest.fixture
def path(table, tmp_path):
    path = tmp_path / "t.parquet"
    table.to_parquet(path, row_group_size=64)
    return path


def test_the_codec_is_the_one_of_memory(table, path):
    streamed = summarise_table(TableRows(path)).codec()
    memory = fit_table(table)
    for one, other in zip(streamed.columns, memory.columns, strict=True):
        assert type(one) is type(other)
        for field in one.__dataclass_fields__:
            expected = getattr(other, field)
            if isinstance(expected, float):
                expected = pytest.approx(expected, rel=1e-12)
            assert getattr(one, field) == expected


def test_batches_hold_the_rows(table, path):
    codec = fit_table(table)
    data = StreamData(TableRows(path), DataCodec(codec), buffer=128)
    stored = codec.encode(table)
    ordered = list(data.batches(100))
    assert sum(len(batch) for batch in ordered) == ROWS
    for batch in ordered:
        expected = stored[batch.index]
        assert np.array_equal(batch.x.numpy(), expected.numpy(), equal_nan=True)
    shuffled = list(data.epoch(64, seed=0, epoch=1))
    index = np.concatenate([batch.index.numpy() for batch in shuffled])
    assert sorted(index) == [*range(ROWS)]
    assert not np.array_equal(index, np.arange(ROWS))
    for batch in shuffled:
        assert np.array_equal(batch.x.numpy(), stored[batch.index].numpy(), equal_nan=True)


def test_a_folder_of_files(table, tmp_path):
    table[:300].to_parquet(tmp_path / "a.parquet", row_group_size=64)
    table[300:].to_parquet(tmp_path / "b.parquet", row_group_size=64)
    with open_table(tmp_path) as rows:
        assert len(rows) == ROWS
        assert rows.columns == ("number", "word", "yes", "when")
    table.drop(columns="yes").to_parquet(tmp_path / "c.parquet")
    with pytest.raises(DataError, match=r"c\.parquet"), open_table(tmp_path):
        pass


def test_an_error_names_file_and_row(table, path, tmp_path):
    codec = DataCodec(fit_table(table))
    table.loc[431, "number"] = np.inf
    bad = tmp_path / "bad.parquet"
    table.to_parquet(bad, row_group_size=64)
    with pytest.raises(DataError, match=r"bad\.parquet: column 'number'.*in row 431"):
        list(StreamData(TableRows(bad), codec).batches(100))


@pytest.mark.parametrize(("suffix", "separator"), [("csv", ","), ("tsv", "\t")])
def test_text_tables(table, tmp_path, suffix, separator):
    path = tmp_path / f"t.{suffix}"
    table.to_csv(path, sep=separator, index=False)
    with open_table(path) as rows:
        codec = summarise_table(rows).codec()
        assert [c.word for c in codec.columns] == ["numeric", "categorical", "Boolean", "datetime"]
        data = StreamData(rows, DataCodec(codec))
        x = next(iter(data.batches(ROWS))).x
        assert rows.name == path.name
    expected = fit_table(table).encode(table)
    assert np.allclose(x.numpy(), expected.numpy(), atol=1e-5, equal_nan=True)
    assert not rows.footers[0].path.exists()


def test_columns_are_left_out(path):
    with open_table(path, drop=["word"]) as rows:
        assert rows.columns == ("number", "yes", "when")
    with pytest.raises(ConfigError, match="no column 'colour'"), open_table(path, drop=["colour"]):
        pass


def test_what_is_no_table(tmp_path):
    with pytest.raises(DataError, match="no such file"), open_table(tmp_path / "none.csv"):
        pass
    (tmp_path / "a.txt").write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match="not a table"), open_table(tmp_path / "a.txt"):
        pass
    (tmp_path / "a.csv").write_text("a,b\n1,2\n1\n")
    with pytest.raises(DataError, match="not a readable table"), open_table(tmp_path / "a.csv"):
        pass
