"""The Poisson likelihood of counts, and what all likelihoods of counts share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vaekit import distributions
from vaekit.likelihoods.likelihood import Likelihood
from vaekit.spec import Spec

__all__ = ["CountLikelihood", "Poisson", "PoissonLikelihood"]

LOG_MEAN_LIMIT = 15.0


class Poisson(Spec, kind="likelihood/poisson"):
    r"""Poisson likelihood, :math:`\log p = \sum_i x_i \log\lambda_i - \lambda_i - \log x_i!`.

    A probability *mass* in nats over counts, whose variance equals their mean λ. The decoder emits
    log λ, bounded smoothly by ±15; for larger variances see :class:`NegativeBinomial`.

    Example:
        >>> likelihood = Poisson().build(event_shape=(3,))
        >>> likelihood.mean(torch.zeros(2, 3))[0]
        tensor([1., 1., 1.])
    """

    def build(self, *, event_shape: Sequence[int]) -> PoissonLikelihood:
        """The module for observations of ``event_shape``."""
        return PoissonLikelihood(self, event_shape)


class CountLikelihood(Likelihood):
    """Base of likelihoods of counts."""

    support = "counts 0, 1, 2, …"
    remedy = (
        "give the counts as they are, without scaling, or choose a likelihood for continuous "
        "values, such as 'gaussian'"
    )

    def supports(self, x: Tensor) -> Tensor:
        """Which values are counts."""
        return (x >= 0) & (x == x.round()) & (x < torch.inf)

    def marginal(self, x: Tensor) -> Tensor:
        """What :meth:`log_mean` makes the logarithm of the mean, with half a count added."""
        seen = (~x.isnan()).sum(0)
        log_mean = ((x.nansum(0) + 0.5) / (seen + 1)).log() / LOG_MEAN_LIMIT
        params = x.new_zeros(self.params_shape)
        params[: len(log_mean)] = LOG_MEAN_LIMIT * log_mean.clamp(-0.99, 0.99).atanh()
        return params

    def log_mean(self, raw: Tensor) -> Tensor:
        """The logarithm of the mean from the decoder's output, within ±15."""
        return LOG_MEAN_LIMIT * torch.tanh(raw / LOG_MEAN_LIMIT)


class PoissonLikelihood(CountLikelihood):
    """The module of :class:`Poisson`."""

    def forward(self, params: Tensor, *, x: Tensor | None = None) -> distributions.Poisson:
        """The mass function p(x|z); see :class:`Likelihood`."""
        return distributions.Poisson(self.log_mean(params), event_dims=self.event_dims)
