"""Convolutions by products against torch's own, and that only those that suit are replaced."""

import pytest
import torch
from torch import nn

from vaekit.training import convolutions
from vaekit.training.convolutions import SmallConvolutions

CASES = {
    "stride": (nn.Conv2d, (3, 4, 4), {"stride": 2, "padding": 1}, (7, 6)),
    "one position": (nn.Conv2d, (3, 4, 4), {"stride": 2, "padding": 1}, (3, 3)),
    "a place that sees padding only": (nn.Conv2d, (3, 4, 3), {"padding": 2, "stride": 5}, (2, 2)),
    "leftover pixels": (nn.Conv2d, (3, 4, (2, 3)), {"stride": (3, 2)}, (7, 8)),
    "no bias": (nn.Conv2d, (3, 4, 1), {"bias": False}, (4, 4)),
    "transposed": (nn.ConvTranspose2d, (3, 4, 3), {"stride": 2, "padding": 1}, (4, 3)),
    "output padding": (
        nn.ConvTranspose2d,
        (3, 4, (3, 2)),
        {"stride": 2, "padding": (1, 0), "output_padding": (1, 0)},
        (3, 4),
    ),
    "gaps": (nn.ConvTranspose2d, (3, 4, 2), {"stride": 3}, (2, 2)),
}


@pytest.fixture(autouse=True)
def any_size(monkeypatch):
    """Small tests for what is meant for many channels."""
    monkeypatch.setattr(convolutions, "FEWEST_WEIGHTS", 1)


@pytest.fixture
def replaced(monkeypatch):
    """The convolutions that were replaced."""
    seen = []
    function = convolutions._convolved

    def spy(*args):
        seen.append(args)
        return function(*args)

    monkeypatch.setattr(convolutions, "_convolved", spy)
    return seen


def made(case, dtype=torch.float64):
    kind, sizes, options, image = CASES[case]
    torch.manual_seed(0)
    layer = kind(*sizes, **options).to(dtype)
    return layer, torch.randn(2, sizes[0], *image, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("case", CASES)
def test_results_and_gradients_are_those_of_torch(case, last, replaced):
    layer, x = made(case)
    if last:
        layer = layer.to(memory_format=torch.channels_last)
    inputs = [x, *layer.parameters()]
    expected = layer(x)
    with SmallConvolutions():
        found = layer(x)
    weighting = torch.randn_like(expected)
    torch.testing.assert_close(found, expected)
    for one, other in zip(
        torch.autograd.grad((found * weighting).sum(), inputs),
        torch.autograd.grad((expected * weighting).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(one, other)
    assert len(replaced) == 1


@pytest.mark.parametrize("case", ["stride", "output padding"])
def test_second_derivatives_are_those_of_the_function(case):
    layer, x = made(case)

    def function(x, weight):
        with SmallConvolutions():
            return torch.func.functional_call(layer, {"weight": weight}, (x,))

    weight = layer.weight.detach().requires_grad_()
    assert torch.autograd.gradcheck(function, (x, weight))
    assert torch.autograd.gradgradcheck(function, (x, weight))


def test_autocast_reaches_the_products(replaced):
    layer, x = made("transposed", torch.float32)
    expected = layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16), SmallConvolutions():
        found = layer(x)
    found.float().sum().backward()
    assert found.dtype == torch.bfloat16
    assert layer.weight.grad.dtype == torch.float32
    torch.testing.assert_close(found.float(), expected, rtol=0.02, atol=0.02)
    assert len(replaced) == 1


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(4, 4, 1), (1, 4, 6, 6)),
        (nn.Conv2d(4, 4, 1, groups=2), (1, 4, 2, 2)),
        (nn.Conv2d(4, 4, 2, dilation=2), (1, 4, 3, 3)),
        (nn.Conv2d(4, 4, 3, padding="same"), (1, 4, 3, 3)),
        (nn.Conv2d(4, 4, 1), (4, 2, 2)),
        (nn.ConvTranspose2d(4, 4, 1), (1, 4, 6, 6)),
        (nn.Conv1d(4, 4, 1), (1, 4, 3)),
    ],
)
def test_others_are_left_alone(layer, shape, replaced):
    x = torch.randn(shape)
    with SmallConvolutions():
        found = layer(x)
    assert torch.equal(found, layer(x))
    assert replaced == []


def test_few_weights_are_left_alone(monkeypatch, replaced):
    layer, x = made("stride")
    monkeypatch.setattr(convolutions, "FEWEST_WEIGHTS", layer.weight.numel() + 1)
    with SmallConvolutions():
        layer(x)
    assert replaced == []
