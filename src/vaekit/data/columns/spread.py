"""Mean, deviation and spacing of numbers, collected some rows at a time."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["Spread"]

DECIMALS = 6
"""Most decimals that count as a spacing; numbers with more are taken as continuous."""
PROBED = 1_000
"""Rows that rule out most spacings before all are looked at."""
ROUNDING = {False: 1e-12, True: 1.2e-7}
"""Relative error of a decimal number as it is stored, by whether in single precision. It is
relative, as 1e-10 is no multiple of 1, and capped, as a number with no digits after the point left
tells nothing of them."""
LARGEST_ERROR = 0.02


class Spread:
    """Count, mean, standard deviation, range and spacing of numbers; NaN is left out.

    The spacing is the largest of 1, 0.1, 0.01 … of which all values are multiples, 0 where none
    of them fits.

    References:
        | Updating formulae and a pairwise algorithm for computing sample variances (Chan, Golub &
          LeVeque, 1979)

    Example:
        >>> spread = Spread()
        >>> spread.add(np.array([0.5, 1.0, np.nan]))
        >>> spread.add(np.array([1.5]))
        >>> spread.mean, spread.count, spread.spacing
        (1.0, 3, 0.1)
    """

    __slots__ = ("_decimals", "_single", "_squares", "count", "high", "low", "mean")

    def __init__(self) -> None:
        self.count = 0
        self.mean = self._squares = 0.0
        self.low, self.high = math.inf, -math.inf
        self._decimals: int | None = 0
        self._single = False

    def add(self, values: np.ndarray, *, single: bool = False) -> None:
        """Take in some values.

        Args:
            values: Shape ``(n,)``.
            single: Whether they were written in single precision, and are exact to 7 digits only.
        """
        values = values[~np.isnan(values)]
        if not len(values):
            return
        self._single |= single
        n, total = len(values), self.count + len(values)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused in use
            mean = float(values.mean())
            gap = mean - self.mean
            squares = float(np.square(values - mean).sum())
            self._squares += squares + gap * gap * (self.count * n / total)
        self.mean += gap * n / total
        self.count = total
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))
        self._narrow(values)

    def _narrow(self, values: np.ndarray) -> None:
        """Allow as many decimals as these values need."""
        for some in (values[:PROBED], values):
            while self._decimals is not None and not self._fits(some, self._decimals):
                self._decimals = self._decimals + 1 if self._decimals < DECIMALS else None

    def _fits(self, values: np.ndarray, decimals: int) -> bool:
        with np.errstate(over="ignore", invalid="ignore"):  # infinity − infinity fits nothing
            shifted = values * 10.0**decimals
            error = np.abs(shifted - np.rint(shifted))
            allowed = np.minimum(np.abs(shifted) * ROUNDING[self._single], LARGEST_ERROR)
        return bool((error <= allowed).all())

    @property
    def deviation(self) -> float:
        """Standard deviation over n: 0 where all values are the same, NaN where it overflows."""
        return math.sqrt(self._squares / self.count) if self.low < self.high else 0.0

    @property
    def is_constant(self) -> bool:
        """Whether there is no value, or only one that repeats."""
        return not self.low < self.high

    @property
    def spacing(self) -> float:
        """What all values are multiples of, 0 for continuous numbers."""
        return 0.0 if self._decimals is None or not self.count else 10.0**-self._decimals
