"""The Bernoulli likelihood of binary data."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from vaekit import distributions
from vaekit.likelihoods.likelihood import Likelihood
from vaekit.spec import Spec

__all__ = ["Bernoulli", "BernoulliLikelihood", "UnitIntervalLikelihood"]


class Bernoulli(Spec, kind="likelihood/bernoulli"):
    r"""Bernoulli likelihood, :math:`\log p(x \mid z) = \sum_i x_i \ell_i - \log(1 + e^{\ell_i})`.

    The decoder emits the logits. For binary x it is a probability *mass* in nats. Grey x in [0, 1]
    is allowed and gives the *cross-entropy*, the expected log mass when each pixel is binarised
    anew with probability x; numbers for grey and for binarised data do not compare.

    Example:
        >>> import torch
        >>> likelihood = Bernoulli().build(event_shape=(1, 2, 2))
        >>> likelihood(torch.zeros(5, 1, 2, 2)).log_prob(torch.ones(1, 2, 2)).shape
        torch.Size([5])
    """

    def build(self, *, event_shape: Sequence[int]) -> BernoulliLikelihood:
        """The module for observations of ``event_shape``."""
        return BernoulliLikelihood(self, event_shape)


class UnitIntervalLikelihood(Likelihood):
    """Base of likelihoods whose observations lie in [0, 1]."""

    support = "numbers in [0, 1]"
    remedy = (
        "scale the data to [0, 1] (for 8-bit images: divide by 255), or choose a likelihood for "
        "unbounded numbers, such as 'gaussian'"
    )

    def supports(self, x: Tensor) -> Tensor:
        """Which values lie in [0, 1]; NaN does not."""
        return (x >= 0) & (x <= 1)


class BernoulliLikelihood(UnitIntervalLikelihood):
    """The module of :class:`Bernoulli`."""

    def marginal(self, x: Tensor) -> Tensor:
        """Log odds of the share of ones, with half a row of each kind added."""
        seen = (~x.isnan()).sum(0)
        return ((x.nansum(0) + 0.5) / (seen + 1)).logit()

    def forward(self, params: Tensor, *, x: Tensor | None = None) -> distributions.Bernoulli:
        """The mass function p(x|z); see :class:`Likelihood`."""
        return distributions.Bernoulli(params, event_dims=self.event_dims)
