"""Counts 0, 1, 2, …: Poisson, and negative binomial for those that vary more."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from vaekit.distributions.beta import regularised_beta
from vaekit.distributions.density import Density
from vaekit.distributions.gamma import binet
from vaekit.distributions.noise import uniform
from vaekit.distributions.normal import HALF_LOG_2PI

__all__ = ["NegativeBinomial", "Poisson"]

HALVINGS = 64


class Poisson(Density):
    r"""Independent Poisson counts; a mass, in nats.

    .. math:: \log p(k_i) = k_i \log \lambda_i - \lambda_i - \log k_i!

    Args:
        log_rate: log λ, shape ``(*batch, *event)``.
        event_dims: Trailing axes that make up one event.

    Example:
        >>> Poisson(torch.zeros(4, 2)).log_prob_elements(torch.ones(4, 2))[0]
        tensor([-1., -1.])
    """

    __slots__ = ("log_rate",)

    def __init__(self, log_rate: Tensor, *, event_dims: int = 1) -> None:
        self.log_rate = log_rate
        self.event_dims = event_dims

    def log_prob_elements(self, value: Tensor) -> Tensor:
        """Terms of log p(value), from differences that stay small where the mass is."""
        n, mean = value + 1, self.mean
        log_ratio = _log1p((mean - n) / n, otherwise=self.log_rate - n.log())
        return value * log_ratio + (n - mean) - _log_rest(n)

    def sample(self, shape: Sequence[int] = ()) -> Tensor:
        """Counts of shape ``(*shape, *batch, *event)``, by inverting the distribution function."""
        with torch.no_grad():
            u = uniform(shape, like=self.log_rate, event_dims=self.event_dims)
            return poisson_quantile(u.double(), self.mean.double()).to(u)

    def cdf(self, value: Tensor) -> Tensor:  # noqa: D102
        n, rate = torch.broadcast_tensors(value.double().floor() + 1, self.log_rate.double().exp())
        below = torch.special.gammaincc(n.clamp(min=1), rate)
        return torch.where(n < 1, 0.0, below).to(self.log_rate)

    @property
    def mean(self) -> Tensor:  # noqa: D102
        return self.log_rate.exp()

    @property
    def stddev(self) -> Tensor:
        """√λ, shape ``(*batch, *event)``."""
        return (0.5 * self.log_rate).exp()


class NegativeBinomial(Density):
    r"""Independent counts of mean μ and variance :math:`\mu + \alpha\mu^2`; a mass, in nats.

    With r = 1/α,

    .. math::
        \log p(k_i) = \log \frac{\Gamma(k_i + r)}{k_i!\,\Gamma(r)}
        + r \log \frac{r}{r + \mu_i} + k_i \log \frac{\mu_i}{r + \mu_i} ,

    a Poisson count whose rate was drawn from a gamma of mean μ and shape r; Poisson for α → 0.

    Args:
        log_mean: log μ, shape ``(*batch, *event)``.
        log_dispersion: log α, broadcastable to ``log_mean``.
        event_dims: Trailing axes that make up one event.

    Example:
        >>> NegativeBinomial(torch.zeros(4, 2), torch.zeros(())).stddev[0]
        tensor([1.4142, 1.4142])
    """

    __slots__ = ("log_dispersion", "log_mean")

    def __init__(self, log_mean: Tensor, log_dispersion: Tensor, *, event_dims: int = 1) -> None:
        self.log_mean = log_mean
        self.log_dispersion = log_dispersion
        self.event_dims = event_dims

    def log_prob_elements(self, value: Tensor) -> Tensor:
        """Terms of log p(value), from differences that stay small where the mass is."""
        n, mean, alpha = value + 1, self.mean, self.log_dispersion.exp()
        growth, log_growth = 1 + alpha * mean, (alpha * mean).log1p()
        log_found = (alpha * value).log1p()
        log_relative = _log1p(alpha * (value - mean) / growth, otherwise=log_found - log_growth)
        log_ratio = _log1p(
            (mean - n - alpha * mean) / (n * growth),
            otherwise=self.log_mean - n.log() + log_found - log_growth,
        )
        r = 1 / alpha
        gammas = binet(r + value) - binet(r) - 0.5 * log_found
        return value * log_ratio + r * log_relative + 1 + gammas - _log_rest(n)

    def sample(self, shape: Sequence[int] = ()) -> Tensor:
        """Counts of shape ``(*shape, *batch, *event)``: a gamma rate, then a Poisson count."""
        with torch.no_grad():
            u, v = (
                uniform(shape, like=self.log_mean, event_dims=self.event_dims) for _ in range(2)
            )
            r = (-self.log_dispersion.double()).exp().expand_as(u)
            rate = gamma_quantile(u.double(), r) * self.mean / r
            return poisson_quantile(v.double(), rate).to(u)

    def cdf(self, value: Tensor) -> Tensor:  # noqa: D102
        n, alpha = value.double().floor() + 1, self.log_dispersion.double().exp()
        excess = alpha * self.log_mean.double().exp()
        p = 1 / (1 + excess)
        below = regularised_beta(1 / alpha, n.clamp(min=1), p, excess * p)
        return torch.where(n < 1, 0.0, below).to(self.log_mean)

    @property
    def mean(self) -> Tensor:  # noqa: D102
        return self.log_mean.exp()

    @property
    def stddev(self) -> Tensor:
        """√(μ + α μ²), shape ``(*batch, *event)``."""
        return (self.mean + self.log_dispersion.exp() * self.mean.square()).sqrt()


def _log1p(excess: Tensor, *, otherwise: Tensor) -> Tensor:
    """log(1 + excess); where that cancels, ``otherwise``, the same as a difference of logs."""
    return torch.where(excess > -0.5, excess.clamp(min=-0.5).log1p(), otherwise)


def _log_rest(n: Tensor) -> Tensor:
    """log k! − (k log n − n), where n = k + 1: what remains is small."""
    return 0.5 * n.log() + HALF_LOG_2PI + binet(n)


def poisson_quantile(u: Tensor, rate: Tensor) -> Tensor:
    """The smallest k with P(k' ≤ k) > u."""
    high = (rate + 12 * rate.sqrt() + 40).ceil()
    return _bisect(lambda k: torch.special.gammaincc(k.floor() + 1, rate), u, high).floor()


def gamma_quantile(u: Tensor, shape: Tensor) -> Tensor:
    """The x with P(x' ≤ x) = u of a gamma variate of scale 1."""
    return _bisect(lambda x: torch.special.gammainc(shape, x), u, shape + 12 * shape.sqrt() + 40)


def _bisect(cdf: Callable[[Tensor], Tensor], u: Tensor, high: Tensor) -> Tensor:
    """The place in [0, high] where ``cdf`` first exceeds u."""
    high = high.expand_as(u)
    low = torch.zeros_like(u)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        above = cdf(middle) > u
        low, high = torch.where(above, low, middle), torch.where(above, middle, high)
    return high
