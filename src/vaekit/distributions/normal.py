"""Normal densities: diagonal, standard and with a full covariance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from vaekit.distributions.density import Density, register_kl
from vaekit.distributions.noise import shared_noise, standard_normal

__all__ = ["Normal", "StandardNormal", "TriangularNormal", "mirrored_draws"]

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
MIRRORED_DRAWS = 64
MIRRORED_SEED = 0


class Normal(Density):
    r"""Independent normals, ``log N(x; loc, scale²)`` for each coordinate.

    .. math::
        \log p(x_i) = -\tfrac12 ((x_i - \mu_i)/\sigma_i)^2 - \log \sigma_i - \tfrac12 \log 2\pi

    Args:
        loc: Means, shape ``(*batch, *event)``.
        scale: Standard deviations, positive, broadcastable to ``loc``.
        log_scale: Their logarithm, where it is at hand already.
        event_dims: Trailing axes that make up one event.

    Example:
        >>> Normal(torch.zeros(4, 2), torch.ones(4, 2)).log_prob(torch.zeros(4, 2)).shape
        torch.Size([4])
    """

    __slots__ = ("loc", "log_scale", "scale")

    def __init__(
        self, loc: Tensor, scale: Tensor, *, log_scale: Tensor | None = None, event_dims: int = 1
    ) -> None:
        self.loc = loc
        self.scale = scale
        self.log_scale = scale.log() if log_scale is None else log_scale
        self.event_dims = event_dims

    @classmethod
    def from_log_scale(cls, loc: Tensor, log_scale: Tensor, *, event_dims: int = 1) -> Normal:
        """A normal given the logarithm of its standard deviations."""
        return cls(loc, log_scale.exp(), log_scale=log_scale, event_dims=event_dims)

    def log_prob_elements(self, value: Tensor) -> Tensor:  # noqa: D102
        # Where σ overflows, a quotient has a gradient of 0 · ∞; exp(-log σ) is 0 there.
        eps = (value - self.loc) * (-self.log_scale).exp()
        return -0.5 * eps.square() - (self.log_scale + HALF_LOG_2PI)

    def rsample(self, shape: Sequence[int] = ()) -> Tensor:  # noqa: D102
        eps = standard_normal(shape, like=self.loc, event_dims=self.event_dims)
        return torch.addcmul(self.loc, self.scale, eps)

    def cdf(self, value: Tensor) -> Tensor:  # noqa: D102
        return _standard_cdf((value - self.loc) / self.scale)

    @property
    def mean(self) -> Tensor:  # noqa: D102
        return self.loc

    @property
    def stddev(self) -> Tensor:
        """Standard deviations, shape ``(*batch, *event)``."""
        return self.scale.expand_as(self.loc)


class StandardNormal(Density):
    """N(0, I) over events of a given shape; broadcasts over any batch.

    Args:
        like: A tensor of the event's shape that fixes dtype and device; its values are not used.
    """

    __slots__ = ("like",)

    def __init__(self, like: Tensor, *, event_dims: int | None = None) -> None:
        self.like = like
        self.event_dims = like.dim() if event_dims is None else event_dims

    def log_prob_elements(self, value: Tensor) -> Tensor:  # noqa: D102
        return -0.5 * value.square() - HALF_LOG_2PI

    def rsample(self, shape: Sequence[int] = ()) -> Tensor:  # noqa: D102
        return standard_normal(shape, like=self.like, event_dims=self.event_dims)

    def cdf(self, value: Tensor) -> Tensor:  # noqa: D102
        return _standard_cdf(value + torch.zeros_like(self.like))

    @property
    def mean(self) -> Tensor:  # noqa: D102
        return torch.zeros_like(self.like)

    @property
    def stddev(self) -> Tensor:  # noqa: D102
        return torch.ones_like(self.like)


def mirrored_draws(p: Normal | StandardNormal) -> Tensor:
    """64 draws of fixed noise, 32 and their mirror images about the mean, with gradients.

    For means and standard deviations of functions of a draw that have no closed form. They are the
    same in every call and for every row; the mean of a linear function is exact.

    Example:
        >>> bool(mirrored_draws(StandardNormal(torch.zeros(3))).mean(0).abs().max() < 1e-6)
        True
    """
    with shared_noise(MIRRORED_SEED):
        half = p.rsample((MIRRORED_DRAWS // 2,))
    return torch.cat([half, 2 * p.mean - half])


class TriangularNormal(Density):
    r"""A normal with full covariance :math:`\Sigma = L L^\top`, over vectors.

    With :math:`\epsilon = L^{-1}(x - \mu)` the chain rule gives one term per coordinate,
    :math:`\log N(\epsilon_i; 0, 1) - \log L_{ii} = \log p(x_i \mid x_{<i})`.

    Args:
        loc: Means, shape ``(*batch, n)``.
        scale_tril: Lower-triangular factors with positive diagonal, shape ``(*batch, n, n)``.
    """

    __slots__ = ("loc", "scale_tril")

    def __init__(self, loc: Tensor, scale_tril: Tensor) -> None:
        self.loc = loc
        self.scale_tril = scale_tril
        self.event_dims = 1

    def log_prob_elements(self, value: Tensor) -> Tensor:  # noqa: D102
        offset = (value - self.loc).unsqueeze(-1)
        eps = torch.linalg.solve_triangular(self.scale_tril, offset, upper=False).squeeze(-1)
        return -0.5 * eps.square() - self._log_diagonal() - HALF_LOG_2PI

    def rsample(self, shape: Sequence[int] = ()) -> Tensor:  # noqa: D102
        eps = standard_normal(shape, like=self.loc, event_dims=1)
        return self.loc + (self.scale_tril @ eps.unsqueeze(-1)).squeeze(-1)

    @property
    def mean(self) -> Tensor:  # noqa: D102
        return self.loc

    @property
    def stddev(self) -> Tensor:
        """Marginal standard deviations, shape ``(*batch, n)``."""
        return self.scale_tril.square().sum(-1).sqrt()

    def _log_diagonal(self) -> Tensor:
        return self.scale_tril.diagonal(dim1=-2, dim2=-1).log()


def _standard_cdf(t: Tensor) -> Tensor:
    """Φ(t) by erfc, which keeps the digits of a lower tail; ``torch.special.ndtr`` rounds it."""
    return 0.5 * torch.erfc(-math.sqrt(0.5) * t)


@register_kl(Normal, StandardNormal)
def _(q: Normal, p: StandardNormal) -> Tensor:
    second_moment = torch.addcmul(q.loc.square(), q.scale, q.scale)
    return torch.add(-0.5 - q.log_scale, second_moment, alpha=0.5)


@register_kl(Normal, Normal)
def _(q: Normal, p: Normal) -> Tensor:
    ratio = (q.scale / p.scale).square()
    shift = ((q.loc - p.loc) / p.scale).square()
    return 0.5 * (ratio + shift - 1) - (q.log_scale - p.log_scale)


@register_kl(TriangularNormal, StandardNormal)
def _(q: TriangularNormal, p: StandardNormal) -> Tensor:
    variance = q.scale_tril.square().sum(-1)
    return 0.5 * (variance + q.loc.square() - 1) - q._log_diagonal()


@register_kl(TriangularNormal, Normal)
def _(q: TriangularNormal, p: Normal) -> Tensor:
    variance = q.scale_tril.square().sum(-1)
    second_moment = variance + (q.loc - p.loc).square()
    return 0.5 * (second_moment / p.scale.square() - 1) - (q._log_diagonal() - p.log_scale)
