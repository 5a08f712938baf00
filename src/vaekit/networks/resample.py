"""Halving and doubling images of any size: the ladder of sizes and its two convolutions.

Going down, a stage halves every side that is longer than 6, rounding up; shorter sides stay. Going
up, the same list of sizes is walked backwards, so any height and width comes out exactly.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = [
    "Down",
    "Same",
    "Size",
    "Up",
    "default_depth",
    "ladder",
    "reach",
    "scaled_normal_",
    "strides",
]

Size = tuple[int, int]
SHORT_SIDE = 6


def strides(size: Size) -> Size:
    """The strides of the stage that starts from ``size``: 2 along sides longer than 6, else 1."""
    height, width = (2 if side > SHORT_SIDE else 1 for side in size)
    return height, width


def ladder(size: Size, depth: int) -> list[Size]:
    """The sizes from the image's down to the smallest, ``depth + 1`` of them.

    Example:
        >>> ladder((28, 21), 3)
        [(28, 21), (14, 11), (7, 6), (4, 6)]
    """
    sizes = [size]
    for _ in range(depth):
        (height, width), (down, across) = sizes[-1], strides(sizes[-1])
        sizes.append((math.ceil(height / down), math.ceil(width / across)))
    return sizes


def default_depth(size: Size) -> int:
    """How many stages bring every side down to 6 or less; at least one."""
    depth = 1
    while max(ladder(size, depth)[-1]) > SHORT_SIDE:
        depth += 1
    return depth


def reach(kernel: int, size: Size) -> Size:
    """The sides of a kernel without the taps that never meet a pixel of an image of ``size``.

    Example:
        >>> reach(5, (28, 28)), reach(5, (2, 1))
        ((5, 5), (3, 1))
    """
    height, width = (min(kernel, 2 * side - 1) for side in size)
    return height, width


def scaled_normal_(weight: Tensor, *, fan_in: int, gain: float) -> None:
    """Fill with a normal of variance ``gain / fan_in``."""
    nn.init.normal_(weight, std=math.sqrt(gain / fan_in))


class Same(nn.Conv2d):
    """A convolution that keeps the size of the image, or divides it by ``stride``.

    Args:
        n_in: Channels read.
        n_out: Channels written.
        size: Height and width to start from.
        kernel: Side of the convolution, odd; cut to the image by :func:`reach`.
        gain: Variance of the initial weights times the number of inputs; biases start at zero.
        stride: Along height and width.

    Example:
        >>> Same(3, 8, (7, 5), kernel=3)(torch.zeros(2, 3, 7, 5)).shape
        torch.Size([2, 8, 7, 5])
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        size: Size,
        *,
        kernel: int,
        gain: float = 1.0,
        stride: Size = (1, 1),
    ) -> None:
        sides = reach(kernel, size)
        padding = (sides[0] // 2, sides[1] // 2)
        super().__init__(n_in, n_out, sides, stride=stride, padding=padding)
        scaled_normal_(self.weight, fan_in=n_in * math.prod(sides), gain=gain)
        self.bias = nn.Parameter(torch.zeros(n_out))


class Down(Same):
    """A convolution that halves the sides longer than 6: n → ⌈n / 2⌉.

    Example:
        >>> Down(3, 8, (7, 5), kernel=3)(torch.zeros(2, 3, 7, 5)).shape
        torch.Size([2, 8, 4, 5])
    """

    def __init__(
        self, n_in: int, n_out: int, size: Size, *, kernel: int, gain: float = 1.0
    ) -> None:
        super().__init__(n_in, n_out, size, kernel=kernel, gain=gain, stride=strides(size))


class Up(nn.Module):
    r"""Nearest-neighbour enlargement to ``size`` followed by a convolution, in one operation.

    Repeating each pixel s times is a transposed convolution with a box of ones; followed by a
    convolution w it is, along each axis, the transposed convolution with the kernel

    .. math:: \tilde w[d] = \sum_{j=0}^{s-1} w[d - j]

    of k + s - 1 taps (w stored mirrored). It works on the small image: (k + s - 1)² products for
    each of its pixels and pair of channels instead of (k s)². Unlike a free transposed convolution
    it maps a constant image to a constant one (away from the border), so it cannot draw
    checkerboards. The result is cut to ``size``, which inverts n → ⌈n / 2⌉ for odd sides too.

    Args:
        n_in: Channels read.
        n_out: Channels written.
        size: Height and width to reach.
        kernel: Side k of the convolution, odd; cut to the image by :func:`reach`.
        gain: Variance of the initial weights times the number of inputs; biases start at zero.

    References:
        Deconvolution and Checkerboard Artifacts (Odena, Dumoulin & Olah, 2016),
        https://distill.pub/2016/deconv-checkerboard.

    Example:
        >>> Up(8, 3, (7, 5), kernel=3)(torch.zeros(2, 8, 4, 5)).shape
        torch.Size([2, 3, 7, 5])
    """

    def __init__(
        self, n_in: int, n_out: int, size: Size, *, kernel: int, gain: float = 1.0
    ) -> None:
        super().__init__()
        self.size = size
        self.strides = strides(size)
        sides = reach(kernel, size)
        self.padding = (sides[0] // 2, sides[1] // 2)
        self.weight = nn.Parameter(torch.empty(n_in, n_out, *sides))
        self.bias = nn.Parameter(torch.zeros(n_out))
        scaled_normal_(self.weight, fan_in=n_in * math.prod(sides), gain=gain)

    def forward(self, h: Tensor) -> Tensor:
        """(N, n_in, ⌈H/s⌉, ⌈W/s⌉) → (N, n_out, H, W)."""
        (height, width), (down, across) = self.size, self.strides
        weight: Tensor = self.weight
        if down == 2:
            weight = F.pad(weight, (0, 0, 1, 0)) + F.pad(weight, (0, 0, 0, 1))
        if across == 2:
            weight = F.pad(weight, (1, 0)) + F.pad(weight, (0, 1))
        y = F.conv_transpose2d(h, weight, self.bias, stride=self.strides, padding=self.padding)
        return y[:, :, :height, :width]

    def extra_repr(self) -> str:
        """Channels and sizes, for printing."""
        n_in, n_out, *kernel = self.weight.shape
        return f"{n_in}, {n_out}, size={self.size}, kernel={kernel}, strides={self.strides}"
