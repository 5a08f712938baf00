"""Costs: they train like the density they imitate, and refuse to be one."""

import pytest
import torch
from torch import nn

from vaekit.artifacts import save
from vaekit.data import load, prepare
from vaekit.errors import ConfigError, ShapeError
from vaekit.likelihoods import Cost, Gaussian, Perceptual
from vaekit.metrics import score
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO
from vaekit.spec import Spec, from_json, to_json
from vaekit.training import Trainer, Training


def half_square(x_hat, x):
    return 0.5 * (x_hat - x).square()


def model(likelihood, shape=(5,)):
    torch.manual_seed(0)
    return FlatVAE(encoder=MLP(hidden=(6,)), likelihood=likelihood).build(event_shape=shape)


@pytest.mark.parametrize("weight", [1.0, 4.0])
def test_half_the_squared_error_trains_as_the_gaussian_does(weight):
    x, gradients = torch.randn(7, 5), []
    for likelihood in (Cost(half_square, weight=weight), Gaussian(scale=weight**-0.5)):
        made = model(likelihood)
        torch.manual_seed(1)
        ELBO()(made.evidence(x, samples=3)).total.backward()
        gradients.append([p.grad for p in made.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-5, atol=1e-6)


def test_bounds_and_draws_are_refused_but_there_is_a_reconstruction():
    made = model(Cost(half_square))
    x = torch.randn(4, 5)
    with pytest.raises(ConfigError, match=r"'likelihood/cost' is a cost, not a density"):
        score(made, x)
    with pytest.raises(ConfigError, match=r"no density to draw from. Take its mean"):
        made.decode(torch.zeros(3, 2)).sample()
    torch.testing.assert_close(made.reconstruct(x), made.decoder(made.encode(x).mean))


def test_a_loss_must_keep_rows_apart():
    px = model(Cost(nn.MSELoss())).decode(torch.zeros(3, 2))
    with pytest.raises(ShapeError, match=r"one number per row; expected shape \(3, …\), got \(\)"):
        px.log_prob(torch.zeros(3, 5))


class Layers(nn.Module):
    """A network with dropout whose two layers are features."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 3, 3)
        self.drop = nn.Dropout()

    def forward(self, x):
        h = self.drop(self.first(x)).relu()
        return h, h.mean((-1, -2))


def test_features_are_compared_and_held_constant():
    features = Layers()
    made = model(Cost(Perceptual(features), weight=2.0), (1, 8, 8)).train()
    before = [p.clone() for p in made.likelihood.parameters()]
    x = torch.rand(6, 1, 8, 8)
    evidence = made.evidence(x, samples=2)
    wanted = torch.zeros(2, 6)
    features.eval()
    for a, b in zip(features(evidence.px.mean.flatten(0, 1)), features(x), strict=True):
        distance = (a.unflatten(0, (2, 6)) - b).square()
        wanted -= 2 * distance.flatten(2).mean(2)
    torch.testing.assert_close(evidence.log_px, wanted)
    ELBO()(evidence).total.backward()
    assert made.decoder.layers[0].weight.grad.abs().sum() > 0
    assert all(not p.requires_grad for p in made.likelihood.parameters())
    assert all(p.requires_grad for p in features.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, features.parameters(), strict=True))


def test_elements_cannot_be_left_out_of_it():
    """It has one number for the whole row: a mask over elements would count that many times."""
    made, x = model(Cost(half_square)), torch.randn(7, 5)
    with pytest.raises(ConfigError, match=r"cannot leave elements out.*likelihood/cost"):
        made.evidence(x, observed=torch.ones(7, 5, dtype=torch.bool))


class TestLayers(Spec, kind="features/test-layers"):
    """Features that can be described."""

    __test__ = False

    def build(self):
        return Layers()


def test_it_trains_in_the_loop_and_is_saved_only_where_it_can_be_described(tmp_path):
    codec, parts = prepare(load("digits"))
    spec = Cost(Perceptual(TestLayers()))
    assert from_json(to_json(spec)) == spec
    for number, features in enumerate((TestLayers(), Layers())):
        made = model(Cost(Perceptual(features)), codec.event_shape)
        history = Trainer(made, parts, Training(epochs=2), objective=ELBO()).fit()
        costs = [record["distortion"] for record in history.records]
        assert costs[1] < costs[0]
        if number:
            with pytest.raises(ConfigError, match="was not built from a registered spec"):
                save(tmp_path / "model", made, codec)
        else:
            save(tmp_path / "described", made, codec)
