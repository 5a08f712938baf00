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


CODES = {"zip": "categorical", "grade": "ordinal:levels=1,2"}


def words(path, known=None):
    """Values of all columns of a table on disk."""
    with open_table(path, known) as rows:
        pieces = [piece.x.to_arrow() for block in rows.blocks for piece in rows.pieces(block)]
        assert rows.name == path.name
    return {name: [v for p in pieces for v in p.column(name).to_pylist()] for name in rows.columns}


def test_codes_that_are_declared_keep_what_a_number_has_not(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("zip,grade,n\n01,1.0,01\n1,,2\n01,2.0,3\n1,1.0,4\n")
    assert words(path)["zip"] == [1, 1, 1, 1]
    found = words(path, CODES)
    assert found == {
        "zip": ["01", "1", "01", "1"],
        "grade": [1.0, None, 2.0, 1.0],
        "n": [1, 2, 3, 4],
    }
    with open_table(path) as rows:  # what is known is said later
        codec = summarise_table(rows, CODES).codec()
        assert [c.scalar for c in codec.columns[:2]] == ["text", "number"]
        assert codec.columns[0].categories == ("01", "1")
        x = next(iter(StreamData(rows, DataCodec(codec)).batches(9))).x
        assert rows.read_as(codec) is rows.read_as(CODES)
        assert rows.read_as(codec).read_as(codec) is rows.read_as(codec)
    frame = pd.DataFrame({"zip": found["zip"], "grade": found["grade"], "n": found["n"]})
    assert fit_table(frame, CODES) == codec
    assert np.array_equal(x.numpy(), codec.encode(frame).numpy(), equal_nan=True)


@pytest.mark.parametrize(
    "cell", ["007", "+7", "7e0", "7.50", "1234567890123456", "2024-01-05T10:00"]
)
def test_cells_that_would_be_another_word_stay_text(tmp_path, cell):
    path = tmp_path / "t.csv"
    path.write_text(f"c,d\n{cell},1\n{cell},2\n")
    assert words(path, {"c": "categorical"})["c"] == [cell] * 2


@pytest.mark.parametrize(
    ("cells", "read"),
    [
        ("7 -3 0", [7, -3, 0]),
        ("7.0 0.5 -0.25", [7, 0.5, -0.25]),
        ("True false NA", [True, False, None]),
    ],
)
def test_cells_that_lose_nothing_are_read_as_they_are_without_a_type(tmp_path, cells, read):
    path = tmp_path / "t.csv"
    path.write_text("c,d\n" + "".join(f"{cell},1\n" for cell in cells.split()))
    assert words(path, {"c": "categorical:unknown=error"})["c"] == read


def test_codes_of_the_training_rows_are_text_in_later_tables(tmp_path):
    frame = pd.DataFrame({"zip": ["01", "02", "10", "X9"] * 3, "yes": ["True", "no"] * 6})
    codec = fit_table(frame)
    path = tmp_path / "new.csv"
    frame[:3].assign(yes="True").to_csv(path, index=False)
    assert words(path)["zip"] == [1, 2, 10]
    assert words(path, codec) == {"zip": ["01", "02", "10"], "yes": ["True"] * 3}
    with open_table(path) as rows:
        x = next(iter(StreamData(rows, DataCodec(codec)).batches(9))).x
    assert x.tolist() == codec.encode(frame[:3].assign(yes="True")).tolist()
    numbered = fit_table(frame.to_numpy())  # whose columns have numbers in place of names
    assert words(path, numbered)["zip"] == ["01", "02", "10"]


def test_numbers_of_the_training_rows_stay_numbers(tmp_path):
    codec = fit_table({"kind": [1, 2, 1, 2]}, {"kind": "categorical"})
    path = tmp_path / "new.csv"
    path.write_text("kind,d\n1.0,1\n,1\n")
    assert words(path, codec)["kind"] == [1.0, None]


def test_what_is_no_table(tmp_path):
    with pytest.raises(DataError, match="no such file"), open_table(tmp_path / "none.csv"):
        pass
    (tmp_path / "a.txt").write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match="not a table"), open_table(tmp_path / "a.txt"):
        pass
    (tmp_path / "a.csv").write_text("a,b\n1,2\n1\n")
    with pytest.raises(DataError, match="not a readable table"), open_table(tmp_path / "a.csv"):
        pass
