"""The Laplace likelihood, robust to outliers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from torch import Tensor

from vaekit import distributions
from vaekit.likelihoods.floors import check_floor
from vaekit.likelihoods.scaled import ScaledLikelihood
from vaekit.spec import Spec, Within

__all__ = ["Laplace", "LaplaceLikelihood"]


class Laplace(Spec, kind="likelihood/laplace"):
    r"""Laplace likelihood, :math:`\log p(x \mid z) = -\sum_i |x_i - \hat x_i| / b - \log 2b`.

    A density, in nats.

    Args:
        scale: A number for a fixed b (1.0 is the classic absolute error), ``"shared"`` for one
            learned b, ``"per-column"`` for one for each element, the same for all rows,
            ``"per-element"`` for a b that the decoder emits for each element.
        floor: Smallest b that can be learned, in units of x; for the last two also one for each
            element.

    Raises:
        ConfigError: If there are several floors, but not one for each b.

    Example:
        >>> import torch
        >>> likelihood = Laplace(scale=0.5).build(event_shape=(3,))
        >>> likelihood(torch.zeros(2, 3)).log_prob(torch.zeros(2, 3))
        tensor([0., 0.])
    """

    scale: Annotated[float, Within(1e-6, 1e6)] | Literal["shared", "per-column", "per-element"] = (
        "shared"
    )
    floor: (
        Annotated[float, Within(1e-8, 1e3)] | tuple[Annotated[float, Within(1e-8, 1e3)], ...]
    ) = math.exp(-6)

    def validate(self) -> None:
        """Refuse a floor for each element where there is one b for all."""
        check_floor(self, self.floor, self.scale)

    def build(self, *, event_shape: Sequence[int]) -> LaplaceLikelihood:
        """The module for observations of ``event_shape``."""
        return LaplaceLikelihood(self, event_shape, scale=self.scale, floor=self.floor)


class LaplaceLikelihood(ScaledLikelihood):
    """The module of :class:`Laplace`."""

    def forward(self, params: Tensor, *, x: Tensor | None = None) -> distributions.Laplace:
        """The density p(x|z); see :class:`Likelihood`."""
        loc, log_scale = self.loc_and_log_scale(params)
        return distributions.Laplace(loc, log_scale, event_dims=self.event_dims)
