"""The most anomalous rows as a list: which columns stand out, what was expected, by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from vaekit.plots.numbers import number
from vaekit.report.html import Html, element, join, text

__all__ = ["ranked_rows"]


def ranked_rows(
    top: pd.DataFrame, *, marks: Mapping[int, Sequence[str]] | None = None, unit: str = "nats"
) -> Html:
    """One block for each row, most anomalous first, with a bar for each of its columns.

    Args:
        top: Of :meth:`vaekit.tasks.detection.Ranking.top`.
        marks: What to say beside a row, by its number.
        unit: Of scores and excess.

    Example:
        >>> cell = {"row": 4, "score": 9.5, "rank": 1, "column": "age", "value": "212"}
        >>> cell |= {"expected": "41", "contribution": 8.0, "excess": 7.5}
        >>> "212" in ranked_rows(pd.DataFrame([cell]))
        True
    """
    if not len(top):
        return Html("")
    most = max(float(top["excess"].max()), 1e-12)
    blocks = []
    for place, (row, cells) in enumerate(top.groupby("row", sort=False), 1):
        number_of: int = row  # type: ignore[assignment]
        score = number(float(cells["score"].iloc[0]))
        said = (marks or {}).get(number_of, ())
        head = element(
            "div",
            element("span", text(f"{place}. Row {number_of:,}"), class_="place"),
            element("span", text(f"score {score} {unit}".strip()), class_="more"),
            *(element("span", text(mark), class_="mark") for mark in said),
            class_="head",
        )
        lines = join(_cell(cell, most, unit) for cell in cells.to_dict("records"))
        blocks.append(element("li", head, lines))
    return element("ol", join(blocks), class_="ranked")


def _cell(cell: Mapping[Any, Any], most: float, unit: str) -> Html:
    excess = float(cell["excess"])
    width = f"width: {100 * min(1.0, max(0.0, excess / most)):.1f}%"
    sign = "+" if excess >= 0 else ""
    said = [text(cell["value"]), element("span", text(f" · expected {cell['expected']}"))]
    bar = element(
        "div",
        element("div", element("div", class_="fill", style=width), class_="track"),
        element("div", text(f"{sign}{number(excess, 3)}"), class_="amount"),
        class_="bar",
        title=f"{sign}{number(excess)} {unit} more than in a typical row".strip(),
    )
    return element(
        "div",
        element("div", text(cell["column"]), class_="column"),
        element("div", *said, class_="said"),
        bar,
        class_="cell",
    )
