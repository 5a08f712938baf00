"""One table of numbers for a model and a data set: what ``vaekit evaluate`` prints."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from vaekit.errors import ConfigError, DataError
from vaekit.metrics.likelihood import Scores, mean_and_error, score
from vaekit.metrics.measures import KEYS
from vaekit.metrics.probes import knn_accuracy
from vaekit.metrics.rate_distortion import active_units, posterior_means
from vaekit.metrics.reconstruction import squared_error
from vaekit.metrics.scored import (
    Batch,
    Batches,
    Scorable,
    evaluating,
    like_model,
    why_no_density,
)

__all__ = ["blank_metrics", "evaluate_model", "put_accuracy", "put_mean"]


def evaluate_model(
    model: Scorable,
    data: Batches,
    *,
    samples: int = 500,
    seed: int = 0,
    batch_size: int = 500,
    train: Batches | None = None,
) -> dict[str, Any]:
    """All metrics of a model on a data set, ready for JSON.

    Args:
        model: Any model that gives evidence; an autoencoder gets no likelihoods.
        data: Rows to measure, in model units.
        samples: K, codes drawn for each row, for the ELBO and the log marginal alike.
        seed: Determines the draws of each row, with its number: nothing depends on the batches.
        batch_size: Rows to take at a time.
        train: Labelled training rows; with them the 5-NN accuracy of the codes is measured.

    Returns:
        The keys :data:`vaekit.metrics.KEYS`, in nats per row where they are nats, and ``notes``,
        sentences about what is missing or needs care. A key is None where it is undefined. ``mse``
        compares x with E[x|z] at the posterior mean, in model units. ``*_error`` are standard
        errors over rows.

    Raises:
        DataError: If there are no rows.

    Example:
        >>> from types import SimpleNamespace
        >>> from vaekit.models import LinearVAE
        >>> rows = SimpleNamespace(x=torch.randn(20, 6), y=None, c=None)
        >>> data = SimpleNamespace(batches=lambda size, train: [rows])
        >>> found = evaluate_model(LinearVAE().build(event_shape=(6,)), data, samples=10)
        >>> found["n"], found["samples"], found["knn_accuracy"]
        (20, 10, None)
    """
    rows: list[_Rows] = []
    for batch in data.batches(batch_size, train=False):
        rows.append(_measure(model, batch, samples, seed, sum(len(r.means) for r in rows)))
    found = blank_metrics(sum(len(r.means) for r in rows))
    _put_scores(found, [r.scores for r in rows if r.scores is not None])
    _put_reconstruction(found, rows)
    means = torch.cat([r.means for r in rows])
    if model.has_density:
        found["active_units"] = active_units(means)
    else:
        found["notes"].append(
            "no elbo, log_marginal, rate, distortion or active_units: " + why_no_density(model)
        )
    if any(r.grey for r in rows):
        found["notes"].append(GREY)
    if train is not None:
        _put_accuracy(found, model, train, rows, batch_size)
    return found


NEIGHBOURS = 5
GREY = (
    "grey values in [0, 1] under a Bernoulli likelihood: log p(x|z) is a cross-entropy, the "
    "expected log-likelihood under dynamic binarisation, and not a density of x"
)


@dataclasses.dataclass(frozen=True, slots=True)
class _Rows:
    """What one batch leaves behind; the observations themselves are let go."""

    means: Tensor
    scores: Scores | None
    squared_error: Tensor | None
    no_reconstruction: str
    y: Tensor | None
    grey: bool


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
    mean, error = mean_and_error(values)
    found[name], found[f"{name}_error"] = mean, None if math.isnan(error) else error


def put_accuracy(
    found: dict[str, Any], train_codes: Any, train_labels: Any, codes: Any, labels: Any
) -> None:
    """Put the 5-NN accuracy of codes in a table, or a note where too few rows can vote."""
    if len(train_codes) < NEIGHBOURS:
        few = f"it needs {NEIGHBOURS} training rows, got {len(train_codes)}"
        found["notes"].append(f"no knn_accuracy: {few}")
        return
    found["knn_accuracy"] = knn_accuracy(train_codes, train_labels, codes, labels, NEIGHBOURS)


def _measure(model: Scorable, batch: Batch, samples: int, seed: int, first_row: int) -> _Rows:
    scores = None
    if model.has_density:
        scores = score(model, batch.x, batch.c, samples=samples, seed=seed, first_row=first_row)
    error, reason = _squared_error(model, batch)
    means = posterior_means(model, batch.x, batch.c).flatten(1)
    return _Rows(means, scores, error, reason, batch.y, _is_grey(model, batch.x))


def _squared_error(model: Scorable, batch: Batch) -> tuple[Tensor | None, str]:
    """The squared error of each row, or why there is none: some likelihoods have no mean."""
    with evaluating(model):
        c = None if batch.c is None else like_model(model, batch.c)
        try:
            reconstruction = model.reconstruct(like_model(model, batch.x), c)
        except ConfigError as error:
            return None, str(error)
    return squared_error(batch.x, reconstruction), ""


def _is_grey(model: Scorable, x: Tensor) -> bool:
    likelihood = getattr(model, "likelihood", None)
    if likelihood is None or likelihood.spec.kind != "likelihood/bernoulli":
        return False
    return not bool(((x == 0) | (x == 1)).all())


def _put_scores(found: dict[str, Any], scores: list[Scores]) -> None:
    if not scores:
        return
    found["samples"] = scores[0].samples
    for name in ("elbo", "log_marginal", "rate", "distortion"):
        put_mean(found, name, torch.cat([getattr(s, name) for s in scores]))


def _put_reconstruction(found: dict[str, Any], rows: list[_Rows]) -> None:
    errors = [r.squared_error for r in rows if r.squared_error is not None]
    if len(errors) == len(rows):
        put_mean(found, "mse", torch.cat(errors))
    else:
        reason = next(r.no_reconstruction for r in rows if r.no_reconstruction)
        found["notes"].append(f"no mse: {reason}")


def _put_accuracy(
    found: dict[str, Any], model: Scorable, train: Batches, rows: list[_Rows], batch_size: int
) -> None:
    test_labels = _classes([r.y for r in rows])
    codes, labels = [], []
    for batch in train.batches(batch_size, train=False):
        if test_labels is None or batch.y is None:
            break
        codes.append(posterior_means(model, batch.x, batch.c).flatten(1))
        labels.append(batch.y)
    train_labels = _classes(labels)
    if train_labels is None or test_labels is None:
        found["notes"].append("no knn_accuracy: it needs classes in training and evaluated rows")
        return
    means = torch.cat([r.means for r in rows])
    put_accuracy(found, torch.cat(codes), train_labels, means, test_labels)


def _classes(labels: Sequence[Tensor | None]) -> Tensor | None:
    """All labels in one tensor, or None where some are missing or no classes."""
    present = [y.cpu() for y in labels if y is not None and not y.is_floating_point()]
    return torch.cat(present) if present and len(present) == len(labels) else None
