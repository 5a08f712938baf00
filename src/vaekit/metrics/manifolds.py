"""Fidelity and diversity of generated rows, from balls around rows of both samples.

The ball of a row reaches to its k-th nearest neighbour in its own sample; all balls together
estimate the support of the sample.

==========  ======================================================================================
precision   share of generated rows inside a ball of the data: are they realistic?
recall      share of data inside a ball of the generated rows: is all of the data covered?
density     data balls around a generated row over k, averaged: precision that outliers do not lift
coverage    share of data balls that hold a generated row: recall that outliers do not lift
==========  ======================================================================================
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from vaekit.errors import ConfigError
from vaekit.metrics.frechet import check_features
from vaekit.metrics.jackknife import GROUPS, jackknife

__all__ = ["Manifolds", "compare_manifolds"]


class Manifolds(NamedTuple):
    """Four shares, each a float64 scalar; density alone may exceed 1."""

    precision: Tensor
    recall: Tensor
    density: Tensor
    coverage: Tensor


def compare_manifolds(x: Tensor, y: Tensor, *, k: int = 5) -> tuple[Manifolds, Manifolds]:
    """Precision, recall, density and coverage, and the standard error of each.

    Args:
        x: Features of data, shape (n, F).
        y: Features of generated rows, shape (m, F).
        k: Which neighbour a ball reaches to.

    Returns:
        The values and their standard errors.

    Raises:
        ShapeError: If these are not two samples of the same features.
        DataError: If there are fewer than 20 rows of each, or a value is not finite.
        ConfigError: If k is not between 1 and the number of neighbours.

    References:
        | Improved Precision and Recall Metric for Assessing Generative Models (Kynkäänniemi et
          al., 2019), arXiv:1904.06991
        | Reliable Fidelity and Diversity Metrics for Generative Models (Naeem et al., 2020),
          arXiv:2002.09797, for density and coverage

    Example:
        >>> values, _ = compare_manifolds(torch.randn(100, 2), 50 + torch.randn(100, 2))
        >>> [float(value) for value in values]
        [0.0, 0.0, 0.0, 0.0]
    """
    check_features(x, y)
    fewest = min(len(x), len(y)) * (GROUPS - 1) // GROUPS - 1
    if not 1 <= k <= max(1, fewest):
        raise ConfigError("not enough neighbours", expected=f"between 1 and {fewest}", got=k)
    x, y = x.double(), y.double()
    xx, yy, xy = torch.cdist(x, x), torch.cdist(y, y), torch.cdist(x, y)

    def shares(i: Tensor, j: Tensor) -> Tensor:
        return torch.stack(_shares(xx[i][:, i], yy[j][:, j], xy[i][:, j], k))

    values, errors = jackknife(shares, len(x), len(y))
    return Manifolds(*values), Manifolds(*errors)


def _shares(xx: Tensor, yy: Tensor, xy: Tensor, k: int) -> Manifolds:
    """From distances within the data (n, n), within generated rows (m, m), and between (n, m)."""
    in_data = xy <= _radii(xx, k)[:, None]
    in_generated = xy <= _radii(yy, k)[None, :]
    return Manifolds(
        precision=in_data.any(0).double().mean(),
        recall=in_generated.any(1).double().mean(),
        density=in_data.double().sum(0).mean() / k,
        coverage=in_data.any(1).double().mean(),
    )


def _radii(distances: Tensor, k: int) -> Tensor:
    """The distance of each row to its k-th nearest neighbour; the nearest of all is itself."""
    return distances.kthvalue(k + 1).values
