"""The table of metrics that models and baselines share, and how each part of it is filled."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from vaekit.errors import ConfigError, DataError, VaekitError
from vaekit.metrics.features import Features, features_of, name_of
from vaekit.metrics.frechet import frechet_distance
from vaekit.metrics.jackknife import jackknife
from vaekit.metrics.kernel_distance import kernel_distance
from vaekit.metrics.likelihood import mean_and_error
from vaekit.metrics.manifolds import compare_manifolds
from vaekit.metrics.measures import KEYS
from vaekit.metrics.probes import (
    cluster_agreement,
    knn_accuracy,
    linear_r2,
    logistic_accuracy,
    trustworthiness,
)
from vaekit.metrics.reconstruction import decibels, squared_error
from vaekit.metrics.scored import Batches, Scorable
from vaekit.metrics.spread import evenly
from vaekit.metrics.structure import structural_similarity
from vaekit.metrics.surgery import elbo_surgery

__all__ = [
    "BASIC",
    "Instruments",
    "blank_metrics",
    "put_mean",
    "put_neighbours",
    "put_probes",
    "put_reconstruction",
    "put_samples",
    "put_surgery",
    "row_errors",
]


NEIGHBOURS = 5
PROBE_ROWS = 10_000
"""Most codes that regressions are fitted to, and that are clustered."""
FEATURE_ROWS = 500
"""Rows whose features are found at a time."""
AT_BOUND = 0.1
"""Nats below log N from which the mutual information is said to be at its bound."""
NEIGHBOUR_ROWS = 1_000
"""Most rows whose neighbours are compared: the time grows with their square."""


@dataclasses.dataclass(frozen=True, slots=True)
class Instruments:
    """What is measured beside the likelihoods; the same for all that are to be compared.

    Attributes:
        peak: The range of x, for PSNR and SSIM: 1 for images in [0, 1]. None: neither is measured.
        features: What samples are compared by. None: samples are not measured.
        generated: How many rows to generate, and the most held-out rows to compare them with.
        draw: Whether a model's samples are draws from p(x|z), or its mean (as images are shown).
    """

    peak: float | None = None
    features: Features | None = None
    generated: int = 2_000
    draw: bool = False


BASIC = Instruments()
"""Neither a range of x nor samples."""


def blank_metrics(n: int) -> dict[str, Any]:
    """A table of metrics with nothing measured yet.

    Raises:
        DataError: If there are no rows.
    """
    if not n:
        raise DataError("no rows to evaluate")
    return {**dict.fromkeys(KEYS), "n": n, "notes": []}


def put_mean(found: dict[str, Any], name: str, values: Tensor) -> None:
    """Put the mean of per-row ``values`` and its standard error (None for one row) in a table."""
    _put(found, name, *mean_and_error(values))


def row_errors(
    x: Tensor, reconstruction: Tensor, *, peak: float | None = None
) -> tuple[dict[str, Tensor], list[str]]:
    """What each row lost: its ``mse``, ``psnr`` and ``ssim``, and notes on what is missing."""
    errors, notes = {"mse": squared_error(x, reconstruction)}, []
    if peak is not None:
        errors["psnr"] = decibels(x, reconstruction, peak=peak)
        try:
            errors["ssim"] = structural_similarity(x, reconstruction, peak=peak)
        except VaekitError as error:
            notes.append(f"no ssim: {error}")
    return errors, notes


def put_reconstruction(
    found: dict[str, Any], errors: Mapping[str, Tensor], notes: list[str]
) -> None:
    """Put the means of :func:`row_errors` in a table; an infinite PSNR has none."""
    for name, values in errors.items():
        same = int(values.isinf().sum())
        if same:
            notes = [*notes, f"no {name}: {same} rows came back unchanged"]
        else:
            put_mean(found, name, values)
    found["notes"] += notes


def put_probes(
    found: dict[str, Any], train_codes: Any, train_targets: Any, codes: Any, targets: Any
) -> None:
    """Put what can be read from the codes in a table; targets are classes, or floating numbers.

    Args:
        found: The table.
        train_codes: Shape (m, latent_dim).
        train_targets: Shape (m,).
        codes: Shape (n, latent_dim).
        targets: Shape (n,).
    """
    train, known = np.asarray(train_codes), np.asarray(train_targets)
    test, wanted = np.asarray(codes), np.asarray(targets)
    some, answers = _spread(train, PROBE_ROWS), _spread(known, PROBE_ROWS)
    if len(train) > len(some):
        found["notes"].append(f"regressions fitted to {len(some):,} of {len(train):,} codes")
    if known.dtype.kind == "f":
        _try(found, "linear_r2", lambda: linear_r2(some, answers, test, wanted))
        return
    if len(train) < NEIGHBOURS:
        few = f"it needs {NEIGHBOURS} training rows, got {len(train)}"
        found["notes"].append(f"no knn_accuracy: {few}")
    else:
        found["knn_accuracy"] = knn_accuracy(train, known, test, wanted, NEIGHBOURS)
    _try(found, "logistic_accuracy", lambda: logistic_accuracy(some, answers, test, wanted))
    found["ari"], found["nmi"] = cluster_agreement(
        _spread(test, PROBE_ROWS), _spread(wanted, PROBE_ROWS)
    )


def put_neighbours(found: dict[str, Any], x: Any, codes: Any) -> None:
    """Put the trustworthiness of the codes of (at most 1,000 of) the rows in a table."""
    rows, some = (_spread(np.asarray(values), NEIGHBOUR_ROWS) for values in (x, codes))
    _try(found, "trustworthiness", lambda: trustworthiness(rows, some, k=NEIGHBOURS))
    if len(rows) < found["n"]:
        found["notes"].append(f"trustworthiness of {len(rows):,} of {found['n']:,} rows")


def put_samples(found: dict[str, Any], features: Features, x: Tensor, generated: Tensor) -> None:
    """Put the distances between held-out and generated rows in a table, with sampling errors.

    Args:
        found: The table.
        features: What they are compared by.
        x: Held-out rows, shape ``(n, *event)``.
        generated: Generated rows, shape ``(m, *event)``.
    """
    data, made = (features_of(features, rows.split(FEATURE_ROWS)) for rows in (x, generated))
    found["features"], found["generated"] = name_of(features), len(generated)
    try:
        distance = jackknife(lambda i, j: frechet_distance(data[i], made[j]), len(x), len(made))
        _put(found, "frechet", *map(float, distance))
        _put(found, "kernel_distance", *kernel_distance(data, made))
        values, errors = compare_manifolds(data, made, k=NEIGHBOURS)
    except DataError as error:
        found["notes"].append(f"no distances between samples: {error}")
        return
    for name in values._fields:
        _put(found, name, float(getattr(values, name)), float(getattr(errors, name)))
    found["notes"].append(
        f"samples: {len(generated):,} generated against {len(x):,} held-out rows by "
        f"{name_of(features)}; the Fréchet distance falls with their number, so compare it at "
        "equal numbers only"
    )


def put_surgery(
    found: dict[str, Any], model: Scorable, data: Batches, *, seed: int, batch_size: int
) -> None:
    """Put mutual information and marginal KL in a table, or a note where they do not exist."""
    try:
        parts = elbo_surgery(model, data, seed=seed, batch_size=batch_size)
    except ConfigError as error:
        found["notes"].append(f"no mutual_information: {error}")
        return
    found["surgery_rows"] = parts.n
    for name in ("mutual_information", "marginal_kl"):
        _put(found, name, getattr(parts, name), getattr(parts, f"{name}_error"))
    if parts.n > 1 and parts.mutual_information > parts.bound - AT_BOUND:
        found["notes"].append(
            f"mutual_information is at its bound, log {parts.n:,} = {parts.bound:.2f} nats: the "
            "codes tell nearly all rows apart, and of more rows it would be more"
        )


def _put(found: dict[str, Any], name: str, value: float, error: float) -> None:
    found[name], found[f"{name}_error"] = value, None if math.isnan(error) else error


def _try(found: dict[str, Any], name: str, measure: Callable[[], float]) -> None:
    """Put one number in a table, or a note that says why there is none."""
    try:
        found[name] = measure()
    except VaekitError as error:
        found["notes"].append(f"no {name}: {error}")


def _spread(values: Any, most: int) -> Any:
    """At most so many rows, spread evenly."""
    return values if len(values) <= most else values[evenly(len(values), most).numpy()]
