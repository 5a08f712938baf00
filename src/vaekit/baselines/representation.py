"""What every way of representing data can do: one protocol for VAEs and their baselines."""

from __future__ import annotations

from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import torch
from numpy.typing import ArrayLike

from vaekit.baselines.flat import Floats, as_rows
from vaekit.metrics import (
    BASIC,
    Instruments,
    blank_metrics,
    put_active_units,
    put_disentanglement,
    put_mean,
    put_neighbours,
    put_numbers,
    put_probes,
    put_reconstruction,
    put_samples,
    row_errors,
)
from vaekit.metrics.spread import evenly

__all__ = ["Representation", "summarise"]


@runtime_checkable
class Representation(Protocol):
    """Codes of data and the way back; arrays are float64, rows are in model units.

    Attributes:
        name: What tables and pictures call it.
        latent_dim: Numbers in one code, k.
        notes: What a reader of its figures must know.
    """

    name: str
    latent_dim: int
    notes: tuple[str, ...]

    def fit(self, x: ArrayLike) -> Self:
        """Learn from rows of shape ``(n, *event)``."""
        ...

    def encode(self, x: ArrayLike) -> Floats:
        """Codes (posterior means where there is a posterior), shape (n, k)."""
        ...

    def decode(self, z: ArrayLike) -> Floats | None:
        """E[x|z] at codes of shape (n, k), shape ``(n, *event)``; None without a way back."""
        ...

    def reconstruct(self, x: ArrayLike) -> Floats | None:
        """``decode(encode(x))``."""
        ...

    def sample(self, n: int, *, seed: int) -> Floats | None:
        """New observations, shape ``(n, *event)``, determined by ``seed``, or None."""
        ...

    def score_samples(self, x: ArrayLike) -> Floats | None:
        """log p(x) in nats, shape (n,), or None where there is no density."""
        ...


def summarise(
    representation: Representation,
    train: ArrayLike,
    test: ArrayLike,
    *,
    labels: tuple[ArrayLike, ArrayLike] | None = None,
    numbers: tuple[ArrayLike, ArrayLike] | None = None,
    test_factors: ArrayLike | None = None,
    instruments: Instruments = BASIC,
    seed: int = 0,
) -> dict[str, Any]:
    """Fit on one set, measure on another: the table of :func:`vaekit.metrics.evaluate_model`.

    Args:
        representation: What to fit.
        train: Rows to learn from, shape ``(m, *event)``.
        test: Rows to measure, shape ``(n, *event)``.
        labels: Classes of the training rows (m,) and of the measured rows (n,); with them the
            codes are probed.
        numbers: Numbers beside the training rows (m, F) and the measured rows (n, F), which a
            linear regression reads from the codes.
        test_factors: What made the measured rows, shape (n, F), to compare the codes with.
        instruments: The range of x, and by which features samples are compared, if they are.
        seed: Of the samples.

    Returns:
        The same keys, None where undefined. ``log_marginal`` is exact, so that there is no bound
        beside it and ``samples`` is None.

    Example:
        >>> from vaekit.baselines import PPCA
        >>> rows = np.random.default_rng(0).normal(size=(50, 4))
        >>> found = summarise(PPCA(latent_dim=2).build(), rows[:40], rows[40:])
        >>> found["n"], found["elbo"], found["active_units"]
        (10, None, 2)
    """
    rows = as_rows(test)
    representation.fit(train)
    codes = representation.encode(rows)
    found = blank_metrics(len(rows))
    found["notes"] += representation.notes
    original, decoded = _tensor(rows), representation.decode(codes)
    if decoded is not None:
        errors = row_errors(original, _tensor(decoded), peak=instruments.peak)
        put_reconstruction(found, *errors)
    log_prob = representation.score_samples(rows)
    if log_prob is None:
        found["notes"].append(f"no likelihoods: {representation.name} is not a density")
    else:
        put_mean(found, "log_marginal", _tensor(log_prob))
        put_active_units(found, _tensor(codes))
        found["notes"].append("log_marginal is exact")
    put_disentanglement(found, codes, test_factors, seed=seed)
    if labels is not None:
        put_probes(found, representation.encode(train), labels[0], codes, labels[1])
    if numbers is not None:
        put_numbers(found, representation.encode(train), numbers[0], codes, numbers[1])
    put_neighbours(found, rows, codes)
    if instruments.features is not None:
        some = original[evenly(len(rows), min(len(rows), instruments.generated))]
        made = representation.sample(len(some), seed=seed)
        if made is None:
            found["notes"].append(f"no samples: {representation.name} makes none")
        else:
            put_samples(found, instruments.features, some, _tensor(made))
    return found


def _tensor(values: Floats) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))
