"""Tables and lists of facts in a report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeGuard

from vaekit.errors import ShapeError
from vaekit.plots.metric import Metric
from vaekit.plots.numbers import measured, number
from vaekit.report.html import Html, element, join, text

__all__ = ["Measured", "Table", "facts_list", "markdown", "metrics_table", "table"]


DENSE = 6
"""Columns above which a table is set closer."""


class Measured(NamedTuple):
    """A cell with a standard error: a value, its error, and whether it is the best of its kind."""

    value: float | None
    error: float | None = None
    best: bool = False

    def __str__(self) -> str:
        return "\N{EN DASH}" if self.value is None else measured(self.value, self.error)


@dataclasses.dataclass(frozen=True)
class Table:
    """A table with a title, names of columns, rows of values, and a remark below.

    Raises:
        ShapeError: If a row does not have one value for each column.

    Example:
        >>> Table("Sweep", ["beta", "rate"], [[1.0, 3.2]]).title
        'Sweep'
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""

    def __post_init__(self) -> None:
        for i, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ShapeError(
                    "a row does not fit the columns",
                    expected=len(self.columns),
                    got=len(row),
                    where=f"{self.title}, row {i}",
                )

    def turned(self) -> Table:
        """Its rows as columns, for tables that are wider than a page."""
        names, *columns = zip(*self.rows, strict=True)
        rows = [[name, *values] for name, values in zip(self.columns[1:], columns, strict=True)]
        heads = [self.columns[0], *map(str, names)]
        return dataclasses.replace(self, columns=heads, rows=rows)


def table(content: Table) -> Html:
    """An HTML table; numbers are aligned to the right and shortened."""
    columns = zip(*content.rows, strict=True) if content.rows else [()] * len(content.columns)
    right = [any(map(_is_numeric, column)) for column in columns]
    rows = [join(map(_cell, row, right)) for row in content.rows]
    return _table(list(zip(content.columns, right, strict=True)), rows, content.caption)


def markdown(content: Table) -> str:
    """The table as Markdown, its caption below; best values are bold.

    Example:
        >>> print(markdown(Table("", ["model", "ELBO"], [["vae", Measured(-17.1234, 0.021)]])))
        | model | ELBO |
        |---|--:|
        | vae | −17.123 ± 0.021 |
    """
    first = content.rows[0] if content.rows else [""] * len(content.columns)
    lines = [
        content.columns,
        ["--:" if _is_numeric(value) else "---" for value in first],
        *([_markdown_cell(value) for value in row] for row in content.rows),
    ]
    grid = [f"| {' | '.join(line)} |" for line in lines]
    grid[1] = grid[1].replace(" ", "")
    return "\n".join([*grid, *(["", content.caption] if content.caption else [])])


def _markdown_cell(value: object) -> str:
    if isinstance(value, Measured):
        return f"**{value}**" if value.best else str(value)
    shown = number(value) if value is None or _is_number(value) else str(value)
    return shown.replace("|", "\\|").replace("\n", " ")


def metrics_table(metrics: Sequence[Metric]) -> Html:
    """All metrics by method, the best value of each row marked."""
    methods = list(dict.fromkeys(method for metric in metrics for method in metric.values))
    names = [("metric", False), *((method, True) for method in methods), ("better", False)]
    return _table(
        names, [_metric_row(metric, methods) for metric in metrics], "Best values are bold."
    )


def _metric_row(metric: Metric, methods: Sequence[str]) -> Html:
    unit = element("span", text(metric.unit), class_="unit") if metric.unit else Html("")
    cells = [
        element(
            "td",
            text(measured(metric.values.get(m), metric.errors.get(m))),
            class_="best num" if metric.best == m else "num",
        )
        for m in methods
    ]
    head = element("th", text(metric.name), unit, scope="row")
    return join([head, *cells, element("td", text(metric.better or ""), class_="quiet")])


def _table(names: Sequence[tuple[str, bool]], rows: Sequence[Html], caption: str) -> Html:
    head = join(
        element("th", text(n), scope="col", class_="num" if right else None) for n, right in names
    )
    body = join(element("tr", row) for row in rows)
    dense = "dense" if len(names) > DENSE else None
    grid = element(
        "table", element("thead", element("tr", head)), element("tbody", body), class_=dense
    )
    below = element("p", text(caption), class_="quiet") if caption else Html("")
    return join([element("div", grid, class_="scroll", tabindex=0), below])


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_numeric(value: object) -> bool:
    return _is_number(value) or isinstance(value, Measured)


def _cell(value: object, right: bool) -> Html:
    if isinstance(value, Measured):
        return element("td", text(value), class_="best num" if value.best else "num")
    if value is None or _is_number(value):
        return element("td", text(number(value)), class_="num")
    return element("td", text(value), class_="num" if right else None)


def facts_list(facts: Mapping[str, object]) -> Html:
    """A definition list; a mapping as value is a list of its own below its name."""
    plain = {k: v for k, v in facts.items() if not isinstance(v, Mapping)}
    groups = [(k, v) for k, v in facts.items() if isinstance(v, Mapping)]
    pairs = join(join([element("dt", text(k)), element("dd", _fact(v))]) for k, v in plain.items())
    first = element("dl", pairs) if plain else Html("")
    return join([first, *(join([element("h3", text(k)), facts_list(v)]) for k, v in groups)])


def _fact(value: object) -> Html:
    if _is_number(value):
        return text(number(value, digits=6))
    if isinstance(value, list | tuple):
        return text(", ".join(map(str, value)))
    return text("none" if value is None else value)
