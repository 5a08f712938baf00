"""Planar flow: a normal that is squeezed or stretched across hyperplanes chosen by the encoder."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vaekit.distributions import Flow, FlowChain
from vaekit.latents.flow_posterior import FlowPosterior
from vaekit.spec import Spec, Within

__all__ = ["Planar", "PlanarPosterior"]

HALVINGS = 60
SLOPE_FLOOR = 1e-6
SHIFT = math.log(math.e - 1)


class Planar(Spec, kind="posterior/planar"):
    r"""A normal followed by T planar steps whose parameters are functions of x.

    .. math:: z_t = z_{t-1} + \hat u_t(x) \tanh(w_t(x)^\top z_{t-1} + b_t(x))

    Each step is invertible, as :math:`\hat u^\top w > -1`. It has no inverse in closed form: the
    log density of a given code (``given=``, STL, DReG) solves one equation in one unknown a step.

    Args:
        steps: T.

    References:
        Variational Inference with Normalizing Flows (Rezende & Mohamed, 2015), arXiv:1505.05770.

    Example:
        >>> q = Planar(steps=2).build(features=8, latent_shape=(3,))(torch.zeros(4, 8))
        >>> z, log_q = q.rsample_and_log_prob((5,))
        >>> z.shape, torch.allclose(q.log_prob(z), log_q, atol=1e-5)
        (torch.Size([5, 4, 3]), True)
    """

    steps: Annotated[int, Within(1, 256)] = 8

    def build(
        self, *, features: int, latent_shape: Sequence[int], context_dim: int = 0
    ) -> PlanarPosterior:
        """The module for an encoder that returns ``features`` numbers per example."""
        return PlanarPosterior(self, features=features, latent_shape=latent_shape)


class PlanarPosterior(FlowPosterior):
    """The module of :class:`Planar`; its head's rows for u are 0, so it starts diagonal."""

    def __init__(self, spec: Planar, *, features: int, latent_shape: Sequence[int]) -> None:
        n = latent_shape[0]
        size = 2 * n + 1
        flow = FlowChain(PlanarStep(n, t * size) for t in range(spec.steps))
        super().__init__(
            spec, flow, features=features, latent_shape=latent_shape, context=spec.steps * size
        )
        for t in range(spec.steps):
            rows = slice(2 * n + t * size, 3 * n + t * size)
            nn.init.zeros_(self.head.weight[rows].detach())
            nn.init.zeros_(self.head.bias[rows].detach())


class PlanarStep(Flow):
    """One step; u, w and b are ``2 n + 1`` numbers of the context.

    Args:
        n: How many coordinates.
        first: Where its numbers begin.
    """

    def __init__(self, n: int, first: int) -> None:
        super().__init__()
        self.n = n
        self.first = first

    def forward(
        self, value: Tensor, context: Tensor | None = None, *, inverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        assert context is not None
        mine = context[..., self.first : self.first + 2 * self.n + 1]
        u, w, b = mine.split([self.n, self.n, 1], dim=-1)
        slope = (u * w).sum(-1, keepdim=True)
        allowed = F.softplus(slope + SHIFT) - 1  # above −1, and 0 at 0
        allowed = allowed.clamp(min=SLOPE_FLOOR - 1)
        u = u + (allowed - slope) * w / w.square().sum(-1, keepdim=True).clamp(min=1e-12)
        along = (value * w).sum(-1, keepdim=True)
        if inverse:
            along = _solve(along, allowed, b)
        bend = (along + b).tanh()
        log_det = (allowed * (1 - bend.square())).log1p().squeeze(-1)
        return (value - u * bend if inverse else value + u * bend), log_det


def _solve(target: Tensor, slope: Tensor, b: Tensor) -> Tensor:
    """The a with a + slope · tanh(a + b) = target, which rises with a.

    It is found without gradients; a Newton step at it has those of the implicit function.
    """
    with torch.no_grad():
        reach = slope.abs() + 1
        low, high = target - reach, target + reach
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            above = middle + slope * (middle + b).tanh() > target
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        a = 0.5 * (low + high)
        rise = 1 + slope * (1 - (a + b).tanh().square())
    return a - (a + slope * (a + b).tanh() - target) / rise
