"""The likelihood of continuous columns that have several modes given the code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor

from vaekit import distributions
from vaekit.likelihoods.floors import FlooredLikelihood
from vaekit.spec import Spec, Within

__all__ = ["LogisticMixture", "LogisticMixtureLikelihood"]

UNIT = math.sqrt(3) / math.pi
"""The scale of a logistic density of standard deviation 1."""


class LogisticMixture(Spec, kind="likelihood/logistic-mixture"):
    r"""Mixture of M logistic densities for each element of x, in nats.

    .. math:: p(x_i \mid z) = \sum_m w_{im}(z)\,
              \mathrm{Logistic}(x_i; \mu_{im}(z), s_{im}(z))

    For incomes, amounts and sensor readings, whose values pile up in several places: a Gaussian
    would put its mass between them. The decoder emits M blocks of logits of w, M of locations and
    M of log scales, in units of the spread of each column: zeros stand for components side by side
    that cover the training rows.

    Args:
        components: How many, M.
        floor: Smallest s, in units of x, also one for each element: the resolution of a column
            keeps a component from becoming a spike on a repeated value.

    Raises:
        ConfigError: If there are several floors, but not one for each element.

    References:
        PixelCNN++ (Salimans et al., 2017), arXiv:1701.05517, for its discretised form.

    Example:
        >>> likelihood = LogisticMixture(components=4).build(event_shape=(3,))
        >>> likelihood.params_shape, likelihood(torch.zeros(2, 36)).loc.shape
        ((36,), torch.Size([2, 4, 3]))
    """

    components: Annotated[int, Within(1, 256)] = 5
    floor: (
        Annotated[float, Within(1e-8, 1e3)] | tuple[Annotated[float, Within(1e-8, 1e3)], ...]
    ) = math.exp(-6)

    def build(self, *, event_shape: Sequence[int]) -> LogisticMixtureLikelihood:
        """The module for observations of ``event_shape``."""
        return LogisticMixtureLikelihood(self, event_shape)


class LogisticMixtureLikelihood(FlooredLikelihood):
    """The module of :class:`LogisticMixture`; the scales of its parameters are buffers.

    Attributes:
        initialised: Whether these come from training rows.
        centre: Where each column lies, the shape of x.
        spread: How far it spreads, the shape of x.
    """

    spec: LogisticMixture
    initialised: Tensor
    centre: Tensor
    spread: Tensor
    start: Tensor

    def __init__(self, spec: LogisticMixture, event_shape: Sequence[int]) -> None:
        super().__init__(spec, event_shape, floor=spec.floor)
        self.register_buffer("initialised", torch.zeros((), dtype=torch.bool))
        self.register_buffer("centre", torch.zeros(self.event_shape))
        self.register_buffer("spread", torch.ones(self.event_shape))
        start = _side_by_side(spec.components).reshape(-1, *(1,) * self.event_dims)
        self.register_buffer("start", start, persistent=False)

    @property
    def params_shape(self) -> tuple[int, ...]:
        """The shape of x with its first axis multiplied by 3 M."""
        first, *rest = self.event_shape
        return (3 * self.spec.components * first, *rest)

    def initialise(self, x: Tensor, c: Tensor | None = None) -> None:
        """Let the components start side by side over these rows, unless that was done before.

        Args:
            x: Training rows, shape ``(n, *event)``; NaN is missing.
            c: Not used.
        """
        if self.initialised:
            return
        centre = x.nanmean(0)
        spread = (x - centre).square().nanmean(0).sqrt().nan_to_num(nan=1.0)
        least = torch.as_tensor(self.log_floor).exp().to(spread)
        self.centre.copy_(centre.nan_to_num(nan=0.0))
        self.spread.copy_(torch.maximum(spread, least))
        self.initialised.fill_(True)

    def forward(self, params: Tensor, *, x: Tensor | None = None) -> distributions.LogisticMixture:
        """The density p(x|z); see :class:`Likelihood`."""
        m = self.spec.components
        blocks = params.unflatten(-self.event_dims, (3, m, self.event_shape[0]))
        logits, raw_loc, raw_scale = blocks.unbind(-self.event_dims - 2)
        spread = self.spread.to(params)
        loc = self.centre.to(params) + spread * (self.start.to(params) + raw_loc)
        log_scale = self._above_floor(raw_scale + spread.log() + math.log(UNIT / m))
        return distributions.LogisticMixture(logits, loc, log_scale, event_dims=self.event_dims)


def _side_by_side(components: int) -> Tensor:
    """Where components of deviation 1 / M lie so that their mixture has mean 0, deviation 1."""
    place = torch.linspace(0.5 / components, 1 - 0.5 / components, components).logit()
    between = (1 - components**-2) / place.square().mean().clamp(min=1e-6)
    return between.sqrt() * place
