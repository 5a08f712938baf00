"""The report of a search: its course, what mattered, and all trials."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from vaekit import plots
from vaekit.files import write_json
from vaekit.plots import Metric
from vaekit.plots.numbers import number
from vaekit.report.page import build_report
from vaekit.report.tables import Measured, Table
from vaekit.tasks.tuning import Range, TrialRow, Tuned, short_names

__all__ = ["report_search"]


def report_search(tuned: Tuned, folder: Path, *, title: str, commands: Sequence[str] = ()) -> Path:
    """Write ``report.html``, ``trials.json`` and the pictures of a search.

    Args:
        tuned: Of :func:`vaekit.tasks.tune_run`.
        folder: Of the search.
        title: What was tuned.
        commands: How to go on.

    Returns:
        The page.
    """
    write_json(folder / "trials.json", tuned.to_json())
    exhibits = [
        (name, caption, plots.save(picture, folder / "figures" / f"{stem}.png"))
        for stem, name, caption, picture in _pictures(tuned)
    ]
    ended = [row for row in tuned.rows if row.state == "complete"]
    return build_report(
        folder / "report.html",
        title=title,
        subtitle=f"{len(tuned.rows)} trials, {len(ended)} to their end; "
        f"{tuned.metric.title} on the validation rows",
        metrics=[_headline(tuned)],
        figures=exhibits,
        tables=[_best(tuned), _trials(tuned)],
        notes=tuned.notes,
        commands=commands,
        comparison=False,
    )


def _headline(tuned: Tuned) -> Metric:
    values = {"best": tuned.best.value}
    first = tuned.rows[0]
    if first.number == 0 and first.state == "complete" and first != tuned.best:
        values["first trial"] = first.value
    return Metric(tuned.metric.name, values, tuned.metric.unit, tuned.metric.better)


def _pictures(tuned: Tuned) -> Iterator[tuple[str, str, str, Figure]]:
    metric, better, names = tuned.metric, tuned.metric.better, short_names(tuned.space)
    assert better is not None
    complete = [row.state == "complete" for row in tuned.rows]
    caption = "Each trial on the validation rows, and the best so far."
    figure = plots.search_history(
        [row.value for row in tuned.rows], complete, better=better, ylabel=metric.title
    )
    yield "history", "Course", caption, figure
    if tuned.importances:
        caption = "Share of each parameter in what sets the best tenth of the trials apart."
        figure = plots.parameter_importances(
            {names[key]: share for key, share in tuned.importances.items()}
        )
        yield "importances", "Importance", caption, figure
    ended = [row for row, done in zip(tuned.rows, complete, strict=True) if done]
    figure = plots.parameter_slices(
        [{names[key]: value for key, value in row.params.items()} for row in ended],
        [row.value for row in ended if row.value is not None],
        better=better,
        ylabel=metric.title,
        logarithmic=[
            names[key] for key, axis in tuned.space.items() if isinstance(axis, Range) and axis.log
        ],
    )
    caption = "Complete trials by what they tried; later ones are darker, the best has a ring."
    yield "slices", "Parameter by parameter", caption, figure


def _best(tuned: Tuned) -> Table:
    rows = [[key, _shown(tuned.best.params[key]), str(axis)] for key, axis in tuned.space.items()]
    return Table(f"The best, trial {tuned.best.number}", ["setting", "best", "searched"], rows)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else number(value)


def _trials(tuned: Tuned) -> Table:
    """All trials, the best first, those without a value last."""
    sign = -1 if tuned.metric.better == "higher" else 1

    def rank(row: TrialRow) -> tuple[bool, bool, float]:
        return row.state != "complete", row.value is None, sign * (row.value or 0.0)

    names = short_names(tuned.space).values()
    columns = ["trial", "state", tuned.metric.title, *names, "epochs", "seconds"]
    rows = [
        [
            row.number,
            row.state,
            Measured(row.value, best=row == tuned.best),
            *(row.params.get(key) for key in tuned.space),
            row.epochs,
            None if row.seconds is None else round(row.seconds, 1),
        ]
        for row in sorted(tuned.rows, key=rank)
    ]
    return Table("Trials", columns, rows)
