"""One table of numbers for a model and a data set: what ``vaekit evaluate`` prints."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from vaekit.distributions import row_noise
from vaekit.errors import ConfigError
from vaekit.metrics.disentanglement import put_disentanglement
from vaekit.metrics.likelihood import Scores, block_seed, rows_at_once, score
from vaekit.metrics.measures import MEASURES
from vaekit.metrics.probe_table import put_neighbours, put_numbers, put_probes
from vaekit.metrics.rate_distortion import (
    DRAWS,
    posterior_means,
    rate_by_dimension,
)
from vaekit.metrics.scored import (
    Batch,
    Batches,
    Scorable,
    evaluating,
    like_model,
    why_no_density,
)
from vaekit.metrics.spread import SpreadRows, spread_rows
from vaekit.metrics.table import (
    BASIC,
    NOT_FINITE,
    Instruments,
    blank_metrics,
    put_active_units,
    put_mean,
    put_reconstruction,
    put_samples,
    put_surgery,
    row_errors,
)

__all__ = ["evaluate_model"]


def evaluate_model(
    model: Scorable,
    data: Batches,
    *,
    samples: int = 500,
    seed: int = 0,
    batch_size: int = 500,
    train: Batches | None = None,
    instruments: Instruments = BASIC,
    only: Collection[str] | None = None,
) -> dict[str, Any]:
    """All metrics of a model on a data set, ready for JSON.

    Args:
        model: Any model that gives evidence; an autoencoder gets no likelihoods.
        data: Rows to measure, in model units. Where it has generative ``factors``, codes are
            compared with them.
        samples: K, codes drawn for each row, for the ELBO and the log marginal alike.
        seed: Determines the draws of each row, with its number: nothing depends on the batches.
        batch_size: Rows to take at a time.
        train: Training rows; by them the codes are probed for classes (labels), and for the
            ``numbers`` that lie beside both data sets.
        instruments: The range of x, and by which features samples are compared, if they are.
        only: Keys to measure; what shares their work may come with them, all else is left None
            without a note. None measures everything.

    Returns:
        The keys :data:`~vaekit.metrics.KEYS`, in nats per row where they are nats, and
        ``notes``, sentences about what is missing or needs care. A key is None where it is
        undefined or not finite. Reconstructions are E[x|z] at the posterior mean, in model units.
        ``surgery_rows`` is the N whose logarithm bounds the mutual information; with the marginal
        KL it sums to the rate of one draw for each of these rows. ``kl`` is averaged over at most
        4 draws for each row, where it has no closed form.

        ``*_error`` say how much other measured rows would change the number, the model and what
        was fitted to training rows being what they are. Means over rows have their standard
        error; ``linear_r2``, ``ari``, ``nmi``, ``mig`` and ``sap`` that of a bootstrap;
        ``trustworthiness`` and the distances of samples that of leaving out a tenth of the rows at
        a time (``kernel_distance`` that of its ten blocks). Only those of ``dci_*`` and
        ``factor_vae_score`` are over three seeds on the same rows.

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
    parts = {m.part for m in MEASURES if only is None or m.key in only}
    rows: list[_Rows] = []
    for batch in data.batches(batch_size, train=False):
        first = sum(len(r.means) for r in rows)
        rows.append(_measure(model, batch, samples, seed, first, instruments.peak, parts))
    found = blank_metrics(sum(len(r.means) for r in rows))
    means = torch.cat([r.means for r in rows])
    some = spread_rows(data, len(means), SPREAD_ROWS, batch_size=batch_size)
    _put_scores(found, rows)
    _put_errors(found, rows)
    right = [r.right for r in rows if r.right is not None]
    if right and len(rated := torch.cat(right)):
        put_mean(found, "label_accuracy", rated)
    if model.has_density:
        if "bounds" in parts:
            put_active_units(found, means)
        if "surgery" in parts:
            most = min(SPREAD_ROWS, math.isqrt(SURGERY_WORK // max(1, means.shape[1])))
            put_surgery(found, model, some.at_most(most), seed=seed, batch_size=batch_size)
    elif "bounds" in parts or "surgery" in parts:
        found["notes"].append(
            "no elbo, log_marginal, rate, distortion or active_units: " + why_no_density(model)
        )
    if any(r.grey for r in rows):
        found["notes"].append(GREY)
    if "factors" in parts:
        put_disentanglement(found, means, getattr(data, "factors", None), seed=seed)
    if train is not None and {"probes", "numbers"} & parts:
        _put_probes(found, model, train, data, rows, batch_size, parts)
    if "neighbours" in parts:
        put_neighbours(found, some.x, means[some.index])
    if instruments.features is not None and "samples" in parts:
        some = some.at_most(instruments.generated)
        made = _generated(model, some, draw=instruments.draw, seed=seed)
        put_samples(found, instruments.features, some.x, made)
    return found


GREY = (
    "grey values in [0, 1] under a Bernoulli likelihood: log p(x|z) is a cross-entropy, the "
    "expected log-likelihood under dynamic binarisation, and not a density of x"
)
SPREAD_ROWS = 10_000
"""Most rows for what takes time that grows with their square."""
SURGERY_WORK = 2**28
"""Most elements of codes that ELBO surgery scores: rows times rows times numbers in a code."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Rows:
    """What one batch leaves behind; the observations themselves are let go."""

    means: Tensor
    scores: Scores | None
    kl: Tensor | None
    errors: Mapping[str, Tensor]
    notes: list[str]
    y: Tensor | None
    right: Tensor | None
    grey: bool


def _measure(
    model: Scorable,
    batch: Batch,
    samples: int,
    seed: int,
    first_row: int,
    peak: float | None,
    parts: Collection[str],
) -> _Rows:
    scores = kl = None
    if model.has_density and "bounds" in parts:
        scores = score(model, batch.x, batch.c, samples=samples, seed=seed, first_row=first_row)
        own = {"samples": min(samples, DRAWS), "seed": seed, "first_row": first_row}
        groups = rate_by_dimension(model, batch.x, batch.c, **own)
        kl = torch.cat([group.flatten() for group in groups]) if groups else None
    errors, notes = _errors(model, batch, peak) if "errors" in parts else ({}, [])
    means = posterior_means(model, batch.x, batch.c).flatten(1)
    right = _right(model, batch) if "classifier" in parts else None
    grey = "bounds" in parts and _is_grey(model, batch.x)
    return _Rows(means, scores, kl, errors, notes, batch.y, right, grey)


def _right(model: Scorable, batch: Batch) -> Tensor | None:
    """Whether the model's own classifier, if it has one, names the class of each labelled row."""
    classify = getattr(model, "classify", None)
    if classify is None or batch.y is None:
        return None
    with evaluating(model):
        guess = classify(like_model(model, batch.x)).mean.argmax(-1).cpu()
    y = batch.y.cpu()
    return (guess == y)[y >= 0].double()


def _errors(
    model: Scorable, batch: Batch, peak: float | None
) -> tuple[Mapping[str, Tensor], list[str]]:
    """The errors of each row, or why there are none: some likelihoods have no mean."""
    with evaluating(model):
        c = None if batch.c is None else like_model(model, batch.c)
        try:
            reconstruction = model.reconstruct(like_model(model, batch.x), c)
        except ConfigError as error:
            return {}, [f"no mse: {error}"]
    return row_errors(batch.x, reconstruction, peak=peak)


def _is_grey(model: Scorable, x: Tensor) -> bool:
    likelihood = getattr(model, "likelihood", None)
    if likelihood is None or likelihood.spec.kind != "likelihood/bernoulli":
        return False
    return not bool(((x == 0) | (x == 1)).all())


def _put_scores(found: dict[str, Any], rows: Sequence[_Rows]) -> None:
    scores = [r.scores for r in rows if r.scores is not None]
    if not scores:
        return
    found["samples"] = scores[0].samples
    for name in ("elbo", "log_marginal", "rate", "distortion"):
        put_mean(found, name, torch.cat([getattr(s, name) for s in scores]))
    kl = [len(r.means) * r.kl for r in rows if r.kl is not None]
    if not kl:
        return
    found["kl"] = (torch.stack(kl).sum(0) / found["n"]).tolist()
    wrong = sum(not math.isfinite(value) for value in found["kl"])
    if wrong:
        found["notes"].append(f"no kl: {NOT_FINITE} in {wrong} of {len(found['kl'])} terms")
        found["kl"] = None


def _put_errors(found: dict[str, Any], rows: Sequence[_Rows]) -> None:
    names = set.intersection(*(set(r.errors) for r in rows))
    errors = {
        name: torch.cat([r.errors[name] for r in rows]) for name in rows[0].errors if name in names
    }
    notes = list(dict.fromkeys(note for r in rows for note in r.notes))
    put_reconstruction(found, errors, notes)


def _put_probes(
    found: dict[str, Any],
    model: Scorable,
    train: Batches,
    data: Batches,
    rows: Sequence[_Rows],
    batch_size: int,
    parts: Collection[str],
) -> None:
    """What classes and numbers of the rows can be read from their codes."""
    classes = _classes([r.y for r in rows])
    numbers = [getattr(some, "numbers", None) for some in (train, data)]
    known_numbers = [some.cpu() for some in numbers if some is not None]
    codes, seen = [], []
    for batch in train.batches(batch_size, train=False):
        if len(known_numbers) < 2 and (classes is None or batch.y is None):
            break
        codes.append(posterior_means(model, batch.x, batch.c).flatten(1))
        seen.append(batch.y)
    means, known = torch.cat([r.means for r in rows]), _classes(seen)
    if len(known_numbers) == 2 and "numbers" in parts:
        put_numbers(found, torch.cat(codes), known_numbers[0], means, known_numbers[1])
    if "probes" not in parts:
        return
    if known is None or classes is None or known.dtype != classes.dtype:
        found["notes"].append("no knn_accuracy: it needs classes in training and evaluated rows")
        return
    put_probes(found, torch.cat(codes), known, means, classes)


def _classes(labels: Sequence[Tensor | None]) -> Tensor | None:
    """All labels in one tensor, or None where some are missing."""
    present = [y.cpu() for y in labels if y is not None]
    return torch.cat(present) if present and len(present) == len(labels) else None


def _generated(model: Any, like: SpreadRows, *, draw: bool, seed: int) -> Tensor:
    """As many new rows as there are in ``like``, under the contexts of those.

    Codes of a prior without a context come from one stream for all rows together, so how many are
    drawn at a time must follow from the data alone.
    """
    made, first = [], 0
    for batch in like.batches(rows_at_once(like.x, 1)):
        c = None if batch.c is None else like_model(model, batch.c)
        with evaluating(model), row_noise(block_seed(seed, first), first, len(batch)):
            px = model.sample(len(batch), c)
            made.append((px.sample() if draw else px.mean).cpu())
        first += len(batch)
    return torch.cat(made)
