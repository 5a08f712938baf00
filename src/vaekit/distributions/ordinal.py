"""Ordered levels 0..K−1: a logistic variable cut into intervals."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from vaekit.distributions.density import Density
from vaekit.distributions.noise import open_uniform

__all__ = ["Ordinal"]


class Ordinal(Density):
    r"""Independent levels 0..K−1 whose cumulated masses are sigmoids; a mass, in nats.

    .. math:: P(y_i \le j) = \mathrm{sigmoid}(\theta_{ij} - \eta_i), \qquad
              \log p(j) = \log\left(\mathrm{sigmoid}(\theta_{ij} - \eta_i)
              - \mathrm{sigmoid}(\theta_{i,j-1} - \eta_i)\right)

    with θ = −∞ below the first and +∞ above the last cutpoint: a level is the interval between
    cutpoints in which a logistic variable of mean η lies. Levels are floating-point numbers.

    The logarithm is taken of a product, :math:`\sigma(b) - \sigma(a) = \sigma(b)\,\sigma(-a)\,
    (1 - e^{a - b})`, whose factors keep their digits.

    Args:
        eta: η, shape ``(*batch, *event)``; a larger one means higher levels.
        cutpoints: Increasing θ, their axis before those of the event, shape ``(K − 1, *event)``.
        event_dims: Trailing axes that make up one event.

    References:
        Regression Models for Ordinal Data (McCullagh, 1980), Journal of the Royal Statistical
        Society B 42.

    Example:
        >>> px = Ordinal(torch.zeros(5, 2), torch.tensor([[-1.0, -1.0], [1.0, 1.0]]))
        >>> px.probs[0, :, 0], px.log_prob(torch.zeros(5, 2)).shape
        (tensor([0.2689, 0.4621, 0.2689]), torch.Size([5]))
    """

    __slots__ = ("cutpoints", "eta")

    def __init__(self, eta: Tensor, cutpoints: Tensor, *, event_dims: int = 1) -> None:
        self.eta = eta
        self.cutpoints = cutpoints
        self.event_dims = event_dims

    @property
    def axis(self) -> int:
        """Where the cutpoints, and the levels of ``probs``, stand, counted from the end."""
        return -self.event_dims - 1

    @property
    def levels(self) -> int:
        """K, how many levels there are."""
        return self.cutpoints.shape[self.axis] + 1

    def log_prob_elements(self, value: Tensor) -> Tensor:  # noqa: D102
        shape = torch.broadcast_shapes(value.shape, self.eta.shape)
        level = value.round().long().expand(shape)
        return _log_mass(
            self._cutpoint(level) - self.eta,
            self._cutpoint(level - 1) - self.eta,
            first=level <= 0,
            last=level >= self.levels - 1,
        )

    def sample(self, shape: Sequence[int] = ()) -> Tensor:
        """Levels of shape ``(*shape, *batch, *event)``: how many cutpoints a draw exceeds."""
        with torch.no_grad():
            u = open_uniform(shape, like=self.eta, event_dims=self.event_dims)
            draw = self.eta + torch.logit(u)
            return (draw.unsqueeze(self.axis) > self.cutpoints).sum(self.axis).to(draw)

    @property
    def probs(self) -> Tensor:
        """The masses, shape ``(*batch, K, *event)``."""
        offsets = self.cutpoints - self.eta.unsqueeze(self.axis)
        edge = torch.zeros_like(offsets.narrow(self.axis, 0, 1))
        level = torch.arange(self.levels, device=edge.device)
        level = level.reshape(-1, *(1,) * self.event_dims)
        return _log_mass(
            torch.cat([offsets, edge], self.axis),
            torch.cat([edge, offsets], self.axis),
            first=level == 0,
            last=level == self.levels - 1,
        ).exp()

    @property
    def mean(self) -> Tensor:
        """The expected level, Σ P(y > j) over all cutpoints, shape ``(*batch, *event)``."""
        above = self.eta.unsqueeze(self.axis) - self.cutpoints
        return above.sigmoid().sum(self.axis)

    @property
    def mode(self) -> Tensor:
        """The most probable level, shape ``(*batch, *event)``."""
        return self.probs.argmax(self.axis).to(self.eta)

    @property
    def stddev(self) -> Tensor:
        """Standard deviations of the level, shape ``(*batch, *event)``."""
        level = torch.arange(self.levels).to(self.eta).reshape(-1, *(1,) * self.event_dims)
        square = (level - self.mean.unsqueeze(self.axis)).square()
        return (self.probs * square).sum(self.axis).sqrt()

    def cdf(self, value: Tensor) -> Tensor:
        """P(y ≤ value) element by element, shape ``(*batch, *event)``."""
        shape = torch.broadcast_shapes(value.shape, self.eta.shape)
        level = value.floor().long().expand(shape)
        inside = (self._cutpoint(level) - self.eta).sigmoid()
        return torch.where(level < 0, 0.0, torch.where(level >= self.levels - 1, 1.0, inside))

    def _cutpoint(self, level: Tensor) -> Tensor:
        """The cutpoint above each level; for a level that has none, some other."""
        index = level.clamp(0, self.levels - 2).unsqueeze(-1)
        cutpoints = self.cutpoints.movedim(self.axis, -1)
        return cutpoints.expand(*level.shape, -1).gather(-1, index).squeeze(-1)


def _log_mass(upper: Tensor, lower: Tensor, *, first: Tensor, last: Tensor) -> Tensor:
    """log(σ(upper) − σ(lower)), where the first level has no lower end, the last no upper one."""
    inner = ~(first | last)
    gap = torch.where(inner, upper - lower, 1.0).clamp(min=torch.finfo(upper.dtype).tiny)
    return (
        torch.where(last, 0.0, F.logsigmoid(upper))
        + torch.where(first, 0.0, F.logsigmoid(-lower))
        + torch.where(inner, torch.log(-torch.expm1(-gap)), 0.0)
    )
