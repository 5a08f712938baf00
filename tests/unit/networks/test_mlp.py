"""Dense networks for data of any shape, linear ones included."""

import math

import pytest
import torch
from scipy import integrate, stats

from vaekit.errors import ConfigError
from vaekit.networks import ACTIVATIONS, MLP, dense_stack, probe_features
from vaekit.networks.mlp import gain


@pytest.mark.parametrize("event", [(5,), (3, 4), (2, 3, 4), (1, 2, 3, 2)])
@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("hidden", [(), (7,), (9, 7)])
def test_shapes(event, context, hidden):
    net = MLP(hidden=hidden)
    c = [torch.randn(6, context)] if context else []
    features = net.encoder(event, context_dim=context)(torch.randn(6, *event), *c)
    expected = hidden[-1] if hidden else math.prod(event) + context
    assert features.shape == (6, expected)
    params = net.decoder((2,), event, context_dim=context)(torch.randn(6, 2), *c)
    assert params.shape == (6, *event)


def test_without_hidden_layers_both_directions_are_linear():
    net = MLP(hidden=())
    encoder = net.encoder((2, 3))
    x = torch.randn(4, 2, 3)
    assert torch.equal(encoder(x), x.reshape(4, 6))
    assert list(encoder.parameters()) == []
    assert probe_features(encoder, (2, 3), context_dim=0) == 6
    decoder = net.decoder((2,), (2, 3)).double()
    a, b = torch.randn(2, 4, 2, dtype=torch.float64)
    middle = decoder((a + b) / 2)
    torch.testing.assert_close(middle, (decoder(a) + decoder(b)) / 2, rtol=0, atol=1e-12)
    (layer,) = decoder.layers
    torch.testing.assert_close(middle.flatten(1), (a + b) / 2 @ layer.weight.T + layer.bias)


def test_a_stack_activates_between_layers_and_at_the_end_when_asked():
    names = [type(m).__name__ for m in dense_stack((3, 4, 5), activation="tanh")]
    assert names == ["Linear", "Tanh", "Linear"]
    names = [type(m).__name__ for m in dense_stack((3, 4, 5), activation="tanh", last=True)]
    assert names == ["Linear", "Tanh", "Linear", "Tanh"]


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_gain_is_the_inverse_power_of_a_normal_passed_through(name):
    activate = ACTIVATIONS[name]()

    def integrand(x):
        value = activate(torch.tensor([x], dtype=torch.float64)).item()
        return value**2 * stats.norm.pdf(x)

    parts = [integrate.quad(integrand, *ends)[0] for ends in ((-12, 0), (0, 12))]
    assert gain(name) == pytest.approx(1 / sum(parts), rel=1e-5)


def test_unknown_activations_and_empty_widths_are_refused():
    with pytest.raises(ConfigError, match="activation: not one of the choices"):
        MLP(activation="rleu")
    with pytest.raises(ConfigError, match=r"hidden\[1\]: out of bounds"):
        MLP(hidden=(4, 0))
