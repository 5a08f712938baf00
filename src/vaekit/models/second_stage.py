r"""The second stage: a VAE over the codes of another model, which is that model's prior.

With u for the codes of the second stage and :math:`r(u \mid z)` for its posterior,

.. math:: p(z) = \int p(z \mid u) \, N(u; 0, I) \, du

has no closed form, but it can be drawn from, and it is bounded from below by importance sampling:

.. math::
    E\Big[\log \tfrac1K \sum_{k=1}^K w_k\Big] \le \log p(z), \qquad
    w_k = \frac{p(z \mid u_k) \, N(u_k; 0, I)}{r(u_k \mid z)}, \quad u_k \sim r(u \mid z)

since the mean :math:`\hat p(z)` of the weights has expectation p(z) and the logarithm is concave.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Annotated, Any, Self

import torch
from torch import Tensor

from vaekit.distributions import (
    Density,
    JointDensity,
    StandardNormal,
    flattened_rows,
    mirrored_draws,
    without_rows,
)
from vaekit.errors import ConfigError
from vaekit.latents import Prior
from vaekit.likelihoods import Gaussian
from vaekit.models.vae import FlatVAE, VAEModel
from vaekit.networks import MLP
from vaekit.spec import Role, Spec, Within

__all__ = ["SecondStage", "SecondStageDensity", "SecondStagePrior"]

DECODED = 2**16
"""Most codes u that are decoded together."""


class SecondStage(Spec, kind="prior/vae"):
    r"""A VAE over codes as their prior, :math:`p(z) = \int p(z \mid u) N(u; 0, I) du`.

    Meant for :func:`vaekit.tasks.fit_prior`: the first VAE learns the manifold of the data, the
    second the distribution on it, each by its own ELBO. Within a larger model that learns as a
    whole, it makes the model one of two latent layers, trained by a lower bound all the same; the
    authors find that this does not help.

    Args:
        latent_dim: Dimension of u; None takes that of z.
        encoder: A network spec; the decoder mirrors it.
        likelihood: p(z|u), here with one learned σ.
        samples: K of the bound on log p(z).

    References:
        Diagnosing and Enhancing VAE Models (Dai & Wipf, 2019), arXiv:1903.05789.

    Example:
        >>> p = SecondStage(latent_dim=3, samples=5).build(latent_shape=(2,))()
        >>> p.sample((4,)).shape, p.log_prob(torch.zeros(4, 2)).shape
        (torch.Size([4, 2]), torch.Size([4]))
    """

    latent_dim: Annotated[int, Within(1, 65_536)] | None = None
    encoder: Annotated[Any, Role("network")] = MLP(hidden=(64, 64, 64))
    likelihood: Annotated[Any, Role("likelihood")] = Gaussian(scale="shared")
    samples: Annotated[int, Within(1, 100_000)] = 32

    def validate(self) -> None:
        """Refuse a σ that is a statistic of the batch: codes come from a model that may learn."""
        if getattr(self.likelihood, "scale", None) == "optimal":
            raise ConfigError(
                "an optimal σ is that of training rows, which codes of another model are not",
                where=f"{self.kind}.likelihood.scale",
                got="optimal",
                remedy="let σ be learned: scale=shared",
            )

    def build(self, *, latent_shape: Sequence[int], context_dim: int = 0) -> SecondStagePrior:
        """The module for codes of ``latent_shape``; with a context the prior is p(z|c)."""
        return SecondStagePrior(self, latent_shape, context_dim)


class SecondStagePrior(Prior):
    """The module of :class:`SecondStage`.

    Attributes:
        vae: The second stage, a model of codes that can be trained as any other.
    """

    is_exact = False

    def __init__(self, spec: SecondStage, latent_shape: Sequence[int], context_dim: int) -> None:
        super().__init__(spec, latent_shape)
        self.samples = spec.samples
        self.vae = FlatVAE(
            latent_dim=spec.latent_dim or self.latent_shape[0],
            encoder=spec.encoder,
            likelihood=spec.likelihood,
        ).build(event_shape=self.latent_shape, context_dim=context_dim)

    def forward(self, context: Tensor | None = None) -> SecondStageDensity:
        """The density over ``latent_shape``, with batch shape (B,) where there is a context."""
        if not self.vae.context_dim:
            return SecondStageDensity(self.vae, samples=self.samples)
        if context is None:
            raise ConfigError("this prior needs a context", remedy="pass c")
        return SecondStageDensity(self.vae, context, samples=self.samples)


class SecondStageDensity(JointDensity):
    r"""What a VAE says about codes z, in nats: a lower bound on log p(z), and draws.

    :meth:`log_prob` is :math:`\log \hat p(z)`, the importance-sampled bound of K samples. In a
    bound on log p(x) it may take the place of log p(z), and what results is a bound again:

    - the ELBO contains :math:`E_q[\log p(z)]`, which can only become smaller;
    - the weights :math:`p(x \mid z) \, \hat p(z) / q(z \mid x)` have expectation p(x) as before,
      so the logarithm of their mean is at most log p(x) in expectation, and tends to it with the
      number of codes z, whatever K is.

    Noise comes from the one source of noise: it is fresh in training, and in measurements
    determined by the seed and the row.

    Mean and standard deviation have no closed form: they are those of p(z|u) mixed over 64 fixed
    draws of u, see :func:`~vaekit.distributions.mirrored_draws`.

    Args:
        vae: The second stage.
        context: c, shape (B, k).
        samples: K.
    """

    __slots__ = ("context", "samples", "vae")

    def __init__(self, vae: VAEModel, context: Tensor | None = None, *, samples: int) -> None:
        self.vae = vae
        self.context = context
        self.samples = samples
        self.event_dims = 1

    @property
    def batch_shape(self) -> torch.Size:  # noqa: D102
        return torch.Size() if self.context is None else self.context.shape[:-1]

    def log_prob(self, value: Tensor) -> Tensor:
        """A lower bound on log p(value) in expectation (nats), shape ``(*batch,)``."""
        lead = torch.broadcast_shapes(value.shape[:-1], self.batch_shape)
        z = value.expand(*lead, -1).reshape(-1, value.shape[-1])
        c = None if self.context is None else self.context.expand(*lead, -1).reshape(len(z), -1)
        r, prior = self.vae.encode(z, c), self.vae.prior(c)
        with flattened_rows(lead):
            u = r.rsample((self.samples,))
        log_weights = [
            self.vae.evidence_at(some, r, z, c, p=prior).log_weight
            for some in u.split(max(1, DECODED // len(z)))
        ]
        total = torch.cat(log_weights).logsumexp(0) - math.log(self.samples)
        return total.reshape(lead)

    def rsample(self, shape: Sequence[int] = ()) -> Tensor:
        """Draws of p(z|u), noise included, at u ~ N(0, I)."""
        pz = self._given(self._prior.rsample(shape).unsqueeze(0))
        if self.batch_shape:
            return pz.rsample().squeeze(0)
        with without_rows():
            return pz.rsample().squeeze(0)

    @property
    def mean(self) -> Tensor:
        """The mean over 64 fixed draws of u, shape ``(*batch, n)``."""
        return self._given(mirrored_draws(self._prior)).mean.mean(0)

    @property
    def stddev(self) -> Tensor:
        """The root of E Var(z|u) + Var E(z|u) over 64 fixed draws of u, shape ``(*batch, n)``."""
        pz = self._given(mirrored_draws(self._prior))
        return (pz.stddev.square().mean(0) + pz.mean.var(0)).sqrt()

    @property
    def _prior(self) -> StandardNormal:
        """N(0, I) over u, with the rows of the context."""
        like = self.vae.prior().mean
        return StandardNormal(like.expand(*self.batch_shape, *like.shape), event_dims=1)

    def _given(self, u: Tensor) -> Density:
        """p(z|u) of codes of shape ``(*lead, *batch, n)``."""
        return self.vae.decode(u, self.context)

    def detach(self) -> Self:
        """The same density with context and parameters held constant."""
        other = super().detach()
        other.vae = copy.deepcopy(self.vae).requires_grad_(False)
        return other
