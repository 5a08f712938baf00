"""What a search compares: what a run can be tuned by, and what tells of it after each epoch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from vaekit.data import DataCodec, Rows
from vaekit.errors import ConfigError
from vaekit.metrics import MEASURES, Measure, evaluate_model
from vaekit.models import VAEModel
from vaekit.tasks.instruments import instruments_for
from vaekit.tasks.source import Prepared

__all__ = ["WATCHED", "metric_for", "watched", "why_missing"]

WATCHED = {
    "elbo": "valid_elbo",
    "log_marginal": "valid_elbo",
    "distortion": "valid_distortion",
    "mse": "valid_distortion",
}
"""What the history says after each epoch that goes with a metric; others cannot be pruned by."""
LIKELIHOOD = "model.likelihood"
FEW = 8
"""Rows on which an untrained model shows whether a metric exists."""


def metric_for(
    key: str | None, model: VAEModel, prepared: Prepared, space: Collection[str]
) -> Measure:
    """The metric of a search, refused before anything is trained where it cannot be measured.

    Args:
        key: Of the metric; None for the bound, or the squared error where there is no density.
        model: Untrained.
        prepared: The data of the trials.
        space: Dotted paths of what is searched.

    Raises:
        ConfigError: If the metric has no better direction, values of different trials could not
            be compared, or the model, the data or a search lacks what it is measured by.
        DataError: If there are no validation rows.
    """
    metric = _known(key or ("elbo" if model.has_density else "mse"))
    held = prepared.part("validation").head(FEW)
    if metric.unit == "nats":
        _require_nats(metric, model, space)
    lack = _lack(metric, model, held, prepared.codec)
    if lack is not None:
        why, remedy = lack
        raise ConfigError(f"no {metric.key} to tune by: {why}", where="--metric", remedy=remedy)
    return metric


def _known(key: str) -> Measure:
    known = {m.key: m for m in MEASURES if m.better is not None}
    if key not in known:
        raise ConfigError(
            "no metric that can be best", expected=" or ".join(known), got=key, where="--metric"
        )
    return known[key]


def _require_nats(metric: Measure, model: VAEModel, space: Collection[str]) -> None:
    if not model.has_density:
        raise ConfigError(
            f"this model has no density, so no {metric.key}",
            remedy="tune by another: --metric mse",
        )
    if LIKELIHOOD in space:
        raise ConfigError(
            "nats of different likelihoods cannot be compared",
            where=f"--space {LIKELIHOOD}",
            remedy="tune by another metric: --metric mse",
        )


def _lack(
    metric: Measure, model: VAEModel, held: Rows, codec: DataCodec
) -> tuple[str, str] | None:
    """What a metric needs and does not find, and what to do about it."""
    other = f"tune by another metric, e.g. --metric {'elbo' if model.has_density else 'mse'}"
    instruments = instruments_for(codec)
    if metric.key in ("psnr", "ssim") and instruments.peak is None:
        return "it needs images, whose range is known", other
    match metric.part:
        case "samples":
            later = "compare the samples of the best: vaekit evaluate OUT/best --features …"
            why = "it compares samples by features, which a search does not have"
            return why, f"{other}, and {later}"
        case "factors" if getattr(held, "factors", None) is None:
            return "it needs the factors that made the data, which are not known", other
        case "classifier" if not hasattr(model, "classify"):
            return (
                "the model has no classifier of its own",
                "use --recipe semi-supervised-vae, or tune by --metric logistic_accuracy",
            )
        case "numbers" if getattr(held, "numbers", None) is None:
            return (
                "it needs numbers beside the data",
                f"name their columns, --set data.numbers=…, or {other}",
            )
        case "classifier" | "probes" if getattr(held, "y", None) is None:
            return "it needs classes as labels of the data", other
        case "errors" | "surgery":
            few = evaluate_model(
                model, held, samples=1, instruments=instruments, only={metric.key}
            )
            if few[metric.key] is None:
                return why_missing(few, metric.key), other
    return None


def why_missing(table: Mapping[str, Any], key: str) -> str:
    """Why a metric is not in a table: the notes about it, else all notes, else what must be."""
    notes = [str(note) for note in table["notes"]]
    own = [note.partition(": ")[2] for note in notes if key in note.partition(": ")[0].split()]
    return "; ".join(own or notes) or "neither the model nor the data has what it is measured by"


def watched(metric: Measure, space: Collection[str]) -> tuple[str | None, str]:
    """The key of the history by which trials are pruned, and why there is none, in a sentence.

    A distortion goes with an error in units of that error only under one likelihood: another
    family, or another scale, counts it in other nats.

    Example:
        >>> mse = next(m for m in MEASURES if m.key == "mse")
        >>> watched(mse, ["model.latent_dim"])
        ('valid_distortion', '')
        >>> watched(mse, ["model.likelihood.scale"])[0] is None
        True
    """
    key = WATCHED.get(metric.key)
    changed = [p for p in space if p == "model" or f"{p}.".startswith(f"{LIKELIHOOD}.")]
    if key is None or metric.unit == "nats" or not changed:
        return key, ""
    return None, (
        f"no trial is pruned: {metric.key} is known at the end only, and the nats of its epochs "
        f"cannot be compared where the trials differ in {changed[0]}"
    )
