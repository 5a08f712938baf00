"""The regularised incomplete beta function, for distribution functions."""

from __future__ import annotations

import torch
from torch import Tensor

from vaekit.distributions.gamma import binet
from vaekit.distributions.normal import HALF_LOG_2PI

__all__ = ["regularised_beta"]

MOST_TERMS = 20_000
TINY = 1e-300


def regularised_beta(a: Tensor, b: Tensor, x: Tensor, y: Tensor) -> Tensor:
    r""":math:`I_x(a, b)`, the mass below x of a beta variate, in double precision.

    The continued fraction by Lentz's method, of whichever of :math:`I_x(a, b)` and
    :math:`1 - I_y(b, a)` converges fast: it takes about √max(a, b) terms. The logarithm of the
    factor before it is a sum of differences that stay small where the mass is, so that large a
    and b keep their digits. It runs until all elements have converged, and is not to be compiled.

    Args:
        a: Positive, any shape.
        b: Positive, broadcastable.
        x: In [0, 1], broadcastable.
        y: 1 − x, with the digits that x loses near 1.

    References:
        NIST Digital Library of Mathematical Functions, 8.17.22 and 5.11.1.

    Example:
        >>> half = torch.tensor(0.5)
        >>> regularised_beta(torch.tensor(2.0), torch.tensor(1.0), half, half)
        tensor(0.2500, dtype=torch.float64)
    """
    a, b, x, y = torch.broadcast_tensors(*(v.double() for v in (a, b, x, y)))
    swap = x > (a + 1) / (a + b + 2)
    a, b = torch.where(swap, b, a), torch.where(swap, a, b)
    x, y = torch.where(swap, y, x), torch.where(swap, x, y)
    lower = (_log_factor(a, b, x, y)).exp() * _fraction(a, b, x) / a
    return torch.where(swap, 1 - lower, lower).clamp(0, 1)


def _log_factor(a: Tensor, b: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """log of x^a y^b / B(a, b), with Γ by Stirling's formula and its rest."""
    whole = a + b
    excess = b * x - a * y
    power = a * _log1p(excess / a, x * (whole / a)) + b * _log1p(-excess / b, y * (whole / b))
    stirling = 0.5 * (a.log() + b.log() - whole.log()) - HALF_LOG_2PI
    return power + stirling - binet(a) - binet(b) + binet(whole)


def _log1p(excess: Tensor, ratio: Tensor) -> Tensor:
    """log ratio, where ratio = 1 + excess: near 1 by its excess, which has more digits."""
    near = excess.abs() < 0.5
    return torch.where(near, torch.where(near, excess, 0.0).log1p(), ratio.log())


def _fraction(a: Tensor, b: Tensor, x: Tensor) -> Tensor:
    """The continued fraction 1 / (1 + d₁ / (1 + d₂ / …))."""
    above = torch.ones_like(x)
    below = 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    value, converged = below, torch.zeros_like(x, dtype=torch.bool)
    for m in range(1, MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        change = torch.ones_like(x)
        for term in (even, odd):
            below = 1 / _away_from_zero(1 + term * below)
            above = _away_from_zero(1 + term / above)
            change = above * below
            value = torch.where(converged, value, value * change)  # as if an element were alone
        converged = converged | ((change - 1).abs() < 4 * torch.finfo(x.dtype).eps)
        if bool(converged.all()):
            break
    return value


def _away_from_zero(v: Tensor) -> Tensor:
    return torch.where(v.abs() < TINY, TINY, v)
