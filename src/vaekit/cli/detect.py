"""``vaekit detect``: anomalies in tables; this file trains, :mod:`vaekit.cli.detected` applies."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from vaekit.cli.console import Json, emit, handled, say
from vaekit.cli.detected import explain, score
from vaekit.cli.train import new_folder
from vaekit.errors import ConfigError

__all__ = ["app"]

app = typer.Typer(
    help="Find anomalous rows of tables, and say which columns make them so.",
    no_args_is_help=True,
)


@app.command()
def train(  # noqa: PLR0913  one parameter per option
    data: Annotated[
        str, typer.Argument(help="FILE.csv, FILE.tsv, FILE.parquet or a folder of Parquet files.")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder of the run, a new one.")] = None,
    types: Annotated[
        list[str] | None,
        typer.Option(
            help="Type of a column where its data type does not say it, e.g. "
            "amount=zero-inflated, visits=count or grade=ordinal:levels=low,middle,high; "
            "may be repeated."
        ),
    ] = None,
    drop: Annotated[
        str | None, typer.Option(help="Columns to leave out, by comma, e.g. id,comment.")
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(help="Column with 1 for anomalies: never an input, only measured with."),
    ] = None,
    latent_dim: Annotated[int | None, typer.Option(help="Dimension of the code.")] = None,
    likelihood: Annotated[
        str | None,
        typer.Option(help="Of numbers, e.g. student-t:scale=per-column or logistic-mixture."),
    ] = None,
    scoring: Annotated[
        str | None,
        typer.Option(
            help="weighted_elbo, elbo, reconstruction_probability, iwae, reconstruction_error "
            "or tail."
        ),
    ] = None,
    contamination: Annotated[
        float | None,
        typer.Option(help="Share of the rows beyond the line; 0.1 where nothing is given."),
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(
            help="Instead: how often a normal row may be called an anomaly; sets rows aside."
        ),
    ] = None,
    trim: Annotated[
        float | None,
        typer.Option(help="Share of the least probable rows that training leaves out."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of training.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the table, instead.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows of a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of Adam at its highest.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    as_json: Json = False,
) -> None:
    """Learn what rows of a table are like, draw the line, and write a report.

    A table of up to 1 GiB is held in memory, a larger one is read again in each pass.

    Example: vaekit detect train payments.parquet --drop id --label is_fraud --out runs/payments
    """
    with handled(as_json=as_json):
        _exclude(contamination=contamination, alpha=alpha)
        _exclude(steps=steps, epochs=epochs)
        params: dict[str, Any] = {
            "latent_dim": latent_dim,
            "likelihood": likelihood,
            "scoring": scoring,
            "contamination": contamination,
            "alpha": alpha,
            "column_types": _types(types or []) or None,
            "trim": trim,
            "steps": steps,
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": learning_rate,
            "random_state": seed,
            "device": device,
        }
        params = {name: value for name, value in params.items() if value is not None}
        from vaekit.report import report_detection
        from vaekit.tasks.detection import VAEDetector, train_detector

        folder = out or new_folder(data, "detector")
        say(f"run folder {folder}")
        found = train_detector(
            VAEDetector(**params, verbose=1),
            data,
            folder,
            label=label,
            drop=_listed(drop),
            command=shlex.join(["vaekit", *sys.argv[1:]]),
        )
        report = report_detection(found)
        for note in found.facts["notes"]:
            say(f"note: {note}")
        schema = _schema(found.detector)
        result = {"run": str(folder), "report": str(report), **found.facts, "columns": schema}
        emit(result, _text(result), as_json=as_json)


def _exclude(**options: Any) -> None:
    """Refuse two options of which one would be ignored."""
    if all(value is not None for value in options.values()):
        raise ConfigError(f"{' and '.join(f'--{name}' for name in options)} exclude each other")


def _types(words: Sequence[str]) -> dict[str, str]:
    """``column=type`` words by column."""
    found = {}
    for word in words:
        name, equals, kind = word.partition("=")
        if not equals or not name or not kind:
            raise ConfigError("not a type of a column", expected="COLUMN=TYPE", got=word)
        found[name] = kind
    return found


def _listed(text: str | None) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()] if text else []


def _schema(detector: Any) -> list[dict[str, Any]]:
    """The columns, one mapping for each."""
    from vaekit.report.detection_report import schema_table

    table = schema_table(detector)
    return [dict(zip(table.columns, map(str, row), strict=True)) for row in table.rows]


def _text(result: dict[str, Any]) -> str:
    """The schema and the main figures, in columns."""
    names = ["column", "type", "missing", "notes"]
    lines = [names, *([row[name] for name in names] for row in result["columns"])]
    widths = [max(len(line[i]) for line in lines) for i in range(len(names))]
    schema = [
        "  ".join(f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    shown = {
        "rows": f"{result['rows']:,}",
        "threshold": f"{result['threshold']:.4f}",
        "anomalies": f"{result['anomalies']:,}",
    }
    for key in ("auroc", "average_precision", "precision", "recall"):
        if result.get(key) is not None:
            shown[key.replace("_", " ").replace("auroc", "AUROC")] = f"{result[key]:.4f}"
    shown["report"] = result["report"]
    width = max(map(len, shown))
    return "\n".join([*schema, "", *(f"{name:<{width}}  {v}" for name, v in shown.items())])


app.command()(score)
app.command()(explain)
