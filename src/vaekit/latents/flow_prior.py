"""The normalising-flow prior, with or without a context."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vaekit.distributions import FlowDensity, Normal
from vaekit.errors import ConfigError
from vaekit.latents.prior import Prior
from vaekit.latents.zuko_flow import ZukoFlow, ZukoSpec

__all__ = ["FlowOfNormal", "FlowPrior"]


class FlowOfNormal(ZukoSpec, kind="prior/flow"):
    r"""A standard normal behind a flow that is learned, :math:`z = f(\epsilon)`.

    With a context the flow reads it, and the prior is p(z|c). Draws cost as many passes as the
    code has dimensions, except for ``realnvp``; densities cost one.

    Args:
        family: ``nsf``, autoregressive rational-quadratic splines on [−5, 5]; ``maf``,
            autoregressive affine maps; ``realnvp``, affine couplings.
        transforms: How many maps, one after the other.
        hidden: Widths of the hidden layers of each.

    References:
        | Variational Lossy Autoencoder (Chen et al., 2016), arXiv:1611.02731, for flow priors.
        | Neural Spline Flows (Durkan et al., 2019), arXiv:1906.04032.
        | Masked Autoregressive Flow (Papamakarios, Pavlakou & Murray, 2017), arXiv:1705.07057.
        | Density estimation using Real NVP (Dinh, Sohl-Dickstein & Bengio, 2016),
          arXiv:1605.08803.

    Example:
        >>> p = FlowOfNormal(transforms=2, hidden=(8,)).build(latent_shape=(2,))()
        >>> p.sample((5,)).shape, p.log_prob(torch.zeros(5, 2)).shape
        (torch.Size([5, 2]), torch.Size([5]))
    """

    def build(self, *, latent_shape: Sequence[int], context_dim: int = 0) -> FlowPrior:
        """The module for codes of ``latent_shape``.

        Raises:
            ConfigError: If it would have more than 2^26 weights.
        """
        return FlowPrior(self, latent_shape, context_dim)


class FlowPrior(Prior):
    """The module of :class:`FlowOfNormal`."""

    like: Tensor

    def __init__(self, spec: FlowOfNormal, latent_shape: Sequence[int], context_dim: int) -> None:
        super().__init__(spec, latent_shape)
        self.context_dim = context_dim
        self.register_buffer("like", torch.zeros(self.latent_shape))
        self.flow = ZukoFlow(
            spec, features=self.latent_shape[0], context=context_dim, quick="densities"
        )

    def forward(self, context: Tensor | None = None) -> FlowDensity:
        """The density over ``latent_shape``, with batch shape (B,) where there is a context."""
        if self.context_dim and context is None:
            raise ConfigError("this prior needs a context", remedy="pass c")
        context = context if self.context_dim else None
        zeros = self.like if context is None else self.like.expand(len(context), -1)
        base = Normal.from_log_scale(zeros, torch.zeros_like(zeros))
        return FlowDensity(base, self.flow, context)
