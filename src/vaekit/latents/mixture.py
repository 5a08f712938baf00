"""The Gaussian mixture prior, with or without a context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor, nn

from vaekit.distributions import Mixture, Normal
from vaekit.latents.prior import Prior
from vaekit.spec import Spec, Within

__all__ = ["MixtureOfNormals", "MixturePrior"]


class MixtureOfNormals(Spec, kind="prior/mixture"):
    r"""A mixture of normals with learned weights, means and scales.

    .. math:: p(z) = \sum_{k=1}^K w_k \, N(z; \mu_k, \operatorname{diag} \sigma_k^2)

    Args:
        components: K.
        spread: Standard deviation of the means at the start, which are drawn from
            N(0, spread² I); weights start equal and scales at 1.

    References:
        Deep Unsupervised Clustering with Gaussian Mixture Variational Autoencoders (Dilokthanakul
        et al., 2016), arXiv:1611.02648.

    Example:
        >>> p = MixtureOfNormals(components=3).build(latent_shape=(2,))()
        >>> p.sample((5,)).shape, p.mean.shape
        (torch.Size([5, 2]), torch.Size([2]))
    """

    components: Annotated[int, Within(1, 100_000)] = 10
    spread: Annotated[float, Within(0.0, 1e3)] = 1.0

    def build(self, *, latent_shape: Sequence[int], context_dim: int = 0) -> MixturePrior:
        """The module for codes of ``latent_shape``; it ignores the context."""
        return MixturePrior(self, latent_shape)


class MixturePrior(Prior):
    """The module of :class:`MixtureOfNormals`."""

    def __init__(self, spec: MixtureOfNormals, latent_shape: Sequence[int]) -> None:
        super().__init__(spec, latent_shape)
        self.logits = nn.Parameter(torch.zeros(spec.components))
        self.loc = nn.Parameter(spec.spread * torch.randn(spec.components, *self.latent_shape))
        self.log_scale = nn.Parameter(torch.zeros(spec.components, *self.latent_shape))

    def forward(self, context: Tensor | None = None) -> Mixture:
        """The mixture over ``latent_shape``."""
        event_dims = len(self.latent_shape)
        parts = Normal.from_log_scale(self.loc, self.log_scale, event_dims=event_dims)
        return Mixture(parts, self.logits)
