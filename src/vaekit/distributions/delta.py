"""The deterministic code of an autoencoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vaekit.distributions.density import Density, register_kl

__all__ = ["Delta"]


class Delta(Density):
    """All mass on one point. It has no density: bounds and likelihoods refuse it.

    Its KL to a prior is infinite; by the convention of autoencoders the objective's rate is 0, so
    that the loss is the distortion alone.

    Args:
        loc: The point, shape ``(*batch, *event)``.

    Example:
        >>> Delta(torch.ones(4, 2)).rsample((3,)).shape
        torch.Size([3, 4, 2])
    """

    __slots__ = ("loc",)
    has_density = False

    def __init__(self, loc: Tensor, *, event_dims: int = 1) -> None:
        self.loc = loc
        self.event_dims = event_dims

    def rsample(self, shape: Sequence[int] = ()) -> Tensor:  # noqa: D102
        return self.loc.expand(*shape, *self.loc.shape)

    @property
    def mean(self) -> Tensor:  # noqa: D102
        return self.loc

    @property
    def stddev(self) -> Tensor:
        """Zeros, shape ``(*batch, *event)``."""
        return torch.zeros_like(self.loc)


@register_kl(Delta, Density)
def _(q: Delta, p: Density) -> Tensor:
    return torch.zeros_like(q.loc)
