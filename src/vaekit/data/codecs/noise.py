"""Uniform noise that is a function of a seed and a row's own values, and of nothing else.

Binarised data must look the same in every evaluation, whatever batch a row comes in. A generator
cannot promise that (its draws depend on the row's position); this counter-based noise can. It is
integer arithmetic, so every device gives the same bits.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["row_noise"]

_GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)
_MIX = ((30, 0xBF58476D1CE4E5B9 - (1 << 64)), (27, 0x94D049BB133111EB - (1 << 64)))


def row_noise(rows: Tensor, seed: int) -> Tensor:
    r"""Independent-looking uniforms in [0, 1), one for each element, fixed by (seed, row).

    A key is made of the row's bits, and element :math:`j` receives the upper 24 bits of
    :math:`\mathrm{mix}(key + j \cdot golden)`. Equal rows receive equal noise.

    Args:
        rows: uint8 or float32, shape ``(n, ...)``.
        seed: Any integer that fits 63 bits.

    Returns:
        float32 of the same shape.

    References:
        | Fast splittable pseudorandom number generators (Steele, Lea & Flood, 2014)

    Example:
        >>> a, b = torch.arange(12.0).reshape(3, 4), torch.arange(4.0, 8.0)[None]
        >>> torch.equal(row_noise(a, 0)[1:2], row_noise(b, 0))
        True
    """
    flat = rows.flatten(1)
    bits = (flat.view(torch.int32) if flat.dtype == torch.float32 else flat).to(torch.int64)
    steps = torch.arange(1, bits.shape[1] + 1, device=bits.device) * _GOLDEN
    start = _mixed(torch.full((1,), seed, device=bits.device, dtype=torch.int64) + _GOLDEN)
    key = _mixed((bits * _mixed(steps + start)).sum(1, keepdim=True) + start)
    noise = _logical_shift(_mixed(key + steps), 40).to(torch.float32).mul_(2.0**-24)
    return noise.reshape(rows.shape)


def _mixed(value: Tensor) -> Tensor:
    """The splitmix64 finaliser, in wrapping 64-bit arithmetic."""
    for shift, factor in _MIX:
        value = (value ^ _logical_shift(value, shift)) * factor
    return value ^ _logical_shift(value, 31)


def _logical_shift(value: Tensor, by: int) -> Tensor:
    return (value >> by) & ((1 << (64 - by)) - 1)
