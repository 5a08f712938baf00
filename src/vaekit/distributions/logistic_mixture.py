"""Mixtures of logistic densities, one for each element: several modes, skew, heavy shoulders."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from vaekit.distributions.density import Density
from vaekit.distributions.noise import open_uniform, uniform

__all__ = ["LogisticMixture"]


class LogisticMixture(Density):
    r"""Independent elements, each a mixture of M logistic densities of its own, in nats.

    .. math:: p(x_i) = \sum_m w_{im} \frac{e^{-t_{im}}}{s_{im} (1 + e^{-t_{im}})^2}, \qquad
              t_{im} = \frac{x_i - \mu_{im}}{s_{im}}, \quad w_i = \mathrm{softmax}(\ell_i)

    Unlike :class:`~vaekit.distributions.Mixture`, whose components are densities of whole events,
    it has a term for each element.

    Args:
        logits: The weights before the softmax; the axis of components stands before those of the
            event, shape ``(*batch, M, *event)``.
        loc: μ, of the same shape.
        log_scale: log s, broadcastable to it.
        event_dims: Trailing axes that make up one event.

    References:
        PixelCNN++ (Salimans et al., 2017), arXiv:1701.05517, for its discretised form.

    Example:
        >>> loc = torch.tensor([[-3.0, 0.0], [3.0, 0.0]])
        >>> px = LogisticMixture(torch.zeros(2, 2), loc, torch.zeros(2, 2))
        >>> px.mean, px.cdf(torch.zeros(2)), px.sample((5,)).shape
        (tensor([0., 0.]), tensor([0.5000, 0.5000]), torch.Size([5, 2]))
    """

    __slots__ = ("loc", "log_scale", "logits")

    def __init__(
        self, logits: Tensor, loc: Tensor, log_scale: Tensor, *, event_dims: int = 1
    ) -> None:
        self.logits = logits
        self.loc = loc
        self.log_scale = log_scale
        self.event_dims = event_dims

    @property
    def axis(self) -> int:
        """Where the components stand among the axes of the parameters, counted from the end."""
        return -self.event_dims - 1

    @property
    def weights(self) -> Tensor:
        """The weights w, shape ``(*batch, M, *event)``."""
        return self.logits.softmax(self.axis)

    def log_prob_elements(self, value: Tensor) -> Tensor:
        """Terms of log p(value); the logistic's is even, so that it is taken of −|t|."""
        t = -self._standard(value).abs()
        log_density = t - 2 * t.exp().log1p() - self.log_scale
        return (self.logits.log_softmax(self.axis) + log_density).logsumexp(self.axis)

    def cdf(self, value: Tensor) -> Tensor:
        """P(x ≤ value) element by element, shape ``(*batch, *event)``."""
        return (self.weights * self._standard(value).sigmoid()).sum(self.axis)

    def sample(self, shape: Sequence[int] = ()) -> Tensor:
        """Draws of shape ``(*shape, *batch, *event)``: a component, then a logistic draw of it."""
        with torch.no_grad():
            like = self.logits.select(self.axis, 0)
            u = uniform(shape, like=like, event_dims=self.event_dims)
            v = open_uniform(shape, like=like, event_dims=self.event_dims)
            ends = self.weights.cumsum(self.axis).narrow(self.axis, 0, self._components - 1)
            chosen = (ends <= u.unsqueeze(self.axis)).sum(self.axis)
            loc, log_scale = (self._of(chosen, part) for part in (self.loc, self.log_scale))
            return loc + log_scale.exp() * torch.logit(v)

    @property
    def mean(self) -> Tensor:  # noqa: D102
        return (self.weights * self.loc).sum(self.axis)

    @property
    def stddev(self) -> Tensor:
        """Standard deviations of the whole mixture, shape ``(*batch, *event)``."""
        within = (math.pi * self.log_scale.exp()).square() / 3
        offset = self.loc - self.mean.unsqueeze(self.axis)
        return (self.weights * (within + offset.square())).sum(self.axis).sqrt()

    @property
    def _components(self) -> int:
        return self.logits.shape[self.axis]

    def _standard(self, value: Tensor) -> Tensor:
        return (value.unsqueeze(self.axis) - self.loc) * (-self.log_scale).exp()

    def _of(self, chosen: Tensor, part: Tensor) -> Tensor:
        """What the chosen components have."""
        wide = part.expand_as(self.logits).movedim(self.axis, -1)
        return wide.expand(*chosen.shape, -1).gather(-1, chosen.unsqueeze(-1)).squeeze(-1)
