"""Convolutions of small images with many channels: the gradient of their weights by products.

A CPU's kernels for that gradient take several times as long as one matrix product for each place
in the kernel, when the image has few positions. The same numbers are multiplied and added, in
another order; products with the padding are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["SmallConvolutions"]

MOST_BYTES = 128
"""Positions of the smaller image times the bytes of a number, beyond which kernels are as fast."""
FEWEST_WEIGHTS = 2**18


class SmallConvolutions(TorchFunctionMode):
    """Inside the block, two-dimensional convolutions of any module take products where apt.

    That is on a CPU, with few positions and many weights, and without groups or dilation; all
    other convolutions stay as they are. The numbers are the same up to rounding.

    Example:
        >>> layer, x = torch.nn.Conv2d(256, 256, 2), torch.rand(1, 256, 3, 3)
        >>> with SmallConvolutions():
        ...     y = layer(x)
        >>> torch.testing.assert_close(y, layer(x))
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Replace the two functions that all modules call."""
        if func is torch.conv2d:
            func = _conv2d
        elif func is torch.conv_transpose2d:
            func = _conv_transpose2d
        return func(*args, **(kwargs or {}))


class _Way(NamedTuple):
    """How an image goes over into another; the pairs belong to the larger of the two."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    output_padding: tuple[int, int] = (0, 0)
    transposed: bool = False


def _conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    if _is_plain(input, weight, dilation, groups) and not isinstance(padding, str):
        way = _Way(_pair(stride), _pair(padding))
        axes = zip(input.shape[2:], weight.shape[2:], way.stride, way.padding, strict=True)
        height, width = ((size + 2 * pad - taps) // step + 1 for size, taps, step, pad in axes)
        if _has_few(height * width, weight):
            return _convolved(input, weight, bias, way)
    return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)


def _conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    if _is_plain(input, weight, dilation, groups) and _has_few(input[0, 0].numel(), weight):
        way = _Way(_pair(stride), _pair(padding), _pair(output_padding), True)
        return _convolved(input, weight, bias, way)
    return torch.conv_transpose2d(
        input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def _pair(value: Any) -> tuple[int, int]:
    first, second = (value, value) if isinstance(value, int) else (*value, *value)[:2]
    return first, second


def _is_plain(x: Tensor, weight: Tensor, dilation: Any, groups: int) -> bool:
    """A batch of images on a CPU, every channel with every other, neighbours as they come."""
    return x.dim() == 4 and x.is_cpu and groups == 1 and _pair(dilation) == (1, 1)


def _has_few(positions: int, weight: Tensor) -> bool:
    size = (_autocast() or weight.dtype).itemsize
    return positions * size <= MOST_BYTES and weight.numel() >= FEWEST_WEIGHTS


def _autocast() -> torch.dtype | None:
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None


def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None, way: _Way) -> Tensor:
    """The convolution, in the precision of the surrounding autocast.

    The bias is added apart, since with one the kernels take up to twice as long here.
    """
    if (dtype := _autocast()) is not None:
        x, weight = x.to(dtype), weight.to(dtype)
    y: Tensor = _Convolution.apply(x, weight, way)
    return y if bias is None else y + bias.to(y.dtype)[:, None, None]


class _Convolution(torch.autograd.Function):
    """torch's own convolution and gradients, but for that of the weights."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, way: _Way) -> Tensor:
        stride, padding, more, transposed = way
        return torch.convolution(x, weight, None, stride, padding, (1, 1), transposed, more, 1)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, weight, ctx.way = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, more, transposed = ctx.way
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            of_x = torch.ops.aten.convolution_backward(
                *(gradient, x, weight, None),
                *(stride, padding, (1, 1), transposed, more, 1, (True, False, False)),
            )[0]
        if ctx.needs_input_grad[1]:
            large, small = (gradient, x) if transposed else (x, gradient)
            of_weight = _weight_gradient(large, small, weight.shape, stride, padding)
        return of_x, of_weight, None


def _weight_gradient(
    large: Tensor,
    small: Tensor,
    shape: torch.Size,
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> Tensor:
    """Σ over positions of small ⊗ the pixel of large that each place in the kernel sees there."""
    outer, inner, *kernel = shape
    large, small = large.permute(0, 2, 3, 1), small.permute(0, 2, 3, 1)
    axes = zip(kernel, large.shape[1:3], small.shape[1:3], stride, padding, strict=True)
    rows, columns = ([_meeting(tap, *sizes) for tap in range(taps)] for taps, *sizes in axes)
    products = [
        small[:, i, j].reshape(-1, outer).t() @ large[:, up, left].reshape(-1, inner)
        for i, up in rows
        for j, left in columns
    ]
    return torch.stack(products, 1).view(outer, *kernel, inner).permute(0, 3, 1, 2)


def _meeting(tap: int, large: int, small: int, step: int, padding: int) -> tuple[slice, slice]:
    """Along one axis: the positions where a place in the kernel sees a pixel, and the pixels.

    Example:
        >>> _meeting(0, large=7, small=4, step=2, padding=1)  # position 0 sees the padding
        (slice(1, 4, None), slice(1, 7, 2))
    """
    first = max(0, -((tap - padding) // step))
    last = max(first, min(small, (large - 1 + padding - tap) // step + 1))
    start = first * step + tap - padding
    return slice(first, last), slice(start, start + (last - first) * step, step)
