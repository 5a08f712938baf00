r"""The linear VAE: probabilistic PCA with an inference network, where everything is known exactly.

.. math:: z \sim N(0, I_k), \quad x \mid z \sim N(Wz + \mu, \sigma^2 I_D)

gives :math:`p(x) = N(\mu, C)` with :math:`C = WW^\top + \sigma^2 I_D`. With
:math:`M = W^\top W + \sigma^2 I_k`, which is only k × k, the posterior is
:math:`N(m, \sigma^2 M^{-1})` at :math:`m = M^{-1} W^\top (x - \mu)`, and Woodbury's identity gives

.. math::
    (x - \mu)^\top C^{-1} (x - \mu) = \|x - \mu - Wm\|^2 / \sigma^2 + \|m\|^2, \qquad
    \log\det C = \log\det M + (D - k) \log \sigma^2

as sums of squares, free of cancellation. A diagonal q(z|x) is exact where the columns of W are
orthogonal, so there the ELBO is log p(x).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vaekit.distributions import TriangularNormal
from vaekit.errors import ConfigError, DataError
from vaekit.latents import Diagonal, Standard
from vaekit.latents.posterior import LOG_SCALE_LIMIT
from vaekit.likelihoods import Gaussian, GaussianLikelihood
from vaekit.models.vae import VAEModel
from vaekit.networks import MLP, probe_features
from vaekit.spec import Spec, Within

__all__ = ["LinearVAE", "LinearVAEModel"]


class LinearVAE(Spec, kind="model/linear-vae"):
    """A VAE with linear encoder and decoder and one shared noise scale: probabilistic PCA.

    Args:
        latent_dim: Dimension k of the code z.

    References:
        - Probabilistic Principal Component Analysis (Tipping & Bishop, 1999).
        - Don't Blame the ELBO! A Linear VAE Perspective on Posterior Collapse (Lucas, Tucker,
          Grosse & Norouzi, 2019), arXiv:1911.02469.

    Example:
        >>> model = LinearVAE(latent_dim=2).build(event_shape=(1, 8, 8))
        >>> model.exact_log_marginal(torch.rand(5, 1, 8, 8)).shape
        torch.Size([5])
    """

    latent_dim: Annotated[int, Within(1, 65_536)] = 2

    def build(self, *, event_shape: Sequence[int], context_dim: int = 0) -> LinearVAEModel:
        """The model for observations of ``event_shape``, flat or shaped.

        Raises:
            ConfigError: If there is a context, which probabilistic PCA does not have.
        """
        if context_dim:
            raise ConfigError(
                "the linear VAE has no context",
                got=f"{context_dim} numbers per example",
                where=self.kind,
                remedy="use model 'vae' with network 'mlp:hidden=' for a conditional linear model",
            )
        return LinearVAEModel(self, event_shape)


class LinearVAEModel(VAEModel):
    """The module of :class:`LinearVAE`."""

    likelihood: GaussianLikelihood

    def __init__(self, spec: LinearVAE, event_shape: Sequence[int]) -> None:
        shape = (spec.latent_dim,)
        encoder = MLP(hidden=()).encoder(event_shape)
        features = probe_features(encoder, event_shape, context_dim=0)
        super().__init__(
            encoder,
            MLP(hidden=()).decoder(shape, event_shape),
            Standard().build(latent_shape=shape),
            Diagonal().build(features=features, latent_shape=shape),
            Gaussian(scale="shared").build(event_shape=event_shape),
            spec=spec,
        )
        # Its optima are global (Lucas et al., 2019): noise that falls slowly leads there soonest.
        self.likelihood.learn_slowly()

    @property
    def weight(self) -> Tensor:
        """W, shape (D, k), with D the number of elements of one observation."""
        return self._decoder_layer.weight

    @property
    def bias(self) -> Tensor:
        """The mean μ of the data, shape (D,)."""
        return self._decoder_layer.bias

    @property
    def sigma2(self) -> Tensor:
        """The noise variance σ², a scalar."""
        return self.likelihood(self.bias.unflatten(0, self.event_shape)).scale.square()

    def exact_log_marginal(self, x: Tensor) -> Tensor:
        """log p(x) = log N(x; μ, W Wᵀ + σ² I) in nats, float64, shape (n,); it is differentiable.

        Args:
            x: Observations, shape ``(n, *event)``.
        """
        weight, sigma2 = self.weight.double(), self.sigma2.double()
        offset = self._offset(x)
        factor = torch.linalg.cholesky(self._inner())
        mean = torch.cholesky_solve((offset @ weight).mT, factor).mT
        residual = offset - mean @ weight.mT
        distance = residual.square().sum(-1) / sigma2 + mean.square().sum(-1)
        dim, latent_dim = weight.shape
        log_det = 2 * factor.diagonal().log().sum() + (dim - latent_dim) * sigma2.log()
        return -0.5 * (distance + log_det + dim * math.log(2 * math.pi))

    def exact_posterior(self, x: Tensor) -> TriangularNormal:
        """p(z|x) = N(M⁻¹ Wᵀ (x − μ), σ² M⁻¹), float64, batch shape (n,).

        Args:
            x: Observations, shape ``(n, *event)``.
        """
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(self._inner()))
        loc = self._offset(x) @ self.weight.double() @ inverse
        scale_tril = torch.linalg.cholesky(self.sigma2.double() * inverse)
        return TriangularNormal(loc, scale_tril.expand(len(loc), -1, -1))

    @torch.no_grad()
    def set_maximum_likelihood(self, x: Tensor) -> Self:
        r"""Set all parameters to the maximum-likelihood solution in closed form.

        With the eigenvalues :math:`\lambda_1 \ge \dots \ge \lambda_D` of the covariance of the
        data (divided by n), σ² is the mean of the last D − k, and :math:`W = U_k (\Lambda_k -
        \sigma^2)^{1/2}` has orthogonal columns, so that the diagonal posterior, set to mean
        :math:`\Lambda^{-1} W^\top (x - \mu)` and variance :math:`\sigma^2 / \lambda_i`, is exact.

        Args:
            x: Training observations, shape ``(n, *event)``.

        Raises:
            ConfigError: If the code is not smaller than an observation.
            DataError: If the data leave no noise, or less than the floor of σ.
        """
        self.likelihood.check(x)
        dim, latent_dim = self.weight.shape
        if latent_dim >= dim:
            raise ConfigError(
                "no dimension is left for the noise",
                expected=f"latent_dim below {dim}, the size of x",
                got=latent_dim,
            )
        mean = x.flatten(1).double().mean(0)
        values, axes, rest = _principal_axes(x.flatten(1).double() - mean, latent_dim)
        sigma2 = rest / (dim - latent_dim)
        self._set_noise(sigma2)
        weight = axes * (values - sigma2).clamp(min=0).sqrt()
        self.weight.copy_(weight)
        self.bias.copy_(mean)
        self._set_posterior((weight / values).mT, mean, sigma2 / values)
        return self

    @property
    def _decoder_layer(self) -> nn.Linear:
        return cast(nn.Linear, self.decoder.get_submodule("layers.0"))

    def _inner(self) -> Tensor:
        """M = Wᵀ W + σ² I, shape (k, k)."""
        weight, sigma2 = self.weight.double(), self.sigma2.double()
        return weight.mT @ weight + sigma2 * torch.eye(weight.shape[1]).to(weight)

    def _offset(self, x: Tensor) -> Tensor:
        self._check(x, self.event_shape, "x")
        return x.flatten(1).double() - self.bias.double()

    def _set_noise(self, sigma2: Tensor) -> None:
        """Invert log σ = floor + softplus(raw − floor)."""
        floor = self.likelihood.floor
        above = 0.5 * sigma2.clamp(min=0).log() - math.log(floor)
        if not above > 0:
            raise DataError(
                "the principal components leave too little noise",
                expected=f"a noise scale above {floor:.3g}",
                got=f"{float(sigma2.clamp(min=0).sqrt()):.3g}",
                remedy="scale the data up, or choose a smaller latent_dim",
            )
        raw = above + torch.log(-torch.expm1(-above)) + math.log(floor)
        self.likelihood.set_raw_log_scale(raw)

    def _set_posterior(self, weight: Tensor, mean: Tensor, variance: Tensor) -> None:
        """q(z|x) = N(weight (x − mean), variance); inverts the smooth bound on log scales."""
        log_scale = 0.5 * variance.log()
        if not bool((log_scale.abs() < LOG_SCALE_LIMIT).all()):
            raise DataError(
                "the noise is too small beside the signal for a posterior of float32",
                expected=f"posterior log scales within ±{LOG_SCALE_LIMIT:g}",
                got=f"{float(log_scale.min()):.3g}",
            )
        raw = LOG_SCALE_LIMIT * torch.atanh(log_scale / LOG_SCALE_LIMIT)
        head = self.posterior.head
        head.weight.copy_(F.pad(weight, (0, 0, 0, len(weight))))
        head.bias.copy_(torch.cat([-weight @ mean, raw]))


def _principal_axes(offset: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """The first k eigenvalues and eigenvectors (D, k) of the covariance; the sum of the rest."""
    n, dim = offset.shape
    if n >= dim:
        ascending, axes = torch.linalg.eigh(offset.mT @ offset / n)
        values, axes = ascending.flip(0), axes.flip(1)
    else:
        _, singular, rows = torch.linalg.svd(offset, full_matrices=False)
        values, axes = singular.square() / n, rows.mT
    axes = axes[:, :k]
    largest = axes.gather(0, axes.abs().argmax(0, keepdim=True))
    return values[:k], axes * largest.sign(), values[k:].sum()
