"""What every way of representing data can do: one protocol for VAEs and their baselines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from vaekit.baselines.flat import Floats, as_rows
from vaekit.metrics import active_units, blank_metrics, put_accuracy, put_mean, squared_error

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
    train_labels: Sequence[Any] | NDArray[Any] | None = None,
    test_labels: Sequence[Any] | NDArray[Any] | None = None,
) -> dict[str, Any]:
    """Fit on one set, measure on another: the table of :func:`vaekit.metrics.evaluate_model`.

    Args:
        representation: What to fit.
        train: Rows to learn from, shape ``(m, *event)``.
        test: Rows to measure, shape ``(n, *event)``.
        train_labels: Classes of the training rows; with both, the 5-NN accuracy is measured.
        test_labels: Classes of the measured rows.

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
    decoded = representation.decode(codes)
    if decoded is not None:
        put_mean(found, "mse", squared_error(_tensor(rows), _tensor(decoded)))
    log_prob = representation.score_samples(rows)
    if log_prob is None:
        found["notes"].append(f"no likelihoods: {representation.name} is not a density")
    else:
        put_mean(found, "log_marginal", _tensor(log_prob))
        found["active_units"] = active_units(_tensor(codes))
        found["notes"].append("log_marginal is exact")
    if train_labels is not None and test_labels is not None:
        train_codes = representation.encode(train)
        put_accuracy(found, train_codes, train_labels, codes, test_labels)
    return found


def _tensor(values: Floats) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))
