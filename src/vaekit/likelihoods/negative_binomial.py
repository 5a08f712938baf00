"""The negative binomial likelihood of counts that vary more than Poisson counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from torch import Tensor

from vaekit import distributions
from vaekit.likelihoods.floors import check_floor
from vaekit.likelihoods.poisson import CountLikelihood
from vaekit.likelihoods.scaled import ScaledLikelihood
from vaekit.spec import Spec, Within

__all__ = ["NegativeBinomial", "NegativeBinomialLikelihood"]


class NegativeBinomial(Spec, kind="likelihood/negative-binomial"):
    r"""Negative binomial likelihood of counts with mean μ and variance :math:`\mu + \alpha\mu^2`.

    A probability *mass* in nats. The decoder emits log μ, bounded smoothly by ±15.

    Args:
        dispersion: α: a number, ``"shared"`` for one that is learned, ``"per-column"`` for a
            learned one for each element, the same for all rows, ``"per-element"`` for one that the
            decoder emits for each element. For α → 0 the counts are Poisson's.
        floor: Smallest α that can be learned; for the last two also one for each element.

    Raises:
        ConfigError: If there are several floors, but not one for each α.

    References:
        Deep generative modeling for single-cell transcriptomics (Lopez et al., 2018),
        Nature Methods 15.

    Example:
        >>> import torch
        >>> likelihood = NegativeBinomial(dispersion="per-element").build(event_shape=(3,))
        >>> likelihood.params_shape
        (6,)
    """

    dispersion: (
        Annotated[float, Within(1e-6, 1e6)] | Literal["shared", "per-column", "per-element"]
    ) = "shared"
    floor: (
        Annotated[float, Within(1e-6, 1e3)] | tuple[Annotated[float, Within(1e-6, 1e3)], ...]
    ) = 1e-4

    def validate(self) -> None:
        """Refuse a floor for each element where there is one α for all."""
        check_floor(self, self.floor, self.dispersion)

    def build(self, *, event_shape: Sequence[int]) -> NegativeBinomialLikelihood:
        """The module for observations of ``event_shape``."""
        return NegativeBinomialLikelihood(self, event_shape)


class NegativeBinomialLikelihood(CountLikelihood, ScaledLikelihood):
    """The module of :class:`NegativeBinomial`; the scale of its base is α."""

    scale_is_spread = False

    def __init__(self, spec: NegativeBinomial, event_shape: Sequence[int]) -> None:
        ScaledLikelihood.__init__(self, spec, event_shape, scale=spec.dispersion, floor=spec.floor)

    def forward(
        self, params: Tensor, *, x: Tensor | None = None
    ) -> distributions.NegativeBinomial:
        """The mass function p(x|z); see :class:`Likelihood`."""
        raw, log_dispersion = self.loc_and_log_scale(params)
        return distributions.NegativeBinomial(
            self.log_mean(raw), log_dispersion, event_dims=self.event_dims
        )

    @property
    def at_floor(self) -> bool:
        """False: counts that are Poisson's are nothing to be warned of."""
        return False

    @property
    def columns_at_floor(self) -> list[int]:
        """None, for the same reason."""
        return []
