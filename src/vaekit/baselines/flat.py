"""What baselines over flat rows share: checked fits, shapes, and samples of resampled codes."""

from __future__ import annotations

import math
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vaekit.errors import ConfigError, DataError, NotFittedError, ShapeError

__all__ = ["FlatEncoder", "FlatRepresentation", "Floats", "as_rows", "resampled", "some_rows"]

Floats = NDArray[np.float64]


class FlatEncoder:
    """Base of the baselines that see an observation of any shape as D numbers.

    Subclasses implement :meth:`_fit`, :meth:`_encode` and, where there is a density,
    :meth:`_log_prob`, all over flat rows of shape (n, D).

    Args:
        name: What tables and pictures call it.
        latent_dim: Numbers in one code, k.

    Attributes:
        numbers: What it computes in: squares of the data must fit.
        event_shape: Shape of one observation, known after ``fit``.
        mean: The mean of the training rows, shape (D,).
        notes: What a reader of its figures must know.
    """

    numbers: type[np.floating] = np.float64
    event_shape: tuple[int, ...]
    mean: Floats
    notes: tuple[str, ...] = ()

    def __init__(self, name: str, latent_dim: int) -> None:
        self.name = name
        self.latent_dim = latent_dim

    def fit(self, x: ArrayLike) -> Self:
        """Learn from rows of shape ``(n, *event)``.

        Raises:
            DataError: If rows are fewer than two or all the same, or a value is not finite, or
                squares of the values are too large or too small to compute with.
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
        _require_squares(flat, self.numbers, name=self.name)
        self.mean = flat.mean(0)
        self._fit(flat)
        self.event_shape = rows.shape[1:]
        return self

    def encode(self, x: ArrayLike) -> Floats:
        """Codes, shape (n, k)."""
        return self._encode(self._flat(x))

    def score_samples(self, x: ArrayLike) -> Floats | None:
        """log p(x) in nats, shape (n,), or None where there is no density."""
        return self._log_prob(self._flat(x))

    def _fit(self, flat: Floats) -> None:
        raise NotImplementedError

    def _encode(self, flat: Floats) -> Floats:
        raise NotImplementedError

    def _log_prob(self, flat: Floats) -> Floats | None:
        return None

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

    def _check_fitted(self) -> None:
        if not hasattr(self, "event_shape"):
            raise NotFittedError(
                f"the {self.name} has not been fitted", remedy="call fit(x) first"
            )


class FlatRepresentation(FlatEncoder):
    """A :class:`FlatEncoder` with a way back; subclasses implement :meth:`_decode` too.

    Attributes:
        codes: Codes of the rows that were learned from, shape (m, k), where ``sample`` needs them.
    """

    codes: Floats

    def decode(self, z: ArrayLike) -> Floats:
        """Reconstructions of codes, shape ``(n, *event)``."""
        self._check_fitted()
        codes = _floats(z)
        if codes.ndim != 2 or codes.shape[1] != self.latent_dim:
            raise ShapeError(
                "not codes", expected=f"shape (n, {self.latent_dim})", got=codes.shape
            )
        return self._shaped(self._decode(codes))

    def reconstruct(self, x: ArrayLike) -> Floats:
        """``decode(encode(x))``, shape ``(n, *event)``."""
        return self.decode(self.encode(x))

    def sample(self, n: int, *, seed: int) -> Floats:
        """Decoded codes, each number drawn on its own from those of the training rows."""
        self._check_fitted()
        return self.decode(resampled(self.codes, n, seed=seed))

    def _decode(self, codes: Floats) -> Floats:
        raise NotImplementedError

    def _shaped(self, flat: Floats) -> Floats:
        return flat.reshape(len(flat), *self.event_shape)


def as_rows(x: ArrayLike) -> Floats:
    """Rows of finite numbers, float64, shape ``(n, *event)``.

    Raises:
        ShapeError: If there is no row axis or no event.
        DataError: If a value is not finite, and names the first row; or is no number at all.
    """
    rows = _floats(x)
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


def _floats(values: ArrayLike) -> Floats:
    try:
        return np.asarray(values, np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(
            "not numbers",
            expected="an array of numbers, as many in each row",
            got=str(error),
            remedy="turn text into numbers and fill in missing values first",
        ) from error


def _require_squares(flat: Floats, numbers: type[np.floating], *, name: str) -> None:
    """Refuse values whose squares overflow, or whose variances are lost to underflow."""
    limits = np.finfo(numbers)
    with np.errstate(over="ignore", under="ignore"):
        largest = float(np.square(np.abs(flat).max()) * flat.size)
        variance = float(np.square(np.ptp(flat, axis=0)).sum())
    low, high = float(limits.tiny / limits.eps), float(limits.max * limits.eps)
    if not (low <= variance and largest <= high):
        size, spread = np.abs(flat).max(), np.ptp(flat, axis=0).max()
        raise DataError(
            f"squares of the data are too {'small' if variance < low else 'large'} for {name}",
            expected=f"squares between {low:.0e} and {high:.0e}",
            got=f"values up to {size:.3g} that vary by {spread:.3g}",
            remedy="scale the data, for example to a standard deviation of 1",
        )


def some_rows(flat: Floats, most: int, *, seed: int) -> tuple[Floats, tuple[str, ...]]:
    """At most ``most`` rows in their order, drawn without replacement, and a note when fewer."""
    if len(flat) <= most:
        return flat, ()
    kept = np.sort(np.random.default_rng(seed).choice(len(flat), most, replace=False))
    return flat[kept], (f"learned from {most} of {len(flat)} training rows",)


def resampled(codes: Floats, n: int, *, seed: int) -> Floats:
    """New codes, shape (n, k): each number drawn on its own from its column."""
    rows = np.random.default_rng(seed).integers(len(codes), size=(n, codes.shape[1]))
    return np.take_along_axis(codes, rows, axis=0)
