"""What image networks share: the ladder of sizes, resampling convolutions, dense ends.

Going down, a stage halves every side that is longer than 6, rounding up; shorter sides stay. Going
up, the same list of sizes is walked backwards, so any height and width comes out exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vaekit.errors import ConfigError
from vaekit.networks.mlp import dense_stack
from vaekit.networks.network import flat_size
from vaekit.spec import Spec

__all__ = [
    "Down",
    "ImageDecoder",
    "ImageEncoder",
    "Size",
    "Up",
    "default_depth",
    "ladder",
    "read_image_shape",
    "widths",
]

Size = tuple[int, int]
SHORT_SIDE = 6
MAX_STAGES = 32


def read_image_shape(shape: Sequence[int], *, where: str) -> tuple[int, Size]:
    """Channels and (height, width) of an image's shape.

    Raises:
        ConfigError: If the shape is not (C, H, W) with positive sides.
    """
    if len(shape) != 3 or min(shape) < 1:
        raise ConfigError(
            "this network reads images",
            expected="a shape (channels, height, width)",
            got=tuple(shape),
            where=where,
            remedy="use the network 'mlp', which takes any shape, or add the missing axis "
            "to the data (a grey image is (1, height, width))",
        )
    channels, height, width = shape
    return channels, (height, width)


def strides(size: Size) -> Size:
    """The stride of the stage that starts from ``size``: 2 along sides longer than 6."""
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
        sizes.append((-(-height // down), -(-width // across)))
    return sizes


def default_depth(size: Size) -> int:
    """How many stages bring every side down to 6 or less; at least one."""
    depth, longest = 1, -(-max(size) // 2)
    while longest > SHORT_SIDE:
        depth, longest = depth + 1, -(-longest // 2)
    return depth


def widths(channels: tuple[int, ...] | None, size: Size, *, first: int) -> tuple[int, ...]:
    """The channels of each stage: those given, or ``first`` doubled at each stage up to eightfold.

    Example:
        >>> widths(None, (105, 105), first=32)
        (32, 64, 128, 256, 256)
    """
    if channels is not None:
        return channels
    return tuple(first * 2 ** min(i, 3) for i in range(default_depth(size)))


def check_stages(channels: tuple[int, ...] | None, kernel: int, *, where: str) -> None:
    """Raise when the kernel is even or there are no stages, or too many."""
    if kernel % 2 == 0:
        raise ConfigError("the kernel must have a centre", expected="an odd size", got=kernel, where=where)
    if channels is not None and not 1 <= len(channels) <= MAX_STAGES:
        raise ConfigError(
            "the number of stages is out of bounds",
            expected=f"between 1 and {MAX_STAGES} channels",
            got=len(channels),
            where=where,
            remedy="use the network 'mlp' for no convolutions at all",
        )


class Down(nn.Conv2d):
    """A convolution that halves the sides longer than 6: n → ⌈n / 2⌉.

    Weights start with variance ``gain / fan_in`` and biases at zero, so that the scale of the
    activations survives any number of stages.
    """

    def __init__(self, n_in: int, n_out: int, size: Size, *, kernel: int, gain: float = 1.0) -> None:
        super().__init__(n_in, n_out, kernel, stride=strides(size), padding=kernel // 2)
        scaled_normal_(self.weight, fan_in=n_in * kernel**2, gain=gain)
        nn.init.zeros_(self.bias)  # type: ignore[arg-type]


class Up(nn.Module):
    r"""Nearest-neighbour enlargement to ``size`` followed by a convolution, in one operation.

    Repeating each pixel s times is a transposed convolution with a box of ones; followed by a
    convolution w it is the transposed convolution with kernel

    .. math:: \tilde w[d] = \sum_{j=0}^{s-1} w[d - j],

    of k + s − 1 taps. It works on the small image, so it costs (k + s − 1)² instead of (k s)²
    products for each pixel of it, and, unlike a free transposed convolution, it maps a constant
    image to a constant one (away from the border): there are no checkerboards. The result is cut
    to ``size``, which inverts n → ⌈n / 2⌉ for odd sides too.

    Args:
        n_in: Channels read.
        n_out: Channels written.
        size: Height and width to reach.
        kernel: Side k of the convolution, odd.
        gain: Variance of the initial weights, times the number of inputs.

    References:
        Deconvolution and Checkerboard Artifacts (Odena, Dumoulin & Olah, 2016),
        https://distill.pub/2016/deconv-checkerboard.

    Example:
        >>> Up(8, 3, (7, 5), kernel=3)(torch.zeros(2, 8, 4, 5)).shape
        torch.Size([2, 3, 7, 5])
    """

    def __init__(self, n_in: int, n_out: int, size: Size, *, kernel: int, gain: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.strides = strides(size)
        self.weight = nn.Parameter(torch.empty(n_in, n_out, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(n_out))
        scaled_normal_(self.weight, fan_in=n_in * kernel**2, gain=gain)

    def forward(self, h: Tensor) -> Tensor:
        """(N, n_in, ⌈H/s⌉, ⌈W/s⌉) → (N, n_out, H, W)."""
        down, across = self.strides
        weight = spread(spread(self.weight, (0, 0, down - 1, 0)), (across - 1, 0))
        padding = self.weight.shape[-1] // 2
        y = F.conv_transpose2d(h, weight, self.bias, stride=self.strides, padding=padding)
        height, width = self.size
        return y[:, :, :height, :width]


def spread(weight: Tensor, before: tuple[int, ...]) -> Tensor:
    """The kernel plus itself shifted by one where ``before`` pads by one, else the kernel."""
    if not any(before):
        return weight
    after = tuple(n for pair in zip(before[1::2], before[::2], strict=True) for n in pair)
    return F.pad(weight, before) + F.pad(weight, after)


def scaled_normal_(weight: Tensor, *, fan_in: int, gain: float) -> None:
    """Fill with a normal of variance ``gain / fan_in``."""
    nn.init.normal_(weight, std=math.sqrt(gain / fan_in))


def channels_last(h: Tensor) -> Tensor:
    """The same values with the channels innermost in memory, where convolutions run faster."""
    return h.contiguous(memory_format=torch.channels_last)


class ImageEncoder(nn.Module):
    """Convolutional stages, then dense layers that also read the context.

    Args:
        spec: What it was built from.
        stages: (B, C, H, W) → (B, C', H', W').
        grid: (C', H', W').
        hidden: Widths of the dense layers; none returns the flat grid (and the context).
        activation: Follows each dense layer.
        context_dim: Size of the context.
    """

    def __init__(
        self,
        spec: Spec,
        stages: nn.Sequential,
        grid: Sequence[int],
        *,
        hidden: Sequence[int],
        activation: str,
        context_dim: int,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.stages = stages
        sizes = (flat_size(grid) + context_dim, *hidden)
        self.head = dense_stack(sizes, activation=activation, last=True)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Features of shape (B, features)."""
        h = self.stages(channels_last(x)).flatten(1)
        return self.head(h if c is None else torch.cat([h, c], -1))


class ImageDecoder(nn.Module):
    """Dense layers that read the code and the context, then convolutional stages.

    Args:
        spec: What it was built from.
        stages: (N, C', H', W') → (N, \\*params).
        grid: (C', H', W').
        latent_shape: Shape of one code.
        hidden: Widths of the dense layers on the encoder's side, used in reverse.
        activation: Follows each dense layer; the last one only if ``activate_grid``.
        activate_grid: Whether the stages expect an activated grid.
        context_dim: Size of the context.
    """

    def __init__(
        self,
        spec: Spec,
        stages: nn.Sequential,
        grid: Sequence[int],
        *,
        latent_shape: Sequence[int],
        hidden: Sequence[int],
        activation: str,
        activate_grid: bool,
        context_dim: int,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.grid = tuple(grid)
        sizes = (flat_size(latent_shape) + context_dim, *reversed(hidden), flat_size(grid))
        self.stem = dense_stack(sizes, activation=activation, last=activate_grid)
        self.stages = stages

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Likelihood parameters of shape (N, \\*params), raw."""
        h = z.flatten(1)
        h = self.stem(h if c is None else torch.cat([h, c], -1)).unflatten(1, self.grid)
        params: Tensor = self.stages(channels_last(h))
        return params.contiguous()
