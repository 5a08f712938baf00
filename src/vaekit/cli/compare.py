"""``vaekit compare``: runs and baselines in one table, on the same rows."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from vaekit.cli.console import Json, emit, handled
from vaekit.errors import ConfigError

__all__ = ["compare"]


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs on the same data.")],
    baselines: Annotated[
        str, typer.Option(help="Names by comma, e.g. pca,ppca,factor-analysis,autoencoder.")
    ] = "pca",
    seeds: Annotated[
        int, typer.Option(min=1, help="Seeds of each baseline that is trained, e.g. autoencoder.")
    ] = 3,
    samples: Annotated[int, typer.Option(min=1, help="Importance samples K of log p(x).")] = 100,
    features: Annotated[
        str | None,
        typer.Option(help="Also compare samples with data, by these features: see evaluate."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the comparison as page, Markdown, JSON and figure."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare runs and baselines on the held-out rows of the first run's data.

    Runs that differ in their seed only share a row: the mean over seeds ± its standard error; of a
    single run the error is over rows. Baselines are fitted on the first run's training rows for
    each latent dimension of the runs; autoencoders use the first run's network and training.

    Example: vaekit compare runs/vae-seed* runs/free --baselines pca,ppca --out comparison
    """
    with handled(as_json=as_json):
        from vaekit.report import comparison_text, report_comparison
        from vaekit.tasks import compare_runs

        if out is not None and out.suffix in {".html", ".md", ".json", ".png"}:
            raise ConfigError("--out is a folder here", got=out.name, remedy=f"--out {out.stem}")
        names = [name.strip() for name in baselines.split(",") if name.strip()]
        rows = compare_runs(runs, names, samples=samples, seeds=seeds, features=features)
        result: dict[str, object] = {"rows": rows}
        if out is not None:
            command = shlex.join(["vaekit", *sys.argv[1:]])
            result["report"] = str(report_comparison(rows, out, command=command))
        emit(result, comparison_text(rows), as_json=as_json)
