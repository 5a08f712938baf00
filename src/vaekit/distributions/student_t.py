"""Student's t density: a normal with heavy tails."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from vaekit.distributions.beta import regularised_beta
from vaekit.distributions.density import Density
from vaekit.distributions.gamma import binet
from vaekit.distributions.noise import open_uniform, uniform
from vaekit.distributions.normal import HALF_LOG_2PI

__all__ = ["StudentT"]


class StudentT(Density):
    r"""Independent Student t values with ν > 1 degrees of freedom, density in nats.

    .. math::
        \log p(x_i) = \log \frac{\Gamma(\frac{\nu+1}2)}{\Gamma(\frac\nu2)\sqrt{\nu\pi}\, s_i}
        - \tfrac{\nu+1}2 \log\Big(1 + \frac{(x_i - \mu_i)^2}{\nu s_i^2}\Big)

    Args:
        loc: Means, shape ``(*batch, *event)``.
        log_scale: Logarithm of the scales s, broadcastable to ``loc``.
        df: ν, broadcastable to ``loc``.
        event_dims: Trailing axes that make up one event.

    References:
        Polar Generation of Random Variates with the t-Distribution (Bailey, 1994), Mathematics of
        Computation 62, for the draws.

    Example:
        >>> StudentT(torch.zeros(4, 2), torch.zeros(()), torch.tensor(3.0)).stddev[0]
        tensor([1.7321, 1.7321])
    """

    __slots__ = ("df", "loc", "log_scale")

    def __init__(self, loc: Tensor, log_scale: Tensor, df: Tensor, *, event_dims: int = 1) -> None:
        self.loc = loc
        self.log_scale = log_scale
        self.df = df
        self.event_dims = event_dims

    def log_prob_elements(self, value: Tensor) -> Tensor:
        """Terms of log p(value); the ratio of Γ by Stirling's formula, safe for large ν."""
        half = 0.5 * self.df
        gammas = half * (0.5 / half).log1p() - 0.5 + binet(half + 0.5) - binet(half)
        normaliser = gammas - HALF_LOG_2PI
        t = (value - self.loc) * (-self.log_scale).exp()
        return normaliser - self.log_scale - (half + 0.5) * (t.square() / self.df).log1p()

    def rsample(self, shape: Sequence[int] = ()) -> Tensor:
        r"""Bailey's draws, :math:`\sqrt{\nu (U^{-2/\nu} - 1)} \cos 2\pi V`, scaled and shifted."""
        u = open_uniform(shape, like=self.loc, event_dims=self.event_dims)
        v = uniform(shape, like=self.loc, event_dims=self.event_dims)
        radius = (self.df * torch.expm1(-2 / self.df * u.log())).sqrt()
        return self.loc + self.log_scale.exp() * radius * (2 * math.pi * v).cos()

    def cdf(self, value: Tensor) -> Tensor:  # noqa: D102
        df, log_scale = self.df.double(), self.log_scale.double()
        t = (value.double() - self.loc.double()) * (-log_scale).exp()
        near = df / (df + t.square())
        half = torch.full_like(df, 0.5)
        tail = 0.5 * regularised_beta(0.5 * df, half, near, t.square() / (df + t.square()))
        return torch.where(t < 0, tail, 1 - tail).to(self.loc)

    @property
    def mean(self) -> Tensor:  # noqa: D102
        return self.loc

    @property
    def stddev(self) -> Tensor:
        """Standard deviations, infinite for ν ≤ 2, shape ``(*batch, *event)``."""
        ratio = (self.df / (self.df - 2).clamp(min=0)).sqrt()
        return (self.log_scale.exp() * ratio).expand_as(self.loc)
