"""Squared errors of columns of all kinds, so that a reconstruction has one measure."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from vaekit.distributions import (
    Bernoulli,
    Categorical,
    Density,
    NegativeBinomial,
    Poisson,
    TableDensity,
    VonMises,
)

__all__ = ["squared_errors"]


def squared_errors(px: Density, x: Tensor) -> Tensor:
    r"""Squared errors of what is expected, one for each element of x.

    Numbers: :math:`(x - E x)^2`, in model units. Counts: the same of :math:`\log(1 + x)`. Bits and
    codes: Brier's score, :math:`\sum_j (1[x = j] - p_j)^2`. Circles: the squared chord of a circle
    with radius 1, from x to the mean direction. A missing value has no error.

    Args:
        px: p(x|z), batch shape (B,).
        x: Rows, shape ``(B, *event)``.

    References:
        Verification of Forecasts Expressed in Terms of Probability (Brier, 1950), Monthly Weather
        Review 78.

    Example:
        >>> squared_errors(Bernoulli(torch.zeros(1, 2)), torch.tensor([[1.0, 0.0]]))
        tensor([[0.5000, 0.5000]])
    """
    if not isinstance(px, TableDensity):
        return _errors(px, x)
    missing = x.isnan()
    safe = torch.where(missing, 0.0, x)
    parts = zip(px.parts, px.places, strict=True)
    each = torch.cat([_errors(part, safe[:, place]) for part, place in parts], -1)
    return torch.where(missing, 0.0, each[:, px.order])


@functools.singledispatch
def _errors(px: Density, x: Tensor) -> Tensor:
    return (x - px.mean).square()


@_errors.register
def _(px: Bernoulli, x: Tensor) -> Tensor:
    return 2 * (x - px.mean).square()


@_errors.register
def _(px: Categorical, x: Tensor) -> Tensor:
    probs = px.probs.movedim(px.axis, -1)
    code = (x * px.divisor).round().long().unsqueeze(-1)
    return 1 - 2 * probs.gather(-1, code).squeeze(-1) + probs.square().sum(-1)


@_errors.register(Poisson)
@_errors.register(NegativeBinomial)
def _(px: Poisson | NegativeBinomial, x: Tensor) -> Tensor:
    return (x.log1p() - px.mean.log1p()).square()


@_errors.register
def _(px: VonMises, x: Tensor) -> Tensor:
    return 4 * (torch.pi * (x - px.mean)).sin().square()
