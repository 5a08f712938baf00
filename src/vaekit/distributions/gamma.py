"""The gamma function, in logarithms, where its values are much larger than their differences."""

from __future__ import annotations

import torch
from torch import Tensor

from vaekit.distributions.normal import HALF_LOG_2PI

__all__ = ["binet"]

ASYMPTOTIC = 8.0


def binet(r: Tensor) -> Tensor:
    r"""The rest g of :math:`\log\Gamma(r) = (r-\frac12)\log r - r + \frac12\log 2\pi + g(r)`.

    It falls to 0 as 1 / 12 r, so that differences of log Γ can be taken in single precision.

    Args:
        r: Positive, any shape.

    Example:
        >>> binet(torch.tensor([1.0, 1e6]))
        tensor([8.1061e-02, 8.3333e-08])
    """
    large = r.clamp(min=ASYMPTOTIC)
    square = large.square()
    series = (1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * square)) / square) / square) / large
    small = r.clamp(max=ASYMPTOTIC)
    exact = torch.lgamma(small) - (small - 0.5) * small.log() + small - HALF_LOG_2PI
    return torch.where(r < ASYMPTOTIC, exact, series)
