"""The Laplace density: absolute rather than squared error."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from vaekit.distributions.density import Density
from vaekit.distributions.noise import open_uniform

__all__ = ["Laplace"]

LOG_2 = math.log(2)


class Laplace(Density):
    r"""Independent double exponentials, density in nats.

    .. math:: \log p(x_i) = -|x_i - \mu_i| / b_i - \log(2 b_i)

    Args:
        loc: Medians, which are also the means, shape ``(*batch, *event)``.
        log_scale: Logarithm of the mean absolute deviations b, broadcastable to ``loc``.
        event_dims: Trailing axes that make up one event.

    Example:
        >>> import torch
        >>> Laplace(torch.zeros(4, 2), torch.zeros(())).log_prob(torch.zeros(4, 2))[0].exp()
        tensor(0.2500)
    """

    __slots__ = ("loc", "log_scale")

    def __init__(self, loc: Tensor, log_scale: Tensor, *, event_dims: int = 1) -> None:
        self.loc = loc
        self.log_scale = log_scale
        self.event_dims = event_dims

    def log_prob_elements(self, value: Tensor) -> Tensor:  # noqa: D102
        return -(value - self.loc).abs() * (-self.log_scale).exp() - (self.log_scale + LOG_2)

    def rsample(self, shape: Sequence[int] = ()) -> Tensor:  # noqa: D102
        t = open_uniform(shape, like=self.loc, event_dims=self.event_dims) - 0.5
        return self.loc - self.log_scale.exp() * t.sign() * (-2 * t.abs()).log1p()

    def cdf(self, value: Tensor) -> Tensor:  # noqa: D102
        t = (value - self.loc) * (-self.log_scale).exp()
        tail = 0.5 * (-t.abs()).exp()
        return torch.where(t < 0, tail, 1 - tail)

    @property
    def mean(self) -> Tensor:  # noqa: D102
        return self.loc

    @property
    def stddev(self) -> Tensor:
        """Standard deviations √2 b, shape ``(*batch, *event)``."""
        return (math.sqrt(2) * self.log_scale.exp()).expand_as(self.loc)
