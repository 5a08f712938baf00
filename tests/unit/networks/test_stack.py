"""Networks behind one another."""

import pytest
import torch
from torch import nn

from vaekit.models import FlatVAE
from vaekit.networks import MLP, Stack
from vaekit.spec import from_json, to_json


def test_it_is_the_composition_of_its_parts():
    torch.manual_seed(0)
    encoder = Stack(MLP(hidden=(7,)), MLP(hidden=(5,)), width=3).encoder((4,))
    x = torch.randn(6, 4)
    assert torch.equal(encoder(x), encoder.inner(encoder.code(encoder.outer(x))))
    decoder = Stack(MLP(hidden=(7,)), MLP(hidden=(5,)), width=3).decoder((2,), (4,))
    z = torch.randn(6, 2)
    assert torch.equal(decoder(z), decoder.outer(decoder.inner(z)))
    assert decoder.inner(z).shape == (6, 3)


def test_linear_parts_make_a_narrow_linear_map():
    torch.manual_seed(0)
    decoder = Stack(MLP(hidden=()), MLP(hidden=()), width=1).decoder((2,), (4,))
    jacobian = torch.func.jacrev(lambda z: decoder(z.unsqueeze(0))[0])(torch.randn(2))
    assert torch.linalg.matrix_rank(jacobian) == 1


def test_contexts_reach_both_networks():
    torch.manual_seed(0)
    spec = Stack(MLP(hidden=(7,)), MLP(hidden=(5,)), width=3)
    encoder = spec.encoder((4,), context_dim=2)
    assert encoder(torch.zeros(6, 4), torch.ones(6, 2)).shape == (6, 5)
    sizes = {n.in_features for n in encoder.modules() if isinstance(n, nn.Linear)}
    assert {6, 5} <= sizes  # 4 + 2 and 3 + 2


def test_stacks_nest_and_are_written_down():
    spec = Stack(MLP(hidden=(7,)), Stack(MLP(hidden=(6,)), MLP(hidden=(5,)), width=3), width=4)
    assert from_json(to_json(spec)) == spec
    model = FlatVAE(latent_dim=2, encoder=spec).build(event_shape=(8,))
    assert model.evidence(torch.randn(3, 8)).elbo.shape == (1, 3)


def test_a_width_is_positive():
    with pytest.raises(ValueError, match="width"):
        Stack(width=0)
