"""What every way of representing data can do: one protocol for VAEs and their baselines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from vaekit.errors import ConfigError, DataError, NotFittedError, ShapeError
from vaekit.metrics import active_units, blank_metrics, put_accuracy, put_mean, squared_error

__all__ = ["Floats", "LinearRepresentation", "Representation", "as_rows", "summarise"]

Floats = NDArray[np.float64]


@runtime_checkable
class Representation(Protocol):
    """Codes of data and the way back; arrays are float64, rows are in model units.

    Attributes:
        name: What tables and pictures call it.
        latent_dim: Numbers in one code, k.
    """

    name: str
    latent_dim: int

    def fit(self, x: ArrayLike) -> Self:
        """Learn from rows of shape ``(n, *event)``."""
        ...

    def encode(self, x: ArrayLike) -> Floats:
        """Codes (posterior means where there is a posterior), shape (n, k)."""
        ...

    def decode(self, z: ArrayLike) -> Floats:
        """E[x|z] at codes of shape (n, k), shape ``(n, *event)``."""
        ...

    def reconstruct(self, x: ArrayLike) -> Floats:
        """``decode(encode(x))``."""
        ...

    def sample(self, n: int, *, seed: int) -> Floats:
        """New observations, shape ``(n, *event)``, determined by ``seed``."""
        ...

    def score_samples(self, x: ArrayLike) -> Floats | None:
        """log p(x) in nats, shape (n,), or None where there is no density."""
        ...


class LinearRepresentation:
    """Base of the linear baselines: x ≈ mean + Wz, over rows of any shape.

    Subclasses set the ``loading`` W of shape (D, k) and implement :meth:`_fit`, :meth:`_encode`,
    :meth:`sample` and, where there is a density, :meth:`_log_prob`, all over flat rows.

    Attributes:
        event_shape: Shape of one observation, known after ``fit``.
        mean: The mean of the training rows, shape (D,).
        loading: W, shape (D, k).
    """

    event_shape: tuple[int, ...]
    mean: Floats
    loading: Floats

    def __init__(self, name: str, latent_dim: int) -> None:
        self.name = name
        self.latent_dim = latent_dim

    def fit(self, x: ArrayLike) -> Self:
        """Learn from rows of shape ``(n, *event)``.

        Raises:
            DataError: If rows are fewer than two or all the same, or a value is not finite.
            ConfigError: If the code has more numbers than the data can determine.
        """
        rows = as_rows(x)
        if len(rows) < 2:
            raise DataError("too few rows to learn from", expected="at least 2", got=len(rows))
        flat = rows.reshape(len(rows), -1)
        if self.latent_dim > min(flat.shape):
            raise ConfigError(
                f"{self.name} cannot have that many components",
                expected=f"latent_dim at most {min(flat.shape)}, the smaller side of the data",
                got=self.latent_dim,
            )
        if not np.ptp(flat, axis=0).any():
            raise DataError("all rows are the same, so there is nothing to learn")
        self.mean = flat.mean(0)
        self._fit(flat)
        self.event_shape = rows.shape[1:]
        return self

    def encode(self, x: ArrayLike) -> Floats:
        """Codes, shape (n, k)."""
        return self._encode(self._flat(x) - self.mean)

    def decode(self, z: ArrayLike) -> Floats:
        """mean + Wz, shape ``(n, *event)``."""
        self._check_fitted()
        codes = np.asarray(z, np.float64)
        if codes.ndim != 2 or codes.shape[1] != self.latent_dim:
            raise ShapeError(
                "not codes", expected=f"shape (n, {self.latent_dim})", got=codes.shape
            )
        return self._shaped(self.mean + codes @ self.loading.T)

    def reconstruct(self, x: ArrayLike) -> Floats:
        """``decode(encode(x))``, shape ``(n, *event)``."""
        return self.decode(self.encode(x))

    def score_samples(self, x: ArrayLike) -> Floats | None:
        """log p(x) in nats, shape (n,), or None where there is no density."""
        return self._log_prob(self._flat(x) - self.mean)

    def sample(self, n: int, *, seed: int) -> Floats:
        """Observations mean + Wz + noise at standard normal codes, shape ``(n, *event)``."""
        self._check_fitted()
        generator = np.random.default_rng(seed)
        codes = generator.standard_normal((n, self.latent_dim))
        noise = generator.standard_normal((n, len(self.mean))) * self._noise_scale()
        return self._shaped(self.mean + codes @ self.loading.T + noise)

    def _fit(self, flat: Floats) -> None:
        raise NotImplementedError

    def _encode(self, offset: Floats) -> Floats:
        raise NotImplementedError

    def _log_prob(self, offset: Floats) -> Floats | None:
        raise NotImplementedError

    def _noise_scale(self) -> Floats:
        """Standard deviations of the noise, broadcastable to (D,)."""
        raise NotImplementedError

    def _flat(self, x: ArrayLike) -> Floats:
        self._check_fitted()
        rows = as_rows(x)
        if rows.shape[1:] != self.event_shape:
            raise ShapeError(
                f"rows do not fit the {self.name}",
                expected=f"shape (n, {', '.join(map(str, self.event_shape))})",
                got=rows.shape,
            )
        return rows.reshape(len(rows), -1)

    def _shaped(self, flat: Floats) -> Floats:
        return flat.reshape(len(flat), *self.event_shape)

    def _check_fitted(self) -> None:
        if not hasattr(self, "event_shape"):
            raise NotFittedError(
                f"the {self.name} has not been fitted", remedy="call fit(x) first"
            )


def as_rows(x: ArrayLike) -> Floats:
    """Rows of finite numbers, float64, shape ``(n, *event)``.

    Raises:
        ShapeError: If there is no row axis or no event.
        DataError: If a value is not finite; names the first row.
    """
    rows = np.asarray(x, np.float64)
    if rows.ndim < 2 or not math.prod(rows.shape[1:]):
        raise ShapeError("not rows of data", expected="shape (n, *event)", got=rows.shape)
    if not np.isfinite(rows).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(rows))[0])
        raise DataError(
            "a value that is no finite number",
            got=rows[place],
            where=f"row {place[0]}, element {place[1:]}",
            remedy="fill in or drop missing values first",
        )
    return rows


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
    put_mean(found, "mse", squared_error(_tensor(rows), _tensor(representation.decode(codes))))
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
