"""``vaekit detect score`` and ``explain``: a trained detector applied to tables."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from vaekit.cli.console import Json, emit, handled, say
from vaekit.errors import ConfigError
from vaekit.writing import check_suffix, refuse_overwriting, write_columns

__all__ = ["explain", "score"]

Detector = Annotated[Path, typer.Argument(help="Folder of: vaekit detect train.")]
Table = Annotated[
    str, typer.Argument(help="FILE.csv, FILE.tsv, FILE.parquet or a folder of Parquet files.")
]


def score(  # noqa: PLR0913  one parameter per option
    run: Detector,
    data: Table,
    out: Annotated[Path, typer.Option(help="File to write: .csv, .parquet or .npz.")] = Path(
        "scores.csv"
    ),
    keep: Annotated[
        str | None,
        typer.Option(help="Columns of the table to write beside the scores, by comma: id,date."),
    ] = None,
    contamination: Annotated[
        float | None, typer.Option(help="Draw the line anew: this share of these rows.")
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(help="The same: how often a normal row may be called an anomaly."),
    ] = None,
    budget: Annotated[
        int | None, typer.Option(help="The same: so many rows, the most anomalous ones.")
    ] = None,
    engine: Annotated[
        str,
        typer.Option(help="local, or ray for many machines (pip install 'vaekit\\[cluster]')."),
    ] = "local",
    as_json: Json = False,
) -> None:
    """Write a line for each row, in order: its score, and whether it is an anomaly.

    p_value is there where the line was drawn with --alpha. A row's score does not depend on other
    rows. The table is read piece by piece; columns that training left out may be there or not.
    """
    with handled(as_json=as_json):
        check_suffix(out)
        from vaekit.tasks.detection import score_file

        found = score_file(
            run,
            data,
            out,
            engine=cast(Any, engine),
            keep=[name.strip() for name in keep.split(",") if name.strip()] if keep else [],
            contamination=contamination,
            alpha=alpha,
            budget=budget,
        )
        for name, count in found.unseen.items():
            say(f"note: column {name!r}: a value that training never met in {_rows(count)}")
        for name, count in found.absent.items():
            say(f"note: column {name!r}: no value, as in no training row, in {_rows(count)}")
        result = found._asdict() | {"path": str(found.path)}
        result["file"] = result.pop("path")
        text = (
            f"{found.rows:,} scores in {found.path}, {found.anomalies:,} anomalies beyond "
            f"{found.threshold:.4f}"
        )
        emit(result, text, as_json=as_json)


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"


def explain(
    run: Detector,
    data: Table,
    top: Annotated[int, typer.Option(min=1, help="Rows, the most anomalous ones.")] = 50,
    columns: Annotated[int, typer.Option(min=1, help="Columns of each row.")] = 3,
    out: Annotated[Path, typer.Option(help="File to write: .csv or .parquet.")] = Path(
        "explanations.csv"
    ),
    report: Annotated[
        bool, typer.Option("--report", help="Also write a page, with .html for its ending.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write which columns make the most anomalous rows so, and what was expected in them.

    One line for each such cell: row, score, rank, column, value, expected, contribution to the
    score, and excess, which is the contribution beyond that of a typical row.
    """
    with handled(as_json=as_json):
        check_suffix(out)
        if out.suffix == ".npz":
            raise ConfigError("values are text", expected=".csv or .parquet", where="--out")
        for written in (out, out.with_suffix(".html"))[: 1 + report]:
            refuse_overwriting(written, data)
        from vaekit.report import report_ranking
        from vaekit.tasks.detection import VAEDetector, explain_file

        detector = VAEDetector.load(run)
        ranking = explain_file(detector, data, top=top)
        table = ranking.top(columns)
        count = write_columns([{str(name): table[name].to_numpy() for name in table}], out)
        result: dict[str, Any] = {"file": str(out), "lines": count, "rows": len(ranking.rows)}
        if report:
            page = report_ranking(
                ranking,
                detector,
                out.with_suffix(".html"),
                name=Path(data).name,
                columns=columns,
                command=shlex.join(["vaekit", *sys.argv[1:]]),
            )
            result["report"] = str(page)
        result["columnless"] = len(ranking.columnless())
        if result["columnless"]:
            say(
                f"note: {_rows(result['columnless'])} of {len(ranking.rows)} stand out by the "
                "combination of their values, more than by any columns"
            )
        best = table.loc[table["rank"] == 1, "column"].value_counts()
        result["explained_by"] = {str(name): int(n) for name, n in best.items()}
        said = ", ".join(f"{name} {n}" for name, n in result["explained_by"].items())
        text = f"{count} lines for {len(ranking.rows)} rows in {out}; explained best by: {said}"
        emit(result, text, as_json=as_json)
