"""``vaekit compare``: runs and baselines in one table, on the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vaekit.cli.console import Json, emit, handled
from vaekit.errors import ConfigError

__all__ = ["compare"]

SHOWN = ("elbo", "log_marginal", "rate", "distortion", "active_units", "mse", "knn_accuracy")


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs on the same data.")],
    baselines: Annotated[
        str, typer.Option(help="Names by comma, e.g. pca,ppca,factor-analysis,autoencoder.")
    ] = "pca",
    samples: Annotated[int, typer.Option(min=1, help="Importance samples K of log p(x).")] = 100,
    out: Annotated[
        Path | None, typer.Option(help="Also write the comparison as an HTML page.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare runs and baselines on the held-out rows of the first run's data.

    Baselines are fitted on that run's training rows with its latent dimension; autoencoders use
    its encoder's network and its training settings.
    """
    with handled(as_json=as_json):
        from vaekit.tasks.comparison import compare_runs

        names = [name.strip() for name in baselines.split(",") if name.strip()]
        rows = compare_runs(runs, names, samples=samples)
        if out is not None:
            _write_page(rows, out)
        emit({"rows": rows}, _text(rows), as_json=as_json)


def _text(rows: list[dict[str, Any]]) -> str:
    """The table as Markdown."""
    lines = ["| model | " + " | ".join(SHOWN) + " |", "|---" * (len(SHOWN) + 1) + "|"]
    lines += [
        f"| {row['name']} | " + " | ".join(_cell(row.get(key)) for key in SHOWN) + " |"
        for row in rows
    ]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return "\N{EN DASH}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _write_page(rows: list[dict[str, Any]], path: Path) -> None:
    from vaekit.report import Table, build_report

    if path.suffix != ".html":
        raise ConfigError("the page is HTML", expected="a name that ends in .html", got=path.name)
    table = Table(
        "On the same held-out rows",
        ["model", *SHOWN],
        [[row["name"], *(row.get(key) for key in SHOWN)] for row in rows],
        caption="Nats per example for the first four; higher is better for elbo and log_marginal.",
    )
    build_report(path, title="Comparison", subtitle=f"{len(rows)} models", tables=[table])
