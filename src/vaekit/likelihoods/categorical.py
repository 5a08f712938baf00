"""The categorical likelihood of codes without metric, or of pixels with a free histogram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor

from vaekit import distributions
from vaekit.likelihoods.levels import on_levels
from vaekit.likelihoods.likelihood import Likelihood
from vaekit.spec import Spec, Within

__all__ = ["Categorical", "CategoricalLikelihood"]


class Categorical(Spec, kind="likelihood/categorical"):
    r"""Categorical likelihood, the mass of one of K codes for each element of x.

    .. math:: \log p(x \mid z) = \sum_i \log \mathrm{softmax}(\ell_i)_{x_i}

    It is a probability *mass* in nats over all ``categories ** n`` observations of n elements.
    Every element of x holds one of the same ``categories`` codes, as a floating-point number.

    Args:
        categories: How many codes there are, K.
        scaled: Whether code k is written as k / (K − 1), as image codecs write pixels; else as k.

    Example:
        >>> import torch
        >>> likelihood = Categorical(categories=10).build(event_shape=(3, 8, 8))
        >>> likelihood.params_shape
        (30, 8, 8)
        >>> likelihood(torch.zeros(2, 30, 8, 8)).log_prob_elements(torch.zeros(3, 8, 8)).shape
        torch.Size([2, 3, 8, 8])
    """

    categories: Annotated[int, Within(2, 65_536)]
    scaled: bool = False

    def build(self, *, event_shape: Sequence[int]) -> CategoricalLikelihood:
        """The module for observations of ``event_shape``."""
        return CategoricalLikelihood(self, event_shape)


class CategoricalLikelihood(Likelihood):
    """The module of :class:`Categorical`.

    The decoder emits K blocks of the shape of x along the first axis: for an image of shape
    (C, H, W) the K·C channels are the C logits of code 0, then those of code 1, and so on.
    """

    spec: Categorical
    remedy = "write the data as such codes, or give the right number of categories"

    def __init__(self, spec: Categorical, event_shape: Sequence[int]) -> None:
        super().__init__(spec, event_shape)
        last = spec.categories - 1
        self.support = f"k / {last} with k = 0..{last}" if spec.scaled else f"codes 0..{last}"

    @property
    def params_shape(self) -> tuple[int, ...]:
        """The shape of x with its first axis multiplied by the number of categories."""
        first, *rest = self.event_shape
        return (self.spec.categories * first, *rest)

    def forward(self, params: Tensor, *, x: Tensor | None = None) -> distributions.Categorical:
        """The mass function p(x|z); see :class:`Likelihood`."""
        logits = params.unflatten(-self.event_dims, (self.spec.categories, self.event_shape[0]))
        return distributions.Categorical(
            logits, event_dims=self.event_dims, scaled=self.spec.scaled
        )

    def marginal(self, x: Tensor) -> Tensor:
        """Logarithms of the share of each code, with half a row of each added."""
        last = self.spec.categories - 1
        seen = ~x.isnan()
        code = torch.where(seen, x * last if self.spec.scaled else x, 0.0).round().long()
        counts = x.new_full((self.spec.categories, *self.event_shape), 0.5)
        counts = counts.scatter_add(0, code.clamp(0, last), seen.to(x))
        return (counts / counts.sum(0)).log().reshape(self.params_shape)

    def supports(self, x: Tensor) -> Tensor:
        """Which values are codes."""
        return on_levels(x, self.spec.categories, scaled=self.spec.scaled)
