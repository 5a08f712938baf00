"""The kernel distance between two samples: unbiased MMD² with a cubic polynomial kernel."""

from __future__ import annotations

import torch
from torch import Tensor

from vaekit.errors import DataError
from vaekit.metrics.frechet import check_features
from vaekit.metrics.jackknife import GROUPS
from vaekit.metrics.likelihood import mean_and_error

__all__ = ["kernel_distance", "mmd"]


def mmd(x: Tensor, y: Tensor) -> Tensor:
    r"""Unbiased squared maximum mean discrepancy, a float64 scalar.

    .. math::
        \frac{\sum_{i \ne j} k(x_i, x_j)}{n(n-1)} + \frac{\sum_{i \ne j} k(y_i, y_j)}{m(m-1)}
        - \frac{2 \sum_{ij} k(x_i, y_j)}{nm}, \qquad
        k(a, b) = \Big(\frac{a \cdot b}{F} + 1\Big)^3

    Args:
        x: Features of data, shape (n, F).
        y: Features of generated rows, shape (m, F).

    Returns:
        0 in expectation where both come from one distribution; single values may be below.

    Raises:
        ShapeError: If these are not two samples of the same features.
        DataError: If a sample has fewer than two rows, or a value is not finite.

    References:
        A Kernel Two-Sample Test (Gretton et al., 2012).

    Example:
        >>> float(mmd(torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [1.0]])))
        -3.5
    """
    check_features(x, y)
    x, y = x.double(), y.double()
    return (
        _off_diagonal_mean(_kernel(x, x))
        + _off_diagonal_mean(_kernel(y, y))
        - (2 * _kernel(x, y).mean())
    )


def kernel_distance(x: Tensor, y: Tensor, *, blocks: int = GROUPS) -> tuple[float, float]:
    """:func:`mmd` averaged over disjoint blocks of rows, and the standard error of that average.

    Unlike the Fréchet distance it is unbiased at any sample size.

    Args:
        x: Features of data, shape (n, F).
        y: Features of generated rows, shape (m, F).
        blocks: How many, B; every B-th row is in the same block.

    Raises:
        ShapeError: If these are not two samples of the same features.
        DataError: If a block has fewer than two rows, or a value is not finite.

    References:
        Demystifying MMD GANs (Bińkowski, Sutherland, Arbel & Gretton, 2018), arXiv:1801.01401.
    """
    check_features(x, y)
    if min(len(x), len(y)) < 2 * blocks:
        raise DataError(
            "too few rows for so many blocks",
            expected=f"at least {2 * blocks} of each",
            got=min(len(x), len(y)),
        )
    return mean_and_error(
        torch.stack([mmd(x[block::blocks], y[block::blocks]) for block in range(blocks)])
    )


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _off_diagonal_mean(values: Tensor) -> Tensor:
    n = len(values)
    return (values.sum() - values.trace()) / (n * (n - 1))
