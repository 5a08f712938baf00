"""The moving average of weights against its recurrence."""

import pytest
import torch
from torch import nn

from vaekit.training import WeightAverage


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.875])
def test_the_recurrence_is_exact_where_numbers_are(decay):
    """Weights and decays that are dyadic leave no room for rounding."""
    model = nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[4.0, -8.0]]))
        model.bias.fill_(16.0)
    average = WeightAverage(model, decay)
    expected = [value.detach().clone() for value in model.parameters()]
    for step in range(4):
        with torch.no_grad():
            for value in model.parameters():
                value.add_(64.0 * (step + 1))
        average.update()
        pairs = zip(expected, model.parameters(), strict=True)
        expected = [decay * mean + (1 - decay) * value.detach() for mean, value in pairs]
        assert all(
            torch.equal(mine, theirs)
            for mine, theirs in zip(average.average.values(), expected, strict=True)
        )


def test_the_state_has_buffers_as_they_are():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    average = WeightAverage(model, 0.9)
    model(torch.randn(8, 2) * 5)
    state = average.state(model)
    assert state.keys() == model.state_dict().keys()
    assert torch.equal(state["1.running_mean"], model[1].running_mean)
    assert state["1.num_batches_tracked"] == 1
    assert not any(value.requires_grad for value in state.values())


def test_a_weight_with_two_names_is_averaged_under_both():
    model = nn.ModuleDict({"one": nn.Linear(2, 2), "two": nn.Linear(2, 2)})
    model["two"].weight = model["one"].weight
    average = WeightAverage(model, 0.5)
    start = model["one"].weight.detach().clone()
    with torch.no_grad():
        model["one"].weight.add_(1.0)
    average.update()
    state = average.state(model)
    assert torch.equal(state["one.weight"], state["two.weight"])
    model.load_state_dict(state)
    torch.testing.assert_close(model["one"].weight.detach(), start + 0.5)


def test_restoring_goes_by_name_and_not_by_order():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    average, other = WeightAverage(model, 0.5), WeightAverage(model, 0.5)
    backwards = dict(reversed({k: v + 1 for k, v in average.average.items()}.items()))
    other.restore(backwards)
    assert list(other.average) == list(average.average)
    average.restore({name: value + 1 for name, value in average.average.items()})
    for one in (average, other):
        one.update()
    assert all(torch.equal(average.average[k], other.average[k]) for k in average.average)
