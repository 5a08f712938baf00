"""Student's t likelihood, whose tails forgive outliers more than a Laplace's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vaekit import distributions
from vaekit.likelihoods.floors import check_floor
from vaekit.likelihoods.scaled import ScaledLikelihood
from vaekit.spec import Spec, Within

__all__ = ["StudentT", "StudentTLikelihood"]

START = 4.0


class StudentT(Spec, kind="likelihood/student-t"):
    r"""Student t likelihood with mean :math:`\hat x(z)`, scale s and ν degrees of freedom.

    A density, in nats. An error of e costs about (ν + 1) log e, so single outliers hardly move it;
    for ν → ∞ it is the Gaussian.

    Args:
        df: ν: a number above 1, or ``"shared"`` for one that is learned from 5 on.
        scale: A number for a fixed s, ``"shared"`` for one learned s, ``"per-column"`` for
            one for each element, the same for all rows, ``"per-element"`` for an s that the
            decoder emits for each element.
        floor: Smallest s that can be learned, in units of x; for the last two also one for each
            element.

    Raises:
        ConfigError: If there are several floors, but not one for each s.

    References:
        Student-t Variational Autoencoder for Robust Density Estimation (Takahashi et al., 2018),
        IJCAI.

    Example:
        >>> likelihood = StudentT(df=3, scale=0.5).build(event_shape=(3,))
        >>> likelihood(torch.zeros(2, 3)).log_prob(torch.zeros(2, 3)).shape
        torch.Size([2])
    """

    df: Annotated[float, Within(1.01, 1e6)] | Literal["shared"] = "shared"
    scale: Annotated[float, Within(1e-6, 1e6)] | Literal["shared", "per-column", "per-element"] = (
        "shared"
    )
    floor: (
        Annotated[float, Within(1e-8, 1e3)] | tuple[Annotated[float, Within(1e-8, 1e3)], ...]
    ) = math.exp(-6)

    def validate(self) -> None:
        """Refuse a floor for each element where there is one s for all."""
        check_floor(self, self.floor, self.scale)

    def build(self, *, event_shape: Sequence[int]) -> StudentTLikelihood:
        """The module for observations of ``event_shape``."""
        return StudentTLikelihood(self, event_shape)


class StudentTLikelihood(ScaledLikelihood):
    """The module of :class:`StudentT`; a learned ν is 1 + softplus of a parameter."""

    spec: StudentT

    def __init__(self, spec: StudentT, event_shape: Sequence[int]) -> None:
        super().__init__(spec, event_shape, scale=spec.scale, floor=spec.floor)
        if spec.df == "shared":
            self.raw_df = nn.Parameter(torch.tensor(math.log(math.expm1(START))))

    def forward(self, params: Tensor, *, x: Tensor | None = None) -> distributions.StudentT:
        """The density p(x|z); see :class:`Likelihood`."""
        loc, log_scale = self.loc_and_log_scale(params)
        if isinstance(self.spec.df, float):
            df = params.new_full((), self.spec.df)
        else:
            df = (1 + F.softplus(self.raw_df)).to(params)
        return distributions.StudentT(loc, log_scale, df, event_dims=self.event_dims)
