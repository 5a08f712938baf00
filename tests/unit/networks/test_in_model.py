"""Networks inside a flat VAE: modules of the user's, refusals at build time, meta devices."""

import pytest
import torch
from torch import nn

from vaekit.errors import ConfigError, ShapeError
from vaekit.likelihoods import Gaussian
from vaekit.models import FlatVAE
from vaekit.networks import MLP, Conv, ResNet

NETWORKS = [MLP(hidden=()), MLP(hidden=(8,)), Conv(channels=(4, 8)), ResNet(width=4, blocks=1)]
SCALES = ["optimal", "shared", "per-element", 1.0]


def bare_pair(out=64):
    return {
        "encoder": nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU()),
        "decoder": nn.Sequential(nn.Linear(2, out), nn.Unflatten(1, (1, 8, out // 8))),
    }


def test_bare_modules_serve_as_networks():
    model = FlatVAE(latent_dim=2, **bare_pair()).build(event_shape=(1, 8, 8))
    x = torch.rand(5, 1, 8, 8)
    assert model.evidence(x, samples=3).elbo.shape == (3, 5)
    model.evidence(x).elbo.sum().backward()
    for parameter in (*model.encoder.parameters(), *model.decoder.parameters()):
        assert parameter.grad.abs().max() > 0


def test_a_decoder_of_the_wrong_shape_is_refused_at_build_time():
    with pytest.raises(ShapeError, match=r"expected .*\(N, 1, 8, 8\), got \(2, 1, 8, 9\)"):
        FlatVAE(latent_dim=2, **bare_pair(72)).build(event_shape=(1, 8, 8))
    per_element = FlatVAE(latent_dim=2, likelihood=Gaussian(scale="per-element"), **bare_pair())
    with pytest.raises(ShapeError, match=r"expected .*\(N, 2, 8, 8\), got \(2, 1, 8, 8\)"):
        per_element.build(event_shape=(1, 8, 8))
    with pytest.raises(ShapeError, match="the network fails on z"):
        FlatVAE(latent_dim=3, **bare_pair()).build(event_shape=(1, 8, 8))
    with pytest.raises(ConfigError, match=r"context but Sequential\.forward takes none"):
        FlatVAE(latent_dim=2, **bare_pair()).build(event_shape=(1, 8, 8), context_dim=2)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("context", [0, 3])
def test_a_model_builds_on_the_meta_device_with_the_real_shapes(network, scale, context):
    spec = FlatVAE(latent_dim=2, encoder=network, likelihood=Gaussian(scale=scale))
    sizes = {"event_shape": (1, 9, 14), "context_dim": context}
    with torch.device("meta"):
        shadow = spec.build(**sizes).state_dict()
    assert all(value.is_meta for value in shadow.values())
    real = spec.build(**sizes).state_dict()
    assert {k: (v.shape, v.dtype) for k, v in shadow.items()} == {
        k: (v.shape, v.dtype) for k, v in real.items()
    }


def test_the_meta_device_leaves_the_random_state_alone():
    before = torch.get_rng_state()
    with torch.device("meta"):
        FlatVAE(encoder=Conv()).build(event_shape=(1, 28, 28))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_huge_model_costs_nothing_on_the_meta_device():
    spec = FlatVAE(latent_dim=65_536, encoder=MLP(hidden=(65_536, 65_536)))
    with torch.device("meta"):
        model = spec.build(event_shape=(3, 1024, 1024))
    assert sum(p.numel() for p in model.parameters()) > 10**11


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("context", [0, 3])
def test_one_model_of_each_network(network, context):
    sizes = {"event_shape": (1, 9, 14), "context_dim": context}
    model = FlatVAE(latent_dim=2, encoder=network).build(**sizes)
    c = torch.randn(4, context) if context else None
    evidence = model.evidence(torch.rand(4, 1, 9, 14), c, samples=2)
    assert evidence.elbo.isfinite().all()
    assert model.sample(4, c).mean.shape == (4, 1, 9, 14)


@pytest.mark.parametrize("network", NETWORKS)
def test_building_draws_the_same_numbers_whether_or_not_it_probes(network):
    torch.manual_seed(5)
    encoder = network.encoder((1, 9, 9))
    torch.manual_seed(5)
    model = FlatVAE(encoder=network).build(event_shape=(1, 9, 9))
    for name, value in encoder.state_dict().items():
        assert torch.equal(model.encoder.state_dict()[name], value)
    head = torch.get_rng_state()
    torch.manual_seed(5)
    FlatVAE(encoder=network).build(event_shape=(1, 9, 9))
    assert torch.equal(torch.get_rng_state(), head)
