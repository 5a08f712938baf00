"""The list of the most anomalous rows."""

import re

import pandas as pd

from vaekit.report.ranked import ranked_rows


def cell(row, score, rank, column, value, expected, excess):
    return {
        "row": row,
        "score": score,
        "rank": rank,
        "column": column,
        "value": value,
        "expected": expected,
        "contribution": excess + 1.0,
        "excess": excess,
    }


CELLS = pd.DataFrame(
    [
        cell(70, 30.0, 1, "amount", "<b>900</b>", "12", 20.0),
        cell(70, 30.0, 2, "age", "7", "40", 5.0),
        cell(3, 9.5, 1, "shop", "x & y", "a", 4.0),
        cell(3, 9.5, 2, "visits", "3", "3", -0.5),
    ]
)


def test_rows_keep_their_order_and_bars_their_proportions():
    page = ranked_rows(CELLS, marks={3: ["labelled anomaly", "odd"]})
    assert re.findall(r"\d\. Row [\d,]+", page) == ["1. Row 70", "2. Row 3"]
    assert re.findall(r"width: ([\d.]+)%", page) == ["100.0", "25.0", "20.0", "0.0"]
    first, second = page.split("</li>")[:2]
    assert "labelled anomaly" in second
    assert ">odd<" in second
    assert "labelled anomaly" not in first
    assert "score 30 nats" in first


def test_text_is_escaped():
    page = ranked_rows(CELLS)
    assert "<b>900" not in page
    assert "&lt;b&gt;900" in page
    assert "x &amp; y" in page


def test_no_rows_are_nothing():
    assert ranked_rows(CELLS[:0]) == ""
