"""Posteriors that are a diagonal normal behind a flow, and the one with the flows of zuko."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from torch import Tensor

from vaekit.distributions import Flow, FlowDensity, Normal
from vaekit.latents.posterior import Posterior, bounded
from vaekit.latents.zuko_flow import ZukoFlow, ZukoSpec
from vaekit.spec import Spec, Within

__all__ = ["FlowOfFeatures", "FlowPosterior"]


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


class FlowOfFeatures(ZukoSpec, kind="posterior/flow"):
    r"""A normal behind splines, autoregressive or coupling maps that see the encoder's features.

    From :math:`\epsilon \sim N(\mu(x), \sigma(x)^2)` to :math:`z = f(\epsilon; h(x))`. A draw with
    its log density costs one pass; the log density of a given code (``given=``, STL, DReG) costs
    as many as the code has dimensions, except for ``realnvp``. It starts as the diagonal one.

    Args:
        family: ``nsf``, autoregressive rational-quadratic splines on [−5, 5], beyond which f is
            the identity; ``maf``, autoregressive affine maps, which used this way round are
            those of :class:`IAF`; ``realnvp``, affine couplings.
        transforms: How many maps, one after the other.
        hidden: Widths of the hidden layers of each.
        context: How many numbers h(x) the encoder's features are made into.

    References:
        | Variational Inference with Normalizing Flows (Rezende & Mohamed, 2015), arXiv:1505.05770.
        | Neural Spline Flows (Durkan et al., 2019), arXiv:1906.04032.
        | Density estimation using Real NVP (Dinh, Sohl-Dickstein & Bengio, 2016),
          arXiv:1605.08803.

    Example:
        >>> import torch
        >>> spec = FlowOfFeatures(family="nsf", hidden=(16,))
        >>> q = spec.build(features=8, latent_shape=(3,))(torch.zeros(4, 8))
        >>> z, log_q = q.rsample_and_log_prob((5,))
        >>> z.shape, log_q.shape, torch.allclose(q.log_prob(z), log_q, atol=1e-5)
        (torch.Size([5, 4, 3]), torch.Size([5, 4]), True)
    """

    transforms: Annotated[int, Within(1, 100)] = 2
    context: Annotated[int, Within(1, 65_536)] = 64

    def build(
        self, *, features: int, latent_shape: Sequence[int], context_dim: int = 0
    ) -> FlowPosterior:
        """The module for an encoder that returns ``features`` numbers per example.

        Raises:
            ConfigError: If the flow would have more than 2^26 weights.
        """
        flow = ZukoFlow(self, features=latent_shape[0], context=self.context, quick="draws")
        flow.flatten()
        return FlowPosterior(
            self, flow, features=features, latent_shape=latent_shape, context=self.context
        )
