"""Independent coin flips, given by their logits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from vaekit.distributions.density import Density, sum_events
from vaekit.distributions.noise import uniform

__all__ = ["Bernoulli"]


class Bernoulli(Density):
    r"""Independent binary values with ``p(x = 1) = sigmoid(logits)``; a mass, in nats.

    .. math:: \log p(x_i) = x_i\,\ell_i - \log(1 + e^{\ell_i})

    The expression is linear in x. For a grey value x in [0, 1] it is therefore the expected
    log mass of a pixel that is drawn anew as 1 with probability x (dynamic binarisation), the
    negative *cross-entropy*; it is not a density on [0, 1]. For one, see
    :class:`~vaekit.distributions.ContinuousBernoulli`.

    Args:
        logits: Log odds of a one, shape ``(*batch, *event)``.
        event_dims: Trailing axes that make up one event.

    Example:
        >>> Bernoulli(torch.zeros(4, 3)).log_prob(torch.ones(4, 3))[0].exp()
        tensor(0.125)
    """

    __slots__ = ("logits",)

    def __init__(self, logits: Tensor, *, event_dims: int = 1) -> None:
        self.logits = logits
        self.event_dims = event_dims

    def log_prob_elements(self, value: Tensor) -> Tensor:  # noqa: D102
        logits, value = torch.broadcast_tensors(self.logits, value.to(self.logits.dtype))
        return F.binary_cross_entropy_with_logits(logits, value, reduction="none").neg_()

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(value) in nats, shape ``(*batch,)``; cheaper than summing the elements."""
        linear = sum_events(self.logits * value.to(self.logits.dtype), self.event_dims)
        return linear - sum_events(F.softplus(self.logits), self.event_dims)

    def sample(self, shape: Sequence[int] = ()) -> Tensor:
        """Zeros and ones of shape ``(*shape, *batch, *event)``."""
        with torch.no_grad():
            u = uniform(shape, like=self.logits, event_dims=self.event_dims)
            return (u < self.mean).to(self.logits.dtype)

    def cdf(self, value: Tensor) -> Tensor:
        """P(x ≤ value) of the binary values, shape ``(*batch, *event)``."""
        zero = (-self.logits).sigmoid()
        return torch.where(value < 0, 0.0, torch.where(value < 1, zero, 1.0))

    @property
    def mean(self) -> Tensor:  # noqa: D102
        return self.logits.sigmoid()
