"""Codes on the unit sphere: von Mises-Fisher posteriors and the uniform prior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional as F

from vaekit.distributions import UniformSphere, VonMisesFisher
from vaekit.errors import ConfigError
from vaekit.latents.posterior import Posterior
from vaekit.latents.prior import Prior
from vaekit.spec import Spec, Within

__all__ = ["VMF", "UniformOnSphere", "UniformOnSpherePrior", "VMFPosterior"]

SPACE = "the unit sphere"


class VMF(Spec, kind="posterior/von-mises-fisher"):
    r"""A von Mises-Fisher posterior, :math:`q(z \mid x) \propto e^{\kappa(x)\, \mu(x)^\top z}`.

    Codes are unit vectors of length ``latent_dim``: the sphere has one dimension less. The
    concentration is κ = ``floor`` + softplus of the head's output. Its prior is
    :class:`UniformOnSphere`; the KL between them has a closed form and does not depend on μ.

    Args:
        floor: Smallest κ.

    References:
        Hyperspherical Variational Auto-Encoders (Davidson et al., 2018), arXiv:1804.00891.

    Example:
        >>> q = VMF().build(features=8, latent_shape=(3,))(torch.randn(4, 8))
        >>> q.rsample((5,)).shape
        torch.Size([5, 4, 3])
    """

    floor: Annotated[float, Within(1e-3, 1e3)] = 1.0

    def build(
        self, *, features: int, latent_shape: Sequence[int], context_dim: int = 0
    ) -> VMFPosterior:
        """The module for an encoder that returns ``features`` numbers per example.

        Raises:
            ConfigError: If codes have one number only.
        """
        _need_two(latent_shape, self.kind)
        return VMFPosterior(self, features=features, latent_shape=latent_shape)


class VMFPosterior(Posterior):
    """The module of :class:`VMF`."""

    spec: VMF
    space = SPACE

    def __init__(self, spec: VMF, *, features: int, latent_shape: Sequence[int]) -> None:
        super().__init__(
            spec, features=features, latent_shape=latent_shape, size=latent_shape[0] + 1
        )

    def forward(self, h: Tensor, context: Tensor | None = None) -> VonMisesFisher:
        """q(z|x) with batch shape (B,)."""
        direction, raw = self.parameters_of(h).split([self.latent_shape[0], 1], dim=-1)
        concentration = self.spec.floor + F.softplus(raw.squeeze(-1))
        return VonMisesFisher(F.normalize(direction, dim=-1), concentration)


class UniformOnSphere(Spec, kind="prior/uniform-sphere"):
    """The uniform prior on the unit sphere, for :class:`VMF`.

    Example:
        >>> z = UniformOnSphere().build(latent_shape=(3,))().sample((5,))
        >>> z.norm(dim=-1)
        tensor([1.0000, 1.0000, 1.0000, 1.0000, 1.0000])
    """

    def build(self, *, latent_shape: Sequence[int], context_dim: int = 0) -> UniformOnSpherePrior:
        """The module for codes of ``latent_shape``.

        Raises:
            ConfigError: If codes have one number only.
        """
        _need_two(latent_shape, self.kind)
        return UniformOnSpherePrior(self, latent_shape)


class UniformOnSpherePrior(Prior):
    """The module of :class:`UniformOnSphere`; it ignores the context."""

    like: Tensor
    space = SPACE

    def __init__(self, spec: UniformOnSphere, latent_shape: Sequence[int]) -> None:
        super().__init__(spec, latent_shape)
        self.register_buffer("like", torch.zeros(self.latent_shape))

    def forward(self, context: Tensor | None = None) -> UniformSphere:
        """The uniform density."""
        return UniformSphere(self.like)


def _need_two(latent_shape: Sequence[int], kind: str) -> None:
    if latent_shape[0] < 2:
        raise ConfigError(
            "a sphere needs two dimensions",
            expected="latent_dim of at least 2",
            got=latent_shape[0],
            where=kind,
        )
