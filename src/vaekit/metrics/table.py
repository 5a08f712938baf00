"""The table of metrics that models and baselines share, and how each part of it is filled."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from vaekit.errors import ConfigError, DataError, VaekitError
from vaekit.metrics.features import Features, features_of, name_of
from vaekit.metrics.frechet import frechet_distance
from vaekit.metrics.jackknife import jackknife
from vaekit.metrics.kernel_distance import kernel_distance
from vaekit.metrics.likelihood import mean_and_error
from vaekit.metrics.manifolds import compare_manifolds
from vaekit.metrics.measures import KEYS
from vaekit.metrics.rate_distortion import active_units
from vaekit.metrics.reconstruction import decibels, squared_error
from vaekit.metrics.scored import Batches, Scorable
from vaekit.metrics.structure import structural_similarity
from vaekit.metrics.surgery import elbo_surgery

__all__ = [
    "BASIC",
    "Instruments",
    "blank_metrics",
    "put_active_units",
    "put_mean",
    "put_reconstruction",
    "put_samples",
    "put_surgery",
    "put_value",
    "row_errors",
    "try_to_put",
]


NEIGHBOURS = 5
FEATURE_ROWS = 500
"""Rows whose features are found at a time."""
NOT_FINITE = "not finite"
"""What a note says where a number overflowed or is none; a search of settings looks for it."""
AT_BOUND = 0.1
"""Nats below log N from which the mutual information is said to be at its bound."""


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
    """Put the mean of per-row ``values`` and its standard error (None for one row) in a table.

    Where a value is not finite there is no mean, and a note says of how many rows.
    """
    wrong = int((~values.isfinite()).sum())
    if wrong:
        found["notes"].append(f"no {name}: {NOT_FINITE} in {wrong:,} of {len(values):,} rows")
    else:
        put_value(found, name, *mean_and_error(values))


def put_value(found: dict[str, Any], name: str, value: float, error: float) -> None:
    """Put a number and its standard error in a table; instead of one not finite, None."""
    if math.isfinite(value):
        found[name], found[f"{name}_error"] = value, error if math.isfinite(error) else None
    else:
        found["notes"].append(f"no {name}: {NOT_FINITE}")


def try_to_put(
    found: dict[str, Any], names: Sequence[str], measure: Callable[[], Sequence[Any]]
) -> None:
    """Put numbers in a table, or a note that says why there are none.

    Args:
        found: The table.
        names: Of the numbers.
        measure: Gives the number and the standard error of each name.
    """
    try:
        for name, (value, error) in zip(names, measure(), strict=True):
            put_value(found, name, value, error)
    except VaekitError as error:
        found["notes"].append(f"no {' or '.join(names)}: {error}")


def put_active_units(found: dict[str, Any], means: Tensor) -> None:
    """Put the number of active units of posterior means (n, latent_dim) in a table."""
    try:
        found["active_units"] = active_units(means)
    except DataError as error:
        found["notes"].append(f"no active_units: {error}")


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
        same = int(values.isposinf().sum()) if name == "psnr" else 0
        if same:
            notes = [*notes, f"no {name}: {same} rows came back unchanged"]
        else:
            put_mean(found, name, values)
    found["notes"] += notes


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
        put_value(found, "frechet", *map(float, distance))
        put_value(found, "kernel_distance", *kernel_distance(data, made))
        values, errors = compare_manifolds(data, made, k=NEIGHBOURS)
    except DataError as error:
        found["notes"].append(f"no distances between samples: {error}")
        return
    for name in values._fields:
        put_value(found, name, float(getattr(values, name)), float(getattr(errors, name)))
    fewest, size = min(len(data), len(made)), data.shape[1]
    if fewest <= size:
        found["notes"].append(
            f"frechet of {fewest:,} rows by {size:,} features: with no more rows than features "
            "covariances are singular, and samples of the data itself would be far apart, too; "
            "take more rows or fewer features"
        )
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
        put_value(found, name, getattr(parts, name), getattr(parts, f"{name}_error"))
    if parts.n > 1 and parts.mutual_information > parts.bound - AT_BOUND:
        found["notes"].append(
            f"mutual_information is at its bound, log {parts.n:,} = {parts.bound:.2f} nats: the "
            "codes tell nearly all rows apart, and of more rows it would be more"
        )
