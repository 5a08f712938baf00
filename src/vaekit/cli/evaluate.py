"""``vaekit evaluate``: likelihoods, rate, distortion, active units and error of a saved model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vaekit.cli.console import Json, emit, handled, say_notes, summary

__all__ = ["evaluate"]


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a run.")],
    data: Annotated[
        str | None, typer.Argument(help="Other data; by default the run's own held-out rows.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Importance samples K of log p(x).")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise.")] = 0,
    features: Annotated[
        str | None,
        typer.Option(
            help="Also compare samples with data, by these features: classifier (trained on the "
            "run's labels and kept with the run), pixels, auto, or package.module:function."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure a saved model. Nats per example; higher is better for elbo and log_marginal.

    On the run's own held-out rows the figures also go into metrics.json and report.html.
    """
    with handled(as_json=as_json):
        from vaekit.artifacts import load
        from vaekit.files import write_json
        from vaekit.report import report_run
        from vaekit.tasks import evaluate_run, features_from_text, open_run, prepare_data

        measured: Any = {"samples": samples, "seed": seed, "features": None}
        if data is None or features is not None:
            prepared = prepare_data(open_run(run)[0].data, codec=load(run).codec)
        if features is not None:
            measured["features"] = features_from_text(features, folder=run, prepared=prepared)
        if data is not None:
            metrics = evaluate_run(run, data, **measured)
        else:
            metrics = evaluate_run(run, prepared=prepared, **measured)
            write_json(run / "metrics.json", metrics)
            report = report_run(run, metrics, prepared=prepared, features=measured["features"])
            metrics["report"] = str(report)
        say_notes(metrics)
        emit(metrics, summary(metrics), as_json=as_json)
