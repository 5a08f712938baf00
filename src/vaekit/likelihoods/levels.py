"""Equally spaced levels, the values of quantised data."""

from __future__ import annotations

from torch import Tensor

__all__ = ["on_levels"]

TOLERANCE = 0.01  # of a level: room for k / (L − 1) in single precision, with L up to 65 536


def on_levels(x: Tensor, levels: int, *, scaled: bool) -> Tensor:
    """Which values are one of ``levels`` codes k, written as k or (scaled) as k / (levels − 1).

    Example:
        >>> import torch
        >>> on_levels(torch.tensor([0.0, 1 / 3, 0.5, 2.0]), 4, scaled=True)
        tensor([ True,  True, False, False])
    """
    code = x * (levels - 1) if scaled else x
    near = (code - code.round()).abs() <= TOLERANCE
    return near & (code > -0.5) & (code < levels - 0.5)
