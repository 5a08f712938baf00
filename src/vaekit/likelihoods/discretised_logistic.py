"""The discretised logistic likelihood of quantised data, such as 8-bit pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from torch import Tensor

from vaekit import distributions
from vaekit.likelihoods.levels import on_levels
from vaekit.likelihoods.scaled import ScaledLikelihood
from vaekit.spec import Spec, Within

__all__ = ["DiscretisedLogistic", "DiscretisedLogisticLikelihood"]


class DiscretisedLogistic(Spec, kind="likelihood/discretised-logistic"):
    """Discretised logistic likelihood of levels k / (L − 1), k = 0..L−1; a *mass* in nats.

    A level has the mass that a logistic density puts on its bin; the outer bins are open, so that
    the masses of all levels sum to one. Divided by ln 2 and the number of elements it gives the
    bits per dimension of lossless compression.

    Args:
        scale: Of the logistic, in units of x: ``"shared"`` for one learned scale,
            ``"per-element"`` for scales that the decoder emits, or a number.
        levels: How many levels L the data have: 256 for 8 bits.
        floor: Smallest scale that can be learned.

    References:
        Improved Variational Inference with Inverse Autoregressive Flow (Kingma et al., 2016),
        arXiv:1606.04934.

    Example:
        >>> import torch
        >>> likelihood = DiscretisedLogistic(scale=0.1).build(event_shape=(1,))
        >>> every_level = torch.arange(256).unsqueeze(-1) / 255
        >>> likelihood(torch.zeros(256, 1)).log_prob(every_level).exp().sum()
        tensor(1.0000)
    """

    scale: Annotated[float, Within(1e-6, 1e6)] | Literal["shared", "per-element"] = "shared"
    levels: Annotated[int, Within(2, 256)] = 256
    floor: Annotated[float, Within(1e-6, 1e3)] = 1e-3

    def build(self, *, event_shape: Sequence[int]) -> DiscretisedLogisticLikelihood:
        """The module for observations of ``event_shape``."""
        return DiscretisedLogisticLikelihood(self, event_shape)


class DiscretisedLogisticLikelihood(ScaledLikelihood):
    """The module of :class:`DiscretisedLogistic`; learned scales start at a tenth of the range."""

    spec: DiscretisedLogistic

    def __init__(self, spec: DiscretisedLogistic, event_shape: Sequence[int]) -> None:
        super().__init__(
            spec, event_shape, scale=spec.scale, floor=spec.floor, start=math.log(0.1)
        )
        last = spec.levels - 1
        self.support = f"levels k / {last} with k = 0..{last}"
        self.remedy = (
            f"divide codes by {last}, give the right number of levels, or choose a likelihood for "
            "continuous values, such as 'gaussian'"
        )

    def forward(
        self, params: Tensor, *, x: Tensor | None = None
    ) -> distributions.DiscretisedLogistic:
        """The mass function p(x|z); see :class:`Likelihood`."""
        loc, log_scale = self.loc_and_log_scale(params)
        return distributions.DiscretisedLogistic(
            loc, log_scale, levels=self.spec.levels, event_dims=self.event_dims
        )

    def supports(self, x: Tensor) -> Tensor:
        """Which values are levels."""
        return on_levels(x, self.spec.levels, scaled=True)
