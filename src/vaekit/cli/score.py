"""``vaekit score``: how likely a saved model finds each row, e.g. to find anomalies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from vaekit.cli.codes import Run, in_batches, rows_of
from vaekit.cli.console import Json, emit, handled
from vaekit.writing import Columns, check_suffix, write_columns

__all__ = ["score"]


def score(
    run: Run,
    data: Annotated[
        str | None,
        typer.Argument(help="Other data, all its rows; by default the run's own held-out rows."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write: .csv, .parquet or .npz.")
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, help="Codes K per row; log_marginal is written when K > 1.")
    ] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Of the codes' noise.")] = 0,
    as_json: Json = False,
) -> None:
    """Write the elbo, rate and distortion of each row in nats, in the order of the rows.

    All rows share their noise, so that a row's score does not depend on other rows. With K > 1
    log_marginal is the importance-sampled log p(x). A low elbo or log_marginal means unlikely.
    """
    with handled(as_json=as_json):
        path = out or run / "scores.csv"
        check_suffix(path)
        artifact, rows = rows_of(run, data, whole=True)
        from vaekit.metrics.likelihood import score as scores_of

        model = artifact.model.double()
        names = ["elbo", "rate", "distortion", *(["log_marginal"] if samples > 1 else [])]
        totals: list[float] = []

        def scored() -> Iterator[Columns]:
            for batch in in_batches(rows):
                found = scores_of(model, batch.x, batch.c, samples=samples, seed=seed)
                totals.append(float(found.elbo.sum()))
                yield {name: getattr(found, name).numpy() for name in names}

        n = write_columns(scored(), path)
        mean = sum(totals) / n
        result = {"file": str(path), "rows": n, "samples": samples, "elbo": mean}
        emit(result, f"{n} scores in {path}, mean elbo {mean:.4f}", as_json=as_json)
