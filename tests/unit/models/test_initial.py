"""Parts that start from training rows do so once, wherever they are in a model."""

import torch
from torch import nn

from vaekit.models.initial import initialise, uninitialised


class Part(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("initialised", torch.zeros((), dtype=torch.bool))
        self.calls = []

    def initialise(self, x, c=None):
        assert not torch.is_grad_enabled()
        self.calls.append((x, c))
        self.initialised.fill_(True)


def test_each_part_starts_once():
    first, inner, other = Part(), Part(), nn.Linear(1, 1)
    first.inner = inner  # which the outer part starts
    model = nn.ModuleDict({"a": nn.Sequential(other, first), "b": Part()})
    assert uninitialised(model) == [first, model["b"]]
    x = torch.ones(2, 1)
    initialise(model, x)
    initialise(model, 2 * x)
    assert first.calls == [(x, None)]
    assert model["b"].calls == [(x, None)]
    assert inner.calls == []
    assert uninitialised(model) == []


def test_a_loaded_part_keeps_what_it_has():
    saved, fresh = Part(), Part()
    initialise(saved, torch.ones(1))
    fresh.load_state_dict(saved.state_dict())
    initialise(fresh, torch.ones(1))
    assert fresh.calls == []
