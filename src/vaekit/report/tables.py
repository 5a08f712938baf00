"""Tables and lists of facts in a report."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TypeGuard

from vaekit.errors import ShapeError
from vaekit.plots.metric import Metric
from vaekit.plots.numbers import number
from vaekit.report.html import Html, element, join, text

__all__ = ["Table", "facts_list", "metrics_table", "table"]


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


def table(content: Table) -> Html:
    """An HTML table; numbers are aligned to the right and shortened."""
    rows = [join(_cell(value) for value in row) for row in content.rows]
    first = content.rows[0] if content.rows else [""] * len(content.columns)
    names = [(n, _is_number(v)) for n, v in zip(content.columns, first, strict=True)]
    return _table(names, rows, content.caption)


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
            text(number(metric.values.get(m))),
            class_="best num" if metric.best == m else "num",
        )
        for m in methods
    ]
    head = element("th", text(metric.name), unit, scope="row")
    return join([head, *cells, element("td", text(metric.better), class_="quiet")])


def _table(names: Sequence[tuple[str, bool]], rows: Sequence[Html], caption: str) -> Html:
    head = join(
        element("th", text(n), scope="col", class_="num" if right else None) for n, right in names
    )
    body = join(element("tr", row) for row in rows)
    grid = element("table", element("thead", element("tr", head)), element("tbody", body))
    below = element("p", text(caption), class_="quiet") if caption else Html("")
    return join([element("div", grid, class_="scroll", tabindex=0), below])


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: object) -> Html:
    if value is None or _is_number(value):
        return element("td", text(number(value)), class_="num")
    return element("td", text(value))


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
