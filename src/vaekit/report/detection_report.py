"""The report of a detector: what was trained, where the line is, and which rows lie beyond it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from vaekit import plots
from vaekit.artifacts import describe
from vaekit.plots import Metric
from vaekit.plots.numbers import number
from vaekit.report.html import Html, element, join, text
from vaekit.report.page import build_report
from vaekit.report.ranked import ranked_rows
from vaekit.report.tables import Table
from vaekit.tasks.detection import Detection, Ranking, VAEDetector

__all__ = ["report_detection", "report_ranking", "schema_table"]

SHOWN = 20
COLUMNS = 3


def report_detection(found: Detection) -> Path:
    """Draw the pictures of a detector and write ``report.html`` beside it.

    Args:
        found: Of :func:`vaekit.tasks.detection.train_detector`.

    Returns:
        The page.
    """
    detector, facts, folder = found.detector, found.facts, found.folder
    exhibits = [
        (title, caption, plots.save(picture, folder / "figures" / f"{stem}.png"))
        for stem, title, caption, picture in _pictures(found)
    ]
    name = Path(facts["source"]).name
    columns = len(detector.codec_.x.columns)
    return build_report(
        folder / "report.html",
        title=f"{name}: anomalies",
        subtitle=f"{facts['rows']:,} rows of {columns} columns, a code of "
        f"{detector.model_.latent_shape[0]}, scored by {_words(detector.scoring)}",
        facts=_facts(folder, facts),
        metrics=list(_metrics(facts, _unit(detector))),
        figures=exhibits,
        warnings=facts["notes"],
        sections=_ranked(found),
        tables=[schema_table(detector)],
        notes=_remarks(found),
        commands=_commands(found),
        comparison=False,
    )


def report_ranking(
    ranking: Ranking,
    detector: VAEDetector,
    path: Path,
    *,
    name: str,
    columns: int = COLUMNS,
    command: str = "",
) -> Path:
    """Write a page about the most anomalous rows of a table.

    Args:
        ranking: Of :func:`vaekit.tasks.detection.explain_file`.
        detector: What scored it.
        path: The page.
        name: Of the table.
        columns: How many columns of each row.
        command: How to make the page again.

    Returns:
        The page.
    """
    threshold = -detector.offset_
    beyond = int((ranking.scores > threshold).sum())
    figures = [_spread(ranking.scores, threshold, detector), *_explaining(ranking, threshold)]
    return build_report(
        path,
        title=f"{name}: anomalies",
        subtitle=f"the {len(ranking.rows):,} most anomalous of {len(ranking.scores):,} rows, "
        f"scored by {_words(detector.scoring)}",
        metrics=[
            Metric("Anomalies", {"detector": beyond}, better=None),
            Metric("Threshold", {"detector": threshold}, _unit(detector), better=None),
        ],
        figures=[(title, caption, picture) for _, title, caption, picture in figures],
        sections=[
            (
                "Most anomalous rows",
                ranked_rows(ranking.top(columns), marks=_marks(ranking), unit=_unit(detector)),
            )
        ],
        commands=[command] if command else [],
        comparison=False,
    )


def schema_table(detector: VAEDetector) -> Table:
    """The columns that a detector reads: type, missing values, and what is to be said of them."""
    codec = detector.codec_.x
    rows = []
    for column in codec.columns:
        absent, total = column.missing
        share = f"{absent / total:.1%}" if absent else "none"
        notes = "; ".join(note.partition(": ")[2] or note for note in column.notes())
        rows.append([column.name, column.describe(), share, notes])
    caption = f"Not read: {', '.join(codec.skipped)}." if codec.skipped else ""
    return Table("Columns", ["column", "type", "missing", "notes"], rows, caption)


# --- parts of the page ---------------------------------------------------------------------------


def _metrics(facts: Mapping[str, Any], unit: str) -> Iterator[Metric]:
    yield Metric("Anomalies", {"detector": facts["anomalies"]}, better=None)
    yield Metric("Threshold", {"detector": facts["threshold"]}, unit, better=None)
    if "auroc" in facts:
        yield Metric("AUROC", {"detector": facts["auroc"], "chance": 0.5})
        values = {"detector": facts["average_precision"], "chance": facts["prevalence"]}
        yield Metric("Average precision", values)


def _pictures(found: Detection) -> Iterator[tuple[str, str, str, Figure]]:
    detector, threshold = found.detector, found.facts["threshold"]
    yield _spread(found.scores, threshold, detector, found.labels)
    if found.ranking is not None:
        yield from _explaining(found.ranking, threshold)
    if found.labels is not None:
        known = ~np.isnan(found.labels)
        picture = plots.detection_curves(found.labels[known], found.scores[known], threshold)
        caption = "Against the labels, which training did not see. Dots are where the line is."
        yield "curves", "Agreement with the labels", caption, picture
    if len(detector.history_) > 1:
        caption = "The loss over the epochs and, where the model has one, the rate of its code."
        yield "training", "Training", caption, plots.training_loss(detector.history_)


def _spread(
    scores: Any, threshold: float, detector: VAEDetector, labels: Any = None
) -> tuple[str, str, str, Figure]:
    unit = _unit(detector)
    xlabel = f"anomaly score ({unit})" if unit else "anomaly score"
    picture = plots.score_histogram(scores, threshold, labels, xlabel=xlabel)
    caption = "Rows by their score, on a logarithmic axis; those right of the line are anomalies."
    return "scores", "Scores", caption, picture


def _explaining(ranking: Ranking, threshold: float) -> Iterator[tuple[str, str, str, Figure]]:
    counts = ranking.counts(threshold)
    if counts:
        total = sum(counts.values())
        beyond = int((ranking.scores > threshold).sum())
        some = (
            f"the {total:,} most anomalous of {beyond:,}" if total < beyond else f"all {total:,}"
        )
        caption = f"Over {some} rows beyond the line: the column that explains each best."
        picture = plots.explaining_columns(counts, xlabel="rows that it explains best")
        yield "columns", "What makes rows anomalous", caption, picture


def _ranked(found: Detection) -> list[tuple[str, Html]]:
    ranking, labels = found.ranking, found.labels
    if ranking is None:
        return []
    top = ranking.top(COLUMNS, rows=SHOWN)
    known = [] if labels is None else [int(row) for row in ranking.rows if labels[row] == 1]
    marks = _marks(ranking, known)
    unit = _unit(found.detector)
    told = element(
        "p",
        text(
            "Bars are the excess: how much more a column adds to the score than in a typical row"
            f"{f', in {unit}' if unit else ''}. Rows are counted from 0."
        ),
        class_="quiet",
    )
    return [("Most anomalous rows", join([ranked_rows(top, marks=marks, unit=unit), told]))]


def _marks(ranking: Ranking, known: Sequence[int] = ()) -> dict[int, list[str]]:
    """What to say beside rows."""
    marks: dict[int, list[str]] = {row: ["labelled anomaly"] for row in known}
    for row in ranking.columnless():
        marks.setdefault(row, []).append("mostly the combination, no single column")
    return marks


def _remarks(found: Detection) -> list[str]:
    facts = found.facts
    notes = []
    if found.ranking is None:
        notes.append(
            "An importance-weighted bound has no terms for single columns: rows are ranked only."
        )
    if "auroc" in facts:
        precision = facts["precision"]
        said = "no row is flagged" if precision is None else f"precision {number(precision, 3)}"
        notes.append(
            f"At the line: {said}, recall {number(facts['recall'], 3)}, over "
            f"{facts['labelled']:,} labelled rows, {number(100 * facts['prevalence'], 3)} % of "
            "them anomalies."
        )
        notes.append("These rows were trained on: rows that are new may be told apart less well.")
    if facts["streamed"]:
        notes.append("The table was read again in each pass, and never in memory as a whole.")
    return notes


def _commands(found: Detection) -> Sequence[str]:
    run, source = str(found.folder), found.facts["source"]
    commands = [found.facts["command"]] if found.facts["command"] else []
    commands.append(shlex.join(["vaekit", "detect", "score", run, source, "--out", "scores.csv"]))
    if found.ranking is not None:
        words = ["vaekit", "detect", "explain", run, source, "--out", "explanations.csv"]
        commands.append(shlex.join(words))
    return commands


def _facts(folder: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    described = describe(folder)
    data = ("source", "data_sha256", "label", "drop", "rows")
    origin = {k: v for k, v in described["provenance"].items() if v not in ("", None)}
    return {
        "Data": {name: facts[name] for name in data if facts[name] not in (None, [])},
        "Weights": described["weights"],
        "Provenance": {k: v for k, v in origin.items() if k not in ("source", "command")},
    }


def _words(scoring: str) -> str:
    names = {
        "elbo": "the ELBO",
        "weighted_elbo": "the weighted ELBO",
        "iwae": "the importance-weighted bound",
        "tail": "tail probabilities",
    }
    return names.get(scoring, scoring.replace("_", " "))


def _unit(detector: VAEDetector) -> str:
    return "" if detector.scoring == "reconstruction_error" else "nats"
