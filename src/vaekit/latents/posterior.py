"""Posteriors q(z|x): they turn the encoder's features into a density of the code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vaekit.distributions import Delta, Density, Normal, TriangularNormal, widen
from vaekit.spec import Spec, Within

__all__ = [
    "Diagonal",
    "DiagonalPosterior",
    "Full",
    "FullPosterior",
    "Point",
    "PointPosterior",
    "Posterior",
]

LOG_SCALE_LIMIT = 10.0


def bounded(log_scale: Tensor, limit: float = LOG_SCALE_LIMIT) -> Tensor:
    """A smooth bound: scales stay within e^±limit, so that no early step can overflow."""
    return limit * torch.tanh(log_scale / limit)


class Posterior(nn.Module):
    """Base of posterior modules: ``posterior(h, context)`` returns a density over the code.

    The head that maps features to parameters belongs to the posterior, so that any network which
    returns features can serve as encoder.

    Attributes:
        has_density: False where log q(z|x) does not exist, as for an autoencoder.
        space: Where codes live, in words; a model's prior must be over the same space.
    """

    has_density = True
    space = "reals"

    def __init__(
        self, spec: Spec, *, features: int, latent_shape: Sequence[int], size: int
    ) -> None:
        super().__init__()
        self.spec = spec
        self.latent_shape = tuple(latent_shape)
        self.head = nn.Linear(features, size)

    def forward(self, h: Tensor, context: Tensor | None = None) -> Density:
        """The density q(z|x) from features of shape (B, features)."""
        raise NotImplementedError

    def parameters_of(self, h: Tensor) -> Tensor:
        """What the head makes of the features, in at least single precision."""
        return widen(self.head(h))


class Diagonal(Spec, kind="posterior/diagonal"):
    """A normal with independent coordinates, q(z|x) = N(loc(x), diag scale(x)²).

    References:
        Auto-Encoding Variational Bayes (Kingma & Welling, 2013), arXiv:1312.6114.

    Example:
        >>> q = Diagonal().build(features=8, latent_shape=(2,))(torch.zeros(4, 8))
        >>> q.rsample((3,)).shape
        torch.Size([3, 4, 2])
    """

    def build(
        self, *, features: int, latent_shape: Sequence[int], context_dim: int = 0
    ) -> DiagonalPosterior:
        """The module for an encoder that returns ``features`` numbers per example."""
        return DiagonalPosterior(self, features=features, latent_shape=latent_shape)


class DiagonalPosterior(Posterior):
    """The module of :class:`Diagonal`."""

    def __init__(self, spec: Diagonal, *, features: int, latent_shape: Sequence[int]) -> None:
        super().__init__(
            spec, features=features, latent_shape=latent_shape, size=2 * latent_shape[0]
        )

    def forward(self, h: Tensor, context: Tensor | None = None) -> Normal:
        """N(loc, scale²) with batch shape (B,)."""
        loc, log_scale = self.parameters_of(h).chunk(2, dim=-1)
        return Normal.from_log_scale(loc, bounded(log_scale))


class Full(Spec, kind="posterior/full"):
    r"""A normal with full covariance, q(z|x) = N(loc(x), L(x) L(x)ᵀ), L lower triangular.

    L = D (I + N / √k) for k dimensions: the diagonal D is softplus of the head's output plus
    ``floor``, and N is strictly lower triangular. So a coordinate that becomes certain is so
    whatever the others, and k small numbers in a row of N do not add up to a wide posterior.
    """

    floor: Annotated[float, Within(1e-8, 1.0)] = 1e-5

    def build(
        self, *, features: int, latent_shape: Sequence[int], context_dim: int = 0
    ) -> FullPosterior:
        """The module for an encoder that returns ``features`` numbers per example."""
        return FullPosterior(self, features=features, latent_shape=latent_shape)


class FullPosterior(Posterior):
    """The module of :class:`Full`."""

    spec: Full
    rows: Tensor
    columns: Tensor

    def __init__(self, spec: Full, *, features: int, latent_shape: Sequence[int]) -> None:
        n = latent_shape[0]
        super().__init__(
            spec, features=features, latent_shape=latent_shape, size=n + n * (n + 1) // 2
        )
        rows, columns = torch.tril_indices(n, n)
        self.register_buffer("rows", rows)
        self.register_buffer("columns", columns)

    def forward(self, h: Tensor, context: Tensor | None = None) -> TriangularNormal:
        """N(loc, L Lᵀ) with batch shape (B,)."""
        n = self.latent_shape[0]
        loc, entries = self.parameters_of(h).split([n, self.rows.numel()], dim=-1)
        square = self._lower_triangle(entries)
        diagonal = F.softplus(square.diagonal(dim1=-2, dim2=-1)) + self.spec.floor
        mixing = square.tril(-1) / n**0.5 + torch.eye(n).to(square)
        return TriangularNormal(loc, diagonal.unsqueeze(-1) * mixing)

    def _lower_triangle(self, entries: Tensor) -> Tensor:
        n = self.latent_shape[0]
        index = (self.rows * n + self.columns).expand_as(entries)
        zeros = entries.new_zeros(*entries.shape[:-1], n * n)
        return zeros.scatter(-1, index, entries).unflatten(-1, (n, n))


class Point(Spec, kind="posterior/point"):
    """All mass on one point: the deterministic code of an autoencoder. It has no likelihood."""

    def build(
        self, *, features: int, latent_shape: Sequence[int], context_dim: int = 0
    ) -> PointPosterior:
        """The module for an encoder that returns ``features`` numbers per example."""
        return PointPosterior(self, features=features, latent_shape=latent_shape)


class PointPosterior(Posterior):
    """The module of :class:`Point`."""

    has_density = False

    def __init__(self, spec: Point, *, features: int, latent_shape: Sequence[int]) -> None:
        super().__init__(spec, features=features, latent_shape=latent_shape, size=latent_shape[0])

    def forward(self, h: Tensor, context: Tensor | None = None) -> Delta:
        """The point, with batch shape (B,)."""
        return Delta(self.parameters_of(h))
