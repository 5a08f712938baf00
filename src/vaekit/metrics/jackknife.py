"""The sampling error of a statistic of two samples, by leaving out one group of rows at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vaekit.errors import DataError

__all__ = ["GROUPS", "jackknife"]

GROUPS = 10


def jackknife(
    statistic: Callable[[Tensor, Tensor], Tensor], n: int, m: int, *, groups: int = GROUPS
) -> tuple[Tensor, Tensor]:
    r"""A statistic of two samples and its standard error.

    With :math:`\theta_{-g}` computed without the g-th of G groups of each sample,

    .. math:: \mathrm{se}^2 = \frac{G - 1}{G} \sum_g (\theta_{-g} - \bar\theta)^2 .

    Unlike the bootstrap it repeats no row, so that nearest neighbours stay what they are.

    Args:
        statistic: Of the numbers of the rows to use in each sample, two int64 tensors; scalar or
            of shape (s,).
        n: Rows of the first sample.
        m: Rows of the second sample.
        groups: G; every G-th row is in the same group.

    Returns:
        The statistic of all rows, and its standard error, of the same shape.

    Raises:
        DataError: If a sample has fewer than two rows for each group.

    References:
        The Jackknife and the Bootstrap for General Stationary Observations (Künsch, 1989), Annals
        of Statistics 17(3), for leaving out groups.

    Example:
        >>> x = torch.arange(20.0)
        >>> mean, error = jackknife(lambda i, j: x[i].mean(), 20, 20)
        >>> float(mean)
        9.5
    """
    if min(n, m) < 2 * groups:
        raise DataError(
            "too few rows for a sampling error", expected=f"at least {2 * groups}", got=min(n, m)
        )
    rows, others = torch.arange(n), torch.arange(m)
    without = torch.stack(
        [statistic(rows[rows % groups != g], others[others % groups != g]) for g in range(groups)]
    ).double()
    error = without.std(0, correction=0) * (groups - 1) ** 0.5
    return statistic(rows, others).double(), error
