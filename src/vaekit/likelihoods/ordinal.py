"""The ordinal likelihood of levels that have an order but no distance, such as grades."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vaekit import distributions
from vaekit.likelihoods.levels import on_levels
from vaekit.likelihoods.likelihood import Likelihood
from vaekit.spec import Spec, Within

__all__ = ["Ordinal", "OrdinalLikelihood"]

LEAST_GAP = 1e-4
"""Smallest distance of two cutpoints: a level that was never seen keeps a mass."""
PRIOR_COUNT = 0.5
"""How often each level counts as seen beside the training rows."""


class Ordinal(Spec, kind="likelihood/ordinal"):
    r"""Ordinal likelihood, the *mass* of one of K ordered levels for each element of x, in nats.

    .. math:: P(x_i \le j \mid z) = \mathrm{sigmoid}(\theta_{ij} - \eta_i(z))

    The cumulative logit model: the decoder emits one η for each element, and the K − 1 increasing
    cutpoints θ of each element are learned. It has fewer parameters than a categorical likelihood
    and knows that 2 lies between 1 and 3, but not how far from each. Levels are held as
    floating-point numbers 0..K−1.

    Args:
        levels: How many levels there are, K.

    References:
        Regression Models for Ordinal Data (McCullagh, 1980), Journal of the Royal Statistical
        Society B 42.

    Example:
        >>> likelihood = Ordinal(levels=4).build(event_shape=(3,))
        >>> likelihood(torch.zeros(2, 3)).probs[0, :, 0]
        tensor([0.2500, 0.2500, 0.2500, 0.2500], grad_fn=<SelectBackward0>)
    """

    levels: Annotated[int, Within(2, 65_536)]

    def build(self, *, event_shape: Sequence[int]) -> OrdinalLikelihood:
        """The module for observations of ``event_shape``."""
        return OrdinalLikelihood(self, event_shape)


class OrdinalLikelihood(Likelihood):
    """The module of :class:`Ordinal`; its cutpoints start from the frequencies of the levels.

    Attributes:
        initialised: Whether they come from training rows.
    """

    spec: Ordinal
    initialised: Tensor
    remedy = "write the data as such levels, or give the right number of levels"

    def __init__(self, spec: Ordinal, event_shape: Sequence[int]) -> None:
        super().__init__(spec, event_shape)
        self.support = f"levels 0..{spec.levels - 1}"
        self.raw_cutpoints = nn.Parameter(torch.zeros(spec.levels - 1, *self.event_shape))
        self.register_buffer("initialised", torch.zeros((), dtype=torch.bool))
        self._set(torch.ones(spec.levels, *self.event_shape))

    @property
    def cutpoints(self) -> Tensor:
        """θ, shape ``(K − 1, *event)``: the first one, then the distances to the next."""
        first, raw_gaps = self.raw_cutpoints[:1], self.raw_cutpoints[1:]
        return torch.cat([first, F.softplus(raw_gaps) + LEAST_GAP]).cumsum(0)

    def forward(self, params: Tensor, *, x: Tensor | None = None) -> distributions.Ordinal:
        """The mass function p(x|z); see :class:`Likelihood`."""
        return distributions.Ordinal(params, self.cutpoints.to(params), event_dims=self.event_dims)

    def initialise(self, x: Tensor, c: Tensor | None = None) -> None:
        """Set the cutpoints so that η = 0 gives the frequencies of the levels in these rows.

        Each level counts as seen half a time more, so that no mass is zero.

        Args:
            x: Training rows, shape ``(n, *event)``; NaN is missing.
            c: Not used.
        """
        if self.initialised:
            return
        seen = ~x.isnan()
        level = torch.where(seen, x, 0.0).round().long().clamp(0, self.spec.levels - 1)
        counts = torch.full_like(self.raw_cutpoints[:1], PRIOR_COUNT)
        counts = counts.repeat(self.spec.levels, *(1 for _ in self.event_shape))
        self._set(counts.scatter_add(0, level, seen.to(counts)))
        self.initialised.fill_(True)

    @torch.no_grad()
    def _set(self, counts: Tensor) -> None:
        """Cutpoints from how often each level was seen, shape ``(K, *event)``."""
        counts = counts.double()
        below = counts.cumsum(0)[:-1]
        above = counts.flip(0).cumsum(0).flip(0)[1:]
        theta = below.log() - above.log()
        gap = (theta.diff(dim=0) - LEAST_GAP).clamp(min=LEAST_GAP)
        raw_gap = gap + torch.log(-torch.expm1(-gap))  # inverts softplus
        self.raw_cutpoints.copy_(torch.cat([theta[:1], raw_gap]))

    def supports(self, x: Tensor) -> Tensor:
        """Which values are levels."""
        return on_levels(x, self.spec.levels, scaled=False)
