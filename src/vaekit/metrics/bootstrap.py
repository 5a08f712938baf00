"""The sampling error of a statistic of one sample, by drawing its rows again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["bootstrap_error"]


def bootstrap_error(
    statistic: Callable[[NDArray[np.int64]], Any],
    n: int,
    *,
    draws: int = 50,
    rng: np.random.Generator | None = None,
) -> NDArray[np.float64]:
    r"""The standard deviation of a statistic over samples of n of n rows with replacement.

    Args:
        statistic: Of the numbers of the rows to use, int64 of shape (n,); scalar or of shape (s,).
        n: How many rows there are.
        draws: How many samples B; the error is known to a share of about :math:`1/\sqrt{2B}`.
        rng: Where the rows come from; by default a generator of seed 0.

    References:
        Bootstrap Methods: Another Look at the Jackknife (Efron, 1979), Annals of Statistics 7(1).

    Example:
        >>> x = np.random.default_rng(0).normal(size=400)
        >>> bool(0.04 < bootstrap_error(lambda rows: x[rows].mean(), 400) < 0.06)
        True
    """
    rng = np.random.default_rng(0) if rng is None else rng
    values = [statistic(rng.integers(n, size=n)) for _ in range(draws)]
    return np.asarray(np.std(values, axis=0, ddof=1), np.float64)
