r"""The Fréchet distance between two samples: that of normals with their means and covariances."""

from __future__ import annotations

import torch
from torch import Tensor

from vaekit.errors import DataError, ShapeError

__all__ = ["check_features", "frechet_distance", "frechet_normals"]


def frechet_normals(mean: Tensor, cov: Tensor, other_mean: Tensor, other_cov: Tensor) -> Tensor:
    r"""The squared 2-Wasserstein distance of two normals, a float64 scalar.

    .. math::
        \|\mu_1 - \mu_2\|^2 + \mathrm{tr}\, \Sigma_1 + \mathrm{tr}\, \Sigma_2
        - 2\, \mathrm{tr} \big(\Sigma_1^{1/2} \Sigma_2 \Sigma_1^{1/2}\big)^{1/2}

    The product under the root is symmetric, and its eigenvalues are below zero by rounding only,
    so covariances of any rank will do.

    Args:
        mean: μ₁, shape (F,).
        cov: Σ₁, shape (F, F).
        other_mean: μ₂, shape (F,).
        other_cov: Σ₂, shape (F, F).

    References:
        The Fréchet distance between multivariate normal distributions (Dowson & Landau, 1982).

    Example:
        >>> one, two = torch.eye(2), 4 * torch.eye(2)
        >>> float(frechet_normals(torch.zeros(2), one, torch.ones(2), two))
        4.0
    """
    cov, other_cov = cov.double(), other_cov.double()
    values, vectors = torch.linalg.eigh(cov)
    root = vectors * _sqrt(values) @ vectors.T
    cross = _sqrt(torch.linalg.eigvalsh(root @ other_cov @ root)).sum()
    shift = (mean.double() - other_mean.double()).square().sum()
    return (shift + cov.trace() + other_cov.trace() - 2 * cross).clamp(min=0)


def frechet_distance(x: Tensor, y: Tensor) -> Tensor:
    """The Fréchet distance between two samples of features, a float64 scalar; lower is better.

    It is biased upwards by about the inverse of the sample size, and by more features more: of 64
    independent ones, two samples of 400 rows of one distribution are at 5.5, of 40 rows at 53.
    Compare only distances of equally many rows, well above F. The error of the jackknife, which a
    table gives beside it, does not hold this bias; it is conservative, by about a third, where
    both distributions are the same. The published "FID" is this distance over features of an
    Inception network.

    Args:
        x: Features of data, shape (n, F).
        y: Features of generated rows, shape (m, F).

    Raises:
        ShapeError: If these are not two samples of the same features.
        DataError: If a sample has fewer than two rows, or a value is not finite.

    References:
        GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium (Heusel
        et al., 2017), arXiv:1706.08500.

    Example:
        >>> x = torch.randn(100, 3)
        >>> round(float(frechet_distance(x, x + 2)), 6)
        12.0
    """
    check_features(x, y)
    x, y = x.double(), y.double()
    return frechet_normals(x.mean(0), _cov(x), y.mean(0), _cov(y))


def check_features(x: Tensor, y: Tensor) -> None:
    """Refuse what is not two samples of the same features.

    Raises:
        ShapeError: If the shapes are not (n, F) and (m, F).
        DataError: If a sample has fewer than two rows, or a value is not finite.
    """
    if x.dim() != 2 or y.dim() != 2 or x.shape[1] != y.shape[1]:
        raise ShapeError(
            "two samples of the same features are compared",
            expected="(n, F) and (m, F)",
            got=f"{tuple(x.shape)} and {tuple(y.shape)}",
        )
    if min(len(x), len(y)) < 2:
        raise DataError(
            "too few rows to compare", expected="at least 2 of each", got=min(len(x), len(y))
        )
    for name, values in (("data", x), ("generated rows", y)):
        if not bool(values.isfinite().all()):
            raise DataError("features that are no finite numbers", where=name)


def _sqrt(eigenvalues: Tensor) -> Tensor:
    """Square roots of eigenvalues; those that are rounding errors beside the largest are zero."""
    rounding = eigenvalues.max() * len(eigenvalues) * torch.finfo(eigenvalues.dtype).eps
    return torch.where(eigenvalues > rounding, eigenvalues, 0).sqrt()


def _cov(x: Tensor) -> Tensor:
    return torch.cov(x.T).reshape(x.shape[1], x.shape[1])
