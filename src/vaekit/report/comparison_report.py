"""A comparison as a table, a picture and a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vaekit.files import write_bytes, write_json
from vaekit.metrics import MEASURES, Measure
from vaekit.plots import Metric, dots_and_whiskers, rate_distortion_plane, save
from vaekit.report.page import build_report
from vaekit.report.tables import Measured, Table, markdown

__all__ = ["comparison_table", "comparison_text", "report_comparison"]

Row = Mapping[str, Any]
ARROWS = {"higher": "\N{NO-BREAK SPACE}↑", "lower": "\N{NO-BREAK SPACE}↓", None: ""}
CAPTION = (
    "↑ higher is better, ↓ lower is better. ± is one standard error, over what “± over” says."
)


def comparison_table(rows: Sequence[Row], title: str = "On the same held-out rows") -> Table:
    r"""The rows of :func:`vaekit.tasks.compare_runs`, with a column for each metric they have.

    Example:
        >>> row = {"name": "pca", "latent_dim": 2, "seeds": [], "over": "rows", "mse": 0.5}
        >>> comparison_table([row | {"mse_error": 0.1, "likelihood": None}]).columns
        ['model', 'latent dim', '± over', 'Mean squared error\xa0↓']
    """
    metrics = _metrics(rows)
    columns = ["model", "latent dim", "± over", *(f"{m.title}{ARROWS[m.better]}" for m in metrics)]
    best = {m.key: _as_metric(m, rows).best if _comparable(m, rows) else None for m in metrics}
    cells = [
        [
            row["name"],
            str(row["latent_dim"]),
            f"{len(row['seeds'])} seeds" if row["over"] == "seeds" else "rows",
            *(
                Measured(row.get(m.key), row.get(f"{m.key}_error"), best[m.key] == row["name"])
                for m in metrics
            ),
        ]
        for row in rows
    ]
    return Table(title, columns, cells, caption=CAPTION)


def report_comparison(rows: Sequence[Row], folder: Path, *, command: str = "") -> Path:
    """Write ``comparison.html``, ``.md``, ``.json`` with every single value, and pictures.

    Args:
        rows: Of :func:`vaekit.tasks.compare_runs`.
        folder: Where to.
        command: How to make the comparison again.

    Returns:
        The page.
    """
    ours = [row["name"] for row in rows if row["is_run"]]
    picture = save(
        dots_and_whiskers([_as_metric(m, rows) for m in _metrics(rows)], ours),
        folder / "comparison.png",
    )
    write_json(folder / "comparison.json", {"rows": rows})
    write_bytes(folder / "comparison.md", (comparison_text(rows) + "\n").encode())
    table = comparison_table(rows)
    wide = len(table.columns) > len(rows) + 2
    caption = (
        "Dots are means, whiskers one standard error, faint dots single seeds; runs are blue."
    )
    figures = [("Metric by metric", caption, picture), *_plane(rows, folder)]
    return build_report(
        folder / "comparison.html",
        title="Comparison",
        subtitle=f"{_counted(len(ours), 'model')} and "
        f"{_counted(len(rows) - len(ours), 'baseline')} on "
        f"{_counted(rows[0]['n'], 'held-out row')}",
        warnings=_warnings(rows),
        tables=[table.turned() if wide else table],
        notes=_notes(rows),
        figures=figures,
        commands=[command] if command else [],
    )


def _plane(rows: Sequence[Row], folder: Path) -> list[tuple[str, str, Path]]:
    """Rate against distortion, where two rows or more have them in the same nats."""
    known = [row for row in rows if row.get("rate") is not None]
    if len(known) < 2 or len({row["likelihood"] for row in known}) > 1:
        return []
    rates, distortions = ([row[key] for row in known] for key in ("rate", "distortion"))
    drawn = rate_distortion_plane(rates, distortions, labels=[row["name"] for row in known])
    caption = (
        "Thin lines are models of one ELBO: better ones lie further down left. Joined are those "
        "that are best for some weight β of the rate."
    )
    return [("Rate and distortion", caption, save(drawn, folder / "rate-distortion.png"))]


def _counted(number: int, word: str) -> str:
    """The word with its number, in the plural unless there is one."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def comparison_text(rows: Sequence[Row]) -> str:
    """The table and the remarks about it as Markdown."""
    remarks = [f"- {note}" for note in (*_warnings(rows), *_notes(rows))]
    return "\n".join([markdown(comparison_table(rows)), *([""] if remarks else []), *remarks])


def _warnings(rows: Sequence[Row]) -> list[str]:
    """What would mislead a reader who did not know it."""
    kinds = sorted(_likelihoods(rows))
    mixed = f"nats of different likelihoods ({', '.join(kinds)}) cannot be compared"
    return [mixed] if len(kinds) > 1 else []


def _notes(rows: Sequence[Row]) -> list[str]:
    """The notes of all rows, each once, after the names of its rows."""
    names: dict[str, list[str]] = {}
    for row in rows:
        for note in row["notes"]:
            names.setdefault(note, []).append(row["name"])
    return [f"{', '.join(owners)}: {note}" for note, owners in names.items()]


def _metrics(rows: Sequence[Row]) -> list[Measure]:
    """The metrics that any row has."""
    return [m for m in MEASURES if any(row.get(m.key) is not None for row in rows)]


def _likelihoods(rows: Sequence[Row]) -> set[str]:
    """The likelihoods whose nats the rows hold."""
    return {row["likelihood"] for row in rows if row.get("log_marginal") is not None}


def _comparable(measure: Measure, rows: Sequence[Row]) -> bool:
    return measure.unit != "nats" or len(_likelihoods(rows)) == 1


def _as_metric(measure: Measure, rows: Sequence[Row]) -> Metric:
    """One metric of all rows, for drawing and for its best value."""
    names = [row["name"] for row in rows]
    each = {
        row["name"]: [table[measure.key] for table in row["each"]]
        for row in rows
        if row["over"] == "seeds" and row.get(measure.key) is not None
    }
    values = dict(zip(names, (row.get(measure.key) for row in rows), strict=True))
    errors = {row["name"]: row.get(f"{measure.key}_error") for row in rows}
    return Metric(measure.name, values, measure.unit, measure.better, errors, each)
