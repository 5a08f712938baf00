"""The continuous Bernoulli likelihood of grey values in [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from vaekit import distributions
from vaekit.likelihoods.bernoulli import UnitIntervalLikelihood
from vaekit.spec import Spec

__all__ = ["ContinuousBernoulli", "ContinuousBernoulliLikelihood"]


class ContinuousBernoulli(Spec, kind="likelihood/continuous-bernoulli"):
    r"""Continuous Bernoulli likelihood, a density on [0, 1] in nats.

    It is the Bernoulli expression divided by its integral over x, so that grey values have a real
    likelihood. The decoder emits the logits.

    References:
        The Continuous Bernoulli: Fixing a Pervasive Error in Variational Autoencoders
        (Loaiza-Ganem & Cunningham, 2019), arXiv:1907.06845.

    Example:
        >>> import torch
        >>> likelihood = ContinuousBernoulli().build(event_shape=(3,))
        >>> likelihood.mean(torch.zeros(2, 3))[0]
        tensor([0.5000, 0.5000, 0.5000])
    """

    def build(self, *, event_shape: Sequence[int]) -> ContinuousBernoulliLikelihood:
        """The module for observations of ``event_shape``."""
        return ContinuousBernoulliLikelihood(self, event_shape)


class ContinuousBernoulliLikelihood(UnitIntervalLikelihood):
    """The module of :class:`ContinuousBernoulli`."""

    def forward(
        self, params: Tensor, *, x: Tensor | None = None
    ) -> distributions.ContinuousBernoulli:
        """The density p(x|z); see :class:`Likelihood`."""
        return distributions.ContinuousBernoulli(params, event_dims=self.event_dims)
