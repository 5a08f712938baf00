"""Sizes are walked down and up exactly; enlarging equals interpolation followed by convolution."""

import math

import pytest
import torch
from torch.nn import functional as F

from vaekit.networks.resample import Down, Same, Up, default_depth, ladder, reach, strides

SIZES = [(1, 1), (2, 1), (6, 6), (7, 13), (8, 8), (28, 20), (105, 105), (1, 50), (33, 6)]


def output_size(side, kernel, stride):
    """The textbook size of a convolution padded by half its kernel."""
    return (side + 2 * (kernel // 2) - kernel) // stride + 1


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_down_follows_the_ladder(size, kernel):
    layer = Down(2, 3, size, kernel=kernel)
    expected = tuple(output_size(n, kernel, s) for n, s in zip(size, strides(size), strict=True))
    assert layer(torch.zeros(2, 2, *size)).shape == (2, 3, *expected)
    assert ladder(size, 1) == [size, expected]


@pytest.mark.parametrize("size", SIZES)
def test_the_default_depth_ends_with_short_sides(size):
    smallest = ladder(size, default_depth(size))[-1]
    assert max(smallest) <= 6
    if max(size) > 12:
        assert max(ladder(size, default_depth(size) - 1)[-1]) > 6
    assert all(small >= min(4, side) for small, side in zip(smallest, size, strict=True))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_up_is_nearest_interpolation_then_convolution(size, kernel):
    layer = Up(3, 2, size, kernel=kernel).double()
    torch.nn.init.normal_(layer.bias)
    h = torch.randn(4, 3, *ladder(size, 1)[-1], dtype=torch.float64)
    down, across = layer.strides
    large = h.repeat_interleave(down, 2).repeat_interleave(across, 3)
    weight = layer.weight.flip(2, 3).transpose(0, 1)
    expected = F.conv2d(large, weight, layer.bias, padding=layer.padding)
    torch.testing.assert_close(
        layer(h), expected[:, :, : size[0], : size[1]], rtol=1e-12, atol=1e-12
    )


def test_up_maps_a_constant_image_to_a_constant_one_away_from_the_border():
    layer = Up(3, 1, (27, 18), kernel=3).double()
    y = layer(torch.ones(1, 3, 14, 9, dtype=torch.float64))[0, 0, 2:-2, 2:-2].detach()
    assert y.abs().min() > 0.1
    torch.testing.assert_close(y, y[:1, :1].expand_as(y), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("kernel", "size", "expected"),
    [(3, (1, 9), (1, 3)), (3, (2, 2), (3, 3)), (15, (4, 100), (7, 15)), (1, (1, 1), (1, 1))],
)
def test_kernels_are_cut_to_the_taps_that_meet_a_pixel(kernel, size, expected):
    assert reach(kernel, size) == expected
    layer = Same(1, 1, size, kernel=kernel).double()
    layer(torch.rand(1, 1, *size, dtype=torch.float64)).sum().backward()
    assert (layer.weight.grad > 0).all()


def test_a_cut_kernel_computes_what_the_full_one_would():
    cut = Same(2, 3, (3, 1), kernel=5).double()
    x = torch.randn(2, 2, 3, 1, dtype=torch.float64)
    full = F.conv2d(x, F.pad(cut.weight, (2, 2)), cut.bias, padding=2)
    torch.testing.assert_close(cut(x), full, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("layer", [Same, Down, Up])
def test_initial_weights_have_variance_gain_over_inputs(layer):
    made = layer(64, 48, (9, 9), kernel=3, gain=3.0)
    count = made.weight.numel()
    variance = made.weight.detach().square().mean() * 64 * 9 / 3
    assert abs(variance.item() - 1) < 5 * math.sqrt(2 / count)
    assert (made.bias == 0).all()
