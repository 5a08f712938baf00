"""The report of a run: its folder in, one HTML page out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vaekit.artifacts import Artifact, describe, load
from vaekit.baselines import PCA, PPCA, summarise
from vaekit.data import Rows
from vaekit.errors import ConfigError, DataError
from vaekit.metrics import MEASURES, Features
from vaekit.plots import Metric
from vaekit.report.page import build_report
from vaekit.report.pictures import Scene, draw_pictures
from vaekit.spec import registered
from vaekit.tasks import Prepared, instruments_for, open_run, prepare_data, prior_remark, sample_of

__all__ = ["compare_with_pca", "report_run"]

PCA_ROWS = 60_000
CARDS = ("elbo", "log_marginal", "knn_accuracy", "mse")


def report_run(
    folder: Path,
    metrics: Mapping[str, Any],
    *,
    prepared: Prepared | None = None,
    features: Features | None = None,
) -> Path:
    """Draw the pictures of a run and write ``report.html`` beside them.

    Args:
        folder: The run.
        metrics: Of :func:`vaekit.tasks.evaluate_run`.
        prepared: The run's data, if it is at hand.
        features: What the samples were compared by, if they were.

    Returns:
        The page.
    """
    artifact = load(folder)
    run, command = open_run(folder)
    prepared = prepared or prepare_data(run.data, codec=artifact.codec)
    data, train = sample_of(prepared.held_out), sample_of(prepared.part("train"))
    scene = Scene(artifact, data, train, remark=prior_remark(folder, artifact))
    pictures = draw_pictures(scene, folder / "figures")
    pca = compare_with_pca(artifact, data, train, features=features)
    return build_report(
        folder / "report.html",
        title=f"{run.data.source.rsplit('/', 1)[-1]}: a variational autoencoder"
        if artifact.model.has_density
        else f"{run.data.source.rsplit('/', 1)[-1]}: an autoencoder",
        subtitle=_subtitle(artifact, prepared),
        facts=_facts(folder),
        metrics=_rows(metrics, pca),
        figures=[(p.title, p.caption, p.path) for p in pictures],
        warnings=_warnings(artifact, metrics),
        notes=[
            *(note for note in metrics.get("notes", []) if _says_what_is_missing(note)),
            *([pca["problem"]] if "problem" in pca else []),
        ],
        commands=[text for text in (command, _again(folder, metrics)) if text],
    )


def compare_with_pca(
    artifact: Artifact, data: Rows, train: Rows, *, features: Features | None = None
) -> dict[str, Any]:
    """PCA of the same dimension on the same rows; its density only where ours is one too.

    Where the training rows do not vary there is no PCA, and ``problem`` says so.
    """
    batch, rows = _all(data), _all(train)
    factors = getattr(data, "factors", None)
    known = {
        "instruments": instruments_for(artifact.codec, features),
        "test_factors": None if factors is None else factors[: len(batch)],
    }
    k = min(artifact.model.latent_shape[0], rows.x[0].numel(), len(rows.x))
    density = (
        artifact.model.has_density and artifact.model.likelihood.spec.kind == "likelihood/gaussian"
    )
    if density:
        try:
            return _measured(PPCA(latent_dim=k), rows, batch, known)
        except (ConfigError, DataError):
            pass  # k directions hold all there is: no noise is left, and there is no density
    try:
        return _measured(PCA(latent_dim=k), rows, batch, known)
    except DataError as error:  # one training row, or all the same: the model stands alone
        return {"name": f"PCA-{k}", "problem": f"no comparison with PCA: {error}"}


def _measured(
    baseline: PCA | PPCA, rows: Any, batch: Any, known: Mapping[str, Any]
) -> dict[str, Any]:
    labels = None if rows.y is None or batch.y is None else (rows.y.numpy(), batch.y.numpy())
    train, test = rows.x.numpy(), batch.x.numpy()
    found = summarise(baseline.build(), train, test, labels=labels, **known)
    return found | {"name": f"{type(baseline).__name__}-{baseline.latent_dim}"}


def _all(data: Rows) -> Any:
    return next(iter(data.batches(min(len(data), PCA_ROWS))))


def _rows(metrics: Mapping[str, Any], pca: Mapping[str, Any]) -> list[Metric]:
    """The metrics that were measured, the four headline figures first."""
    ours = "VAE" if metrics.get("elbo") is not None else "autoencoder"
    return [
        Metric(
            m.name + _qualified(m.key, metrics),
            {ours: metrics[m.key], pca["name"]: pca.get(m.key)},
            m.unit,
            m.better,
            errors={
                name: table.get(f"{m.key}_error")
                for name, table in ((ours, metrics), (pca["name"], pca))
            },
        )
        for m in sorted(MEASURES, key=lambda m: m.key not in CARDS)
        if metrics.get(m.key) is not None
    ]


def _qualified(key: str, metrics: Mapping[str, Any]) -> str:
    """What the name of a metric does not say: how many samples, how many rows."""
    if key == "log_marginal":
        return f", K = {metrics['samples']}"
    if key == "mutual_information":
        return f", at most log {metrics['surgery_rows']:,}"
    return ""


def _again(folder: Path, metrics: Mapping[str, Any]) -> str:
    """The command that measures the run again."""
    words = ["vaekit", "evaluate", str(folder)]
    if metrics.get("samples") is not None:
        words += ["--samples", str(metrics["samples"])]
    if metrics.get("features") in registered("features"):
        words += ["--features", str(metrics["features"])]
    return shlex.join(words)


def _subtitle(artifact: Artifact, prepared: Prepared) -> str:
    model = artifact.model
    weights = sum(p.numel() for p in model.parameters())
    shape = " × ".join(map(str, model.event_shape))
    return (
        f"{len(prepared.raw):,} rows of {shape}, a code of {model.latent_shape[0]}, "
        f"{weights:,} weights, {len(artifact.history)} epochs"
    )


def _warnings(artifact: Artifact, metrics: Mapping[str, Any]) -> list[str]:
    """Warnings of the last epoch and of the metrics, each alarm once."""
    history = artifact.history
    notes = [note for note in metrics.get("notes", []) if not _says_what_is_missing(note)]
    raised = {note.partition(":")[0] for note in notes}
    last = history[-1].get("warnings", []) if history else []
    return [*(w for w in last if w.partition(":")[0] not in raised), *notes]


def _facts(folder: Path) -> dict[str, Any]:
    described = describe(folder)
    parts = {
        name: "as the encoder, mirrored"
        if name == "decoder" and value is None
        else _one_line(value)
        for name, value in described["model"].items()
        if name != "kind"
    }
    return {
        "Model": parts,
        "Weights": described["weights"],
        "Codec": dict(line.split(": ", 1) for line in described["codec"]),
        "Provenance": {k: v for k, v in described["provenance"].items() if v not in ("", None)},
    }


def _one_line(value: Any) -> str:
    """A part's spec as ``name (field value, …)``."""
    if not isinstance(value, dict):
        return "none" if value is None else str(value)
    if "$ref" in value:
        return f"shared {value['$ref']}"
    fields = [f"{k} {_one_line(v)}" for k, v in value.items() if k != "kind"]
    name = value["kind"].partition("/")[2]
    return f"{name} ({', '.join(fields)})" if fields else name


def _says_what_is_missing(note: str) -> bool:
    """Whether a note on the metrics gives the reason for a metric that is not there."""
    return note.startswith("no ")
