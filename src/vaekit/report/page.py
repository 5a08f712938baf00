"""One run on one page: an HTML file that needs nothing but itself."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path

from vaekit.files import write_bytes
from vaekit.plots.metric import Metric, MetricRow, read_metrics
from vaekit.plots.numbers import number
from vaekit.report.gallery import Exhibit, Source, gallery
from vaekit.report.html import Html, element, join, text
from vaekit.report.tables import Table, facts_list, metrics_table, table

__all__ = ["build_report"]

MAX_CARDS = 4
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def build_report(  # noqa: PLR0913
    path: str | os.PathLike[str],
    *,
    title: str,
    subtitle: str = "",
    facts: Mapping[str, object] | None = None,
    metrics: Iterable[MetricRow] = (),
    figures: Iterable[tuple[str, str, Source]] = (),
    warnings: Sequence[str] = (),
    commands: Sequence[str] = (),
    tables: Iterable[Table] = (),
    notes: Sequence[str] = (),
    comparison: bool = True,
    sections: Iterable[tuple[str, Html]] = (),
) -> Path:
    """Write a report that opens anywhere: images inside, no scripts, no requests.

    The first four metrics are cards at the top; all of them are compared in a table. Every text is
    escaped. The file appears whole or not at all.

    Args:
        path: The HTML file, e.g. ``runs/latest/report.html``.
        title: What was run.
        subtitle: One line about it.
        facts: Provenance and settings by name; a mapping as value is a group of its own.
        metrics: Metrics, or mappings such as ``{"name": "ELBO", "VAE": -144.3, "PCA": None,
            "unit": "nats", "better": "higher"}``; the first method is ours.
        figures: ``(title, caption, picture)``, the picture a Figure, PNG bytes or a PNG file.
        warnings: What the reader must know before trusting the numbers.
        commands: How to make this run again, or use it.
        tables: More tables.
        notes: Remarks about the numbers.
        comparison: Whether there is that table; one metric says no more in it than on its card.
        sections: Headings with markup of their own, between pictures and tables.

    Returns:
        The path written.

    Raises:
        ConfigError: If a metric is incomplete.
        DataError: If a picture is not a PNG, or a metric is not a finite number.
        ShapeError: If a row of a table does not fit its columns.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     build_report(f"{folder}/report.html", title="digits").name
        'report.html'
    """
    rows = read_metrics(metrics)
    shown = [Exhibit.read(*figure) for figure in figures]
    body = join(
        [
            _header(title, subtitle),
            _warnings(warnings),
            _cards(rows[:MAX_CARDS]),
            _section("Pictures", [gallery(shown)]),
            _section("Comparison", [metrics_table(rows)] if rows and comparison else []),
            join(_section(heading, [content]) for heading, content in sections),
            join(_section(t.title, [table(t)]) for t in tables),
            _section("Remarks", [_items(notes)]),
            _section("Commands", [_commands(commands)]),
            _facts(facts or {}),
        ]
    )
    return write_bytes(Path(path), _page(title, body).encode("utf-8"))


def _page(title: str, body: Html) -> str:
    style = files("vaekit.report").joinpath("report.css").read_text(encoding="utf-8")
    head = [
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", attributes={"http-equiv": "Content-Security-Policy", "content": POLICY}),
        element("title", text(title)),
        element("style", Html(style)),
    ]
    page = element("head", *head) + element("body", element("main", body))
    return f'<!doctype html>\n<html lang="en">{page}</html>\n'


def _header(title: str, subtitle: str) -> Html:
    line = element("p", text(subtitle), class_="subtitle") if subtitle else Html("")
    return element("header", element("h1", text(title)), line)


def _warnings(warnings: Sequence[str]) -> Html:
    if not warnings:
        return Html("")
    heading = element("h2", text("Warning" if len(warnings) == 1 else f"{len(warnings)} warnings"))
    return element("section", heading, _items(warnings), class_="warnings", role="note")


def _items(sentences: Sequence[str]) -> Html:
    items = join(element("li", text(sentence)) for sentence in sentences)
    return element("ul", items) if sentences else Html("")


def _cards(metrics: Sequence[Metric]) -> Html:
    if not metrics:
        return Html("")
    cards = join(_card(metric) for metric in metrics)
    return element("section", cards, class_="cards", aria_label="Key numbers")


def _card(metric: Metric) -> Html:
    value = metric.values[metric.ours]
    unit = element("span", text(metric.unit), class_="unit") if metric.unit else Html("")
    others = [(m, v) for m, v in metric.values.items() if m != metric.ours and v is not None]
    beside = ", ".join(f"{method} {number(v)}" for method, v in others) or metric.direction
    return element(
        "div",
        element("div", text(metric.name), class_="name"),
        element("div", text(number(value)), unit, class_="value"),
        element("div", text(beside), class_="beside", title=metric.direction or None),
        class_="card won" if metric.best == metric.ours else "card",
    )


def _section(heading: str, content: Sequence[Html]) -> Html:
    if not any(content):
        return Html("")
    return element("section", element("h2", text(heading)), *content)


def _commands(commands: Sequence[str]) -> Html:
    return join(element("pre", element("code", text(command))) for command in commands)


def _facts(facts: Mapping[str, object]) -> Html:
    if not facts:
        return Html("")
    summary = element("summary", text("Provenance and settings"))
    return element("details", summary, facts_list(facts))
