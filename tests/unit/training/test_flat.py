"""Weights in one vector: nothing but speed may change."""

import copy

import pytest
import torch
from torch import nn

from vaekit.training import SGD, Adam, Adamax, AdamW
from vaekit.training.flat import FlatWeights


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.ConvTranspose2d(4, 2, 3), nn.Flatten(), nn.Linear(72, 5)
    )


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("spec", [Adam(lr=1e-2), AdamW(), Adamax(), SGD()])
def test_optimisers_make_the_same_steps_on_the_vector(spec, layout):
    model = network().to(memory_format=layout)
    twin = copy.deepcopy(model)
    flat = FlatWeights(list(model.parameters()))
    optimizer, usual = spec.build([flat.weight]), spec.build(twin.parameters())
    for seed in range(5):
        torch.manual_seed(seed)
        x = torch.randn(7, 3, 6, 6).to(memory_format=layout)
        for one in (model, twin):
            one.zero_grad()
            one(x).square().sum().backward()
        flat.gather()
        optimizer.step()
        usual.step()
    for one, other in zip(model.parameters(), twin.parameters(), strict=True):
        assert one.stride() == other.stride()
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)


def test_parameters_are_views_until_they_are_released():
    model = network().to(memory_format=torch.channels_last)
    before = [p.detach().clone() for p in model.parameters()]
    flat = FlatWeights(list(model.parameters()))
    for parameter, value in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter, value)
        assert parameter.untyped_storage().data_ptr() == flat.weight.untyped_storage().data_ptr()
    flat.release()
    with torch.no_grad():
        flat.weight.zero_()
    for parameter, value in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter, value)
        assert parameter.untyped_storage().nbytes() == 4 * parameter.numel()


def test_a_parameter_without_gradient_counts_as_zero():
    used, idle = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))
    flat = FlatWeights([used, idle])
    used.sum().backward()
    flat.gather()
    assert flat.weight.grad.tolist() == [1, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("parameters", "suit"),
    [
        ([nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))], True),
        ([nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2).double())], False),
        ([], False),
    ],
)
def test_only_like_parameters_share_a_vector(parameters, suit):
    assert FlatWeights.suits(parameters) is suit
