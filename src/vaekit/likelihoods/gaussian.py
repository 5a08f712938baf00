"""The Gaussian likelihood, with its scale fixed, learned, predicted or optimal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from torch import Tensor

from vaekit.distributions import Normal, batch_mean
from vaekit.likelihoods.floors import check_floor
from vaekit.likelihoods.scaled import ScaledLikelihood
from vaekit.spec import Spec, Within

__all__ = ["Gaussian", "GaussianLikelihood"]


class Gaussian(Spec, kind="likelihood/gaussian"):
    r"""Gaussian likelihood :math:`p(x \mid z) = N(x; \hat x(z), \sigma^2)`, density in nats.

    Args:
        scale: A number for a fixed σ (1.0 is the classic squared error), or

            - ``"optimal"``: :math:`\sigma^2` = mean squared error over batch and elements, so that
              :math:`-\log p = \tfrac D2 \log(2\pi e\,\mathrm{MSE})`; gradients flow through σ. It
              is a batch statistic in training; :meth:`GaussianLikelihood.freeze` fixes it from the
              training data before anything is evaluated.
            - ``"shared"``: one learned σ for all elements.
            - ``"per-column"``: one learned σ for each element, the same for all rows.
            - ``"per-element"``: the decoder emits σ for each element.
        floor: Smallest σ that is allowed, in units of x; for the last two also one for each
            element.

    Raises:
        ConfigError: If there are several floors, but not one for each σ.

    References:
        Simple and Effective VAE Training with Calibrated Decoders (Rybkin, Daniilidis & Levine,
        2020), arXiv:2006.13202.

    Example:
        >>> likelihood = Gaussian(scale=1.0).build(event_shape=(3,))
        >>> likelihood(torch.zeros(2, 3)).log_prob(torch.zeros(2, 3)).shape
        torch.Size([2])
    """

    scale: (
        Annotated[float, Within(1e-6, 1e6)]
        | Literal["optimal", "shared", "per-column", "per-element"]
    ) = "optimal"
    floor: (
        Annotated[float, Within(1e-8, 1e3)] | tuple[Annotated[float, Within(1e-8, 1e3)], ...]
    ) = math.exp(-6)

    def validate(self) -> None:
        """Refuse a floor for each element where there is one σ for all."""
        check_floor(self, self.floor, self.scale)

    def build(self, *, event_shape: Sequence[int]) -> GaussianLikelihood:
        """The module for observations of ``event_shape``."""
        return GaussianLikelihood(self, event_shape)


class GaussianLikelihood(ScaledLikelihood):
    """The module of :class:`Gaussian`; ``params_shape`` doubles its first axis per element σ."""

    spec: Gaussian
    mean_square: Tensor

    def __init__(self, spec: Gaussian, event_shape: Sequence[int]) -> None:
        super().__init__(spec, event_shape, scale=spec.scale, floor=spec.floor)
        if spec.scale == "optimal":
            self.register_buffer("mean_square", torch.ones(()))

    @property
    def fits_x(self) -> bool:
        """Whether σ is that of the batch."""
        return self.scale == "optimal" and self.training

    def forward(self, params: Tensor, *, x: Tensor | None = None) -> Normal:
        """The density p(x|z); see :class:`Likelihood`."""
        if self.scale == "optimal":
            loc, log_scale = params, self._optimal_log_scale(params, x)
        else:
            loc, log_scale = self.loc_and_log_scale(params)
        return Normal.from_log_scale(loc, log_scale, event_dims=self.event_dims)

    def _optimal_log_scale(self, loc: Tensor, x: Tensor | None) -> Tensor:
        if self.fits_x and x is not None:
            mean_square = batch_mean((x - loc).square().mean())
        else:
            mean_square = self.mean_square.to(loc)
        return 0.5 * mean_square.clamp(min=self.floor**2).log()

    def freeze(self, mean_square: float) -> None:
        """Fix σ of the optimal-σ likelihood from the training data's mean squared error."""
        self.mean_square.fill_(mean_square)

    @property
    def at_floor(self) -> bool:
        """Whether the one σ of the whole model has sunk to its floor (its noise collapsed)."""
        if self.scale == "optimal":
            return bool(self.mean_square.sqrt() < 1.05 * self.floor)
        return super().at_floor
