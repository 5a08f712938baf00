"""Posteriors that are a diagonal normal behind a flow."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from vaekit.distributions import Flow, FlowDensity, Normal
from vaekit.latents.posterior import Posterior, bounded
from vaekit.spec import Spec

__all__ = ["FlowPosterior"]


class FlowPosterior(Posterior):
    """Base of posteriors z = f(ε; h(x)) with ε ~ N(μ(x), σ(x)²); see :class:`FlowDensity`.

    Args:
        spec: What it is built from.
        flow: f.
        features: How many numbers the encoder returns.
        latent_shape: Shape of one code.
        context: How many numbers h(x) the flow reads.
    """

    def __init__(
        self,
        spec: Spec,
        flow: Flow,
        *,
        features: int,
        latent_shape: Sequence[int],
        context: int,
    ) -> None:
        n = latent_shape[0]
        super().__init__(spec, features=features, latent_shape=latent_shape, size=2 * n + context)
        self.flow = flow
        self.sizes = [n, n, context]

    def forward(self, h: Tensor, context: Tensor | None = None) -> FlowDensity:
        """q(z|x) with batch shape (B,)."""
        loc, log_scale, seen = self.parameters_of(h).split(self.sizes, dim=-1)
        return FlowDensity(Normal.from_log_scale(loc, bounded(log_scale)), self.flow, seen)
