"""Independent categorical values, one distribution over K categories for each element."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vaekit.distributions.density import Density
from vaekit.distributions.noise import uniform

__all__ = ["Categorical"]


class Categorical(Density):
    r"""Independent codes k in 0..K−1 with ``p(k) = softmax(logits)_k``; a mass, in nats.

    .. math:: \log p(k) = \ell_k - \log \sum_j e^{\ell_j}

    Codes are held as floating-point numbers, as every other observation is.

    Args:
        logits: Unnormalised log masses; the axis of categories stands before the event's axes,
            shape ``(*batch, K, *event)``.
        event_dims: Trailing axes that make up one event, not counting the categories.
        scaled: Whether a code is written as k / (K − 1), in [0, 1].

    Example:
        >>> px = Categorical(torch.zeros(5, 4, 2))
        >>> px.log_prob(torch.tensor([0.0, 3.0])).exp()[0], px.sample((7,)).shape
        (tensor(0.0625), torch.Size([7, 5, 2]))
    """

    __slots__ = ("logits", "scaled")

    def __init__(self, logits: Tensor, *, event_dims: int = 1, scaled: bool = False) -> None:
        self.logits = logits
        self.event_dims = event_dims
        self.scaled = scaled

    @property
    def axis(self) -> int:
        """Where the categories stand among the axes of ``logits``, counted from the end."""
        return -self.event_dims - 1

    @property
    def divisor(self) -> int:
        """By what a code is divided where it is written."""
        return self.logits.shape[self.axis] - 1 if self.scaled else 1

    def log_prob_elements(self, value: Tensor) -> Tensor:  # noqa: D102
        normaliser = self.logits.logsumexp(self.axis)
        shape = torch.broadcast_shapes(value.shape, normaliser.shape)
        code = (value * self.divisor).round().long().expand(shape)
        logits = self.logits.movedim(self.axis, -1).expand(*shape, -1)
        return logits.gather(-1, code.unsqueeze(-1)).squeeze(-1) - normaliser

    def sample(self, shape: Sequence[int] = ()) -> Tensor:
        """Codes of shape ``(*shape, *batch, *event)``, by inverting the cumulated masses."""
        with torch.no_grad():
            cumulated = self.probs.cumsum(self.axis)
            total = cumulated.select(self.axis, -1)
            u = uniform(shape, like=total, event_dims=self.event_dims) * total
            code = (cumulated <= u.unsqueeze(self.axis)).sum(self.axis)
            return code.clamp(max=self.logits.shape[self.axis] - 1).to(u) / self.divisor

    @property
    def probs(self) -> Tensor:
        """The masses, shape ``(*batch, K, *event)``."""
        return self.logits.softmax(self.axis)

    @property
    def mean(self) -> Tensor:
        """The expected code, shape ``(*batch, *event)``; else see :attr:`mode`."""
        codes = torch.arange(self.logits.shape[self.axis]).to(self.logits) / self.divisor
        return (self.probs.movedim(self.axis, -1) * codes).sum(-1)

    @property
    def mode(self) -> Tensor:
        """The most probable code, shape ``(*batch, *event)``."""
        return self.logits.argmax(self.axis).to(self.logits) / self.divisor
