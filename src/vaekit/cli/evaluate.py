"""``vaekit evaluate``: likelihoods, rate, distortion, active units and error of a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vaekit.cli.console import Json, emit, handled, summary

__all__ = ["evaluate"]


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    data: Annotated[
        str | None, typer.Argument(help="Other data; by default the run's own held-out rows.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Importance samples K of log p(x).")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise.")] = 0,
    as_json: Json = False,
) -> None:
    """Measure a saved model. Nats per example; higher is better for elbo and log_marginal.

    On the run's own held-out rows the figures also go into metrics.json and report.html.
    """
    with handled(as_json=as_json):
        from vaekit.artifacts import load
        from vaekit.files import write_json
        from vaekit.report import report_run
        from vaekit.tasks import evaluate_run, open_run, prepare_data

        if data is not None:
            metrics = evaluate_run(run, data, samples=samples, seed=seed)
        else:
            prepared = prepare_data(open_run(run)[0].data, codec=load(run).codec)
            metrics = evaluate_run(run, samples=samples, seed=seed, prepared=prepared)
            write_json(run / "metrics.json", metrics)
            report = report_run(run, metrics, prepared=prepared)
            metrics["report"] = str(report)
        emit(metrics, summary(metrics), as_json=as_json)
