"""CSV and TSV files whose cells are wrong: messages tell the user's file, column and row."""

import pandas as pd
import pytest

from vaekit.data import DataCodec, StreamData, fit_table
from vaekit.data.streams import Part, open_table, spool, summarise_table
from vaekit.data.streams import parquet as parquet_module
from vaekit.errors import DataError

ROWS = 401


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Blocks and pieces are small."""
    monkeypatch.setattr(parquet_module, "BLOCK_ROWS", 90)
    monkeypatch.setattr(parquet_module, "PIECE_ROWS", 32)


@pytest.fixture
def path(tmp_path):
    """A table whose last age is a word."""
    ages = pd.Series([str(20 + i % 40) for i in range(ROWS - 1)] + ["n/k"], dtype=object)
    pd.DataFrame({"age": ages, "n": range(ROWS)}).to_csv(tmp_path / "people.csv", index=False)
    return tmp_path / "people.csv"


def summarised(path, types=None, part=None):
    with open_table(path, types) as rows:
        return summarise_table(rows, types, part=part).codec()


def test_a_word_among_numbers_is_refused(path):
    with pytest.raises(
        DataError, match=r"^people\.csv: column 'age': 1 of 401 values is not.* 'n/k' in row 400\."
    ):
        summarised(path)
    assert summarised(path, {"age": "categorical"}).columns[0].word == "categorical"
    assert summarised(path, {"age": "skip"}).names == ("n",)


@pytest.mark.parametrize("chosen", [True, False])
def test_rows_that_are_set_aside_are_looked_at(path, chosen):
    part = Part(ROWS, lambda start, stop: (pd.RangeIndex(start, stop) == 400) ^ (not chosen))
    with pytest.raises(DataError, match=r"1 of 401 values is not a number.* in row 400\."):
        summarised(path, part=part)
    types = {"age": "categorical:min_frequency=1"}
    codec = summarised(path, types, part=part)
    assert ("n/k" in codec.columns[0].categories) == chosen
    assert codec.columns[0].rows == (1 if chosen else 400)


def test_the_file_of_a_folder_is_told(path, tmp_path):
    frame = pd.read_csv(path, dtype={"age": str})
    folder = tmp_path / "parts"
    folder.mkdir()
    frame[:200].to_parquet(folder / "a.parquet", row_group_size=50)
    frame[200:].to_parquet(folder / "b.parquet", row_group_size=50)
    with pytest.raises(DataError, match=r"^b\.parquet: column 'age': 1 of 401.* in row 200\."):
        summarised(folder)


def test_blocks_of_text_that_begin_with_the_word(path, monkeypatch):
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], lines[-1], *lines[1:-1]]))
    monkeypatch.setattr(spool, "BLOCK_BYTES", 100)
    with pytest.raises(DataError, match=r"1 of 401 values is not a number.* in row 0\."):
        summarised(path)


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["t.csv", "new.2.CSV", "t.tsv"])
def test_messages_name_the_file_of_the_user(tmp_path, name):
    path = tmp_path / name
    cells = ["x,y", "1,1", "2,2", "3,inf"]
    path.write_text("\n".join(cells).replace(",", "\t" if name.endswith("tsv") else ","))
    codec = DataCodec(fit_table({"x": [1.0, 2.0], "y": [1.0, 2.0]}))
    with open_table(path) as rows:
        assert (rows.name, rows.place(2).file) == (name, name)
        with pytest.raises(DataError, match=rf"^{name}: column 'y': 1 value.* in row 2"):
            list(StreamData(rows, codec).batches(9))
        other = DataCodec(fit_table({"x": [1.0, 2.0], "z": [1.0, 2.0]}))
        with pytest.raises(DataError, match=rf"^{name}: the table lacks 'z'"):
            list(StreamData(rows, other).batches(9))
        typed = rows.read_as({"x": "categorical"})
        assert typed.footers[0].path.name == name


@pytest.mark.parametrize(
    ("content", "types", "says"),
    [
        ("a,a,b\n1,2,3\n", None, r"^t\.csv: two columns are named 'a'"),
        ("a,a,b\n1,2,3\n", {"a": "categorical"}, r"^t\.csv: two columns are named 'a'"),
        ("a,b\n", None, r"^t\.csv: there is no data"),
        ("a,b\n,1\n,2\n", None, r"^t\.csv: column 'a': there are no values at all"),
    ],
)
def test_errors_of_the_whole_file_name_it(tmp_path, content, types, says):
    path = tmp_path / "t.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=says):
        summarised(path, types)


# --- encodings -----------------------------------------------------------------------------------

BODY = "1,x\n" * 50


@pytest.mark.parametrize("types", [None, {"word": "categorical"}])
@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("n,word\n1,x\n2,café\n", r"row 1: column 'word'"),
        ('n,word\n1,"x\ny"\n2,café\n', r"row 1: column 'word'"),
        (f"n,word\n{BODY}2,café\n{BODY}", r"row 50: column 'word'"),
        (f"n,word\n{BODY}é,x\n{BODY}", r"row 50: column 'n'"),
        (f"n,word\né,1\n{BODY}1,é\n", r"row 0: column 'n'"),
        ("n,word,é\n1,x,1\n", "header"),
    ],
)
def test_other_encodings_are_named(tmp_path, monkeypatch, content, place, types):
    monkeypatch.setattr(spool, "BLOCK_BYTES", 64)
    path = tmp_path / "t.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(
        DataError, match=rf"^t\.csv, {place}: the file is not UTF-8; expected.*\\xe9.*iconv"
    ):
        summarised(path, types)
    path.write_text(content, encoding="utf-8")
    with open_table(path, {"n": "categorical", "word": "categorical"}) as rows:
        assert len(rows)


def test_utf_16_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("n,word\n1,x\n2,x\n", encoding="utf-16")
    with pytest.raises(DataError, match=r"^t\.csv, header: the file is not UTF-8"):
        summarised(path)
    path.write_text("n,word\n1,x\n2,x\n", encoding="utf-8-sig")
    assert summarised(path).names == ("n", "word")
