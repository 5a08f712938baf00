"""Words among numbers, told from columns of words."""

import re

import pandas as pd
import pyarrow as pa
import pytest

from vaekit.data import fit_table
from vaekit.data.columns import Strays, Values
from vaekit.data.frames import as_frame
from vaekit.data.schema import TableSummary
from vaekit.errors import ConfigError, DataError

WORDS = """
    0 7 -7 +7 10 1_000 1__0 _1 1_ 0.5 .5 5. . -.5 +5.e3 1e5 1E-5 1e 1e5.0 e5 1.5.2 0x1F 1,000
    1.000,5 inf -Infinity NaN nano infinit n/k - + -- 12a 1/2 2020-01-01 True
"""
AGES = [str(20 + i % 40) for i in range(400)]


def counted(*texts):
    strays = Strays("a")
    strays.add(Values("a", pa.array(texts, pa.string())))
    return strays


@pytest.mark.parametrize("word", [*WORDS.split(), "", " ", " 7 ", "\t7\n", "\u00a07", "7 8"])
def test_numbers_are_those_of_python(word):
    try:
        float(word)
    except ValueError:
        assert counted(word).count == 1
    else:
        assert counted(word).count == 0


@pytest.mark.parametrize("word", ["0123", "-007", "00", "00.5", "0_1"])
def test_leading_zeros_are_of_codes(word):
    assert counted(word, "0", "0.5", "-0", "0e1").count == 1


def test_values_that_are_missing_do_not_count():
    strays = counted("7", None, "n/k", None)
    assert (strays.count, strays.seen) == (1, 2)
    nothing = counted(None, None)
    assert (nothing.count, nothing.seen) == (0, 0)
    nothing.refuse()


SAYS = re.escape(
    "X: column 'age': 1 of 401 values is not a number, and all others are; expected numbers, or "
    "a type that is declared, got 'n/k' in row 400. Clean these cells, or declare the type: "
    "column_types={'age': 'categorical'}, on the command line --types age=categorical"
)


@pytest.mark.parametrize("dtype", [object, "str", "string"])
def test_one_word_among_numbers_is_refused(dtype):
    frame = pd.DataFrame({"age": pd.Series([*AGES, "n/k"], dtype=dtype), "n": range(401)})
    with pytest.raises(DataError, match=SAYS):
        fit_table(frame)
    codec = fit_table(frame, {"age": "categorical"})
    assert codec.columns[0].word == "categorical"
    assert fit_table(frame, {"age": "skip"}).names == ("n",)
    assert fit_table({"age": pd.Categorical(frame["age"])}).columns[0].word == "categorical"


def test_several_words_are_told_once_each():
    ages = [*AGES, *["?", "n/k", "?", "none", "old"], None]
    with pytest.raises(
        DataError, match=r"5 of 405 values are not numbers.* got '\?' in row 400, 'n/k', 'none'\."
    ):
        fit_table({"age": ages})


@pytest.mark.parametrize(
    "values",
    [
        AGES,
        [*AGES[:9], *AGES[:9], "a", "b", "c"],
        ["0123"] * 9 + ["1"] * 9,
        ["a", "b", "a"],
        [*AGES, "01234", "01234"],
        [*AGES, "01234", "n/k"],
    ],
)
def test_numbers_alone_and_words_enough_are_categories(values):
    assert fit_table({"a": values}).columns[0].word == "categorical"


def test_the_share_is_one_of_rows():
    nine = ["1"] * 9 + ["n/k"]
    with pytest.raises(DataError, match=r"1 of 10 values is not a number"):
        fit_table({"a": nine})
    assert fit_table({"a": ["1", "2"] * 4 + ["n/k"]}).columns[0].word == "categorical"


def test_it_is_said_before_that_values_name_single_rows():
    values = [f"{i}.5" for i in range(30)]
    with pytest.raises(DataError, match=r"1 of 31 values is not a number"):
        fit_table({"a": [*values, "n/k"]})
    with pytest.raises(DataError, match=r"no category occurs 2 times"):
        fit_table({"a": values})


def test_the_row_is_counted_over_all_batches():
    summary = TableSummary()
    for start in range(0, 401, 100):
        summary.add(as_frame({"age": [*AGES, "n/k"][start : start + 100]}))
    with pytest.raises(DataError, match=SAYS):
        summary.codec()


def test_the_command_line_is_quoted_and_cells_are_cut():
    with pytest.raises(DataError, match=r"'x{40}' in row 10.*--types 'my age=categorical'$"):
        fit_table({"my age": ["1"] * 10 + ["x" * 99]})
    with pytest.raises(ConfigError, match="is not there"):
        fit_table({"my age": ["1"] * 10 + ["x"]}, {"age": "categorical"})
