"""Corruptions against the moments that they are defined by, and denoising against closed forms."""

import math

import pytest
import torch
from torch import nn

from vaekit.artifacts import load, save
from vaekit.data import load as load_data
from vaekit.data import prepare
from vaekit.distributions import row_noise
from vaekit.errors import ConfigError
from vaekit.latents import Point, Vamp
from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.models import FlatVAE
from vaekit.networks import MLP, Conv, Corruption, GaussianNoise, Masking, SaltAndPepper
from vaekit.objectives import Autoencoding
from vaekit.spec import from_json, registered, to_json

KINDS = [GaussianNoise(scale=0.5), Masking(rate=0.3), SaltAndPepper(rate=0.4, low=-2.0, high=3.0)]


def within(sample, expected, errors=5.0):
    """The mean of a sample lies within so many of its standard errors."""
    error = sample.std() / math.sqrt(sample.numel())
    assert abs(sample.mean() - expected) <= errors * error


@pytest.mark.parametrize("spec", KINDS)
def test_it_is_the_identity_in_evaluation_and_has_no_weights(spec):
    module, x = spec.build(), torch.rand(3, 1, 4, 4)
    assert not torch.equal(module(x), x)
    assert module.eval()(x) is x
    assert not module.state_dict()


@pytest.mark.parametrize("spec", KINDS)
def test_at_nothing_it_changes_nothing(spec):
    none = spec.replace(**{"scale" if isinstance(spec, GaussianNoise) else "rate": 0.0})
    x = torch.rand(3, 4)
    torch.testing.assert_close(none.build()(x), x, rtol=0, atol=0)


def test_gaussian_noise_has_its_scale_and_leaves_the_range():
    x = torch.rand(200, 100, dtype=torch.float64)
    noise = GaussianNoise(scale=0.5).build()(x) - x
    within(noise, 0.0)
    within(noise.square(), 0.25)
    assert (x + noise).min() < 0
    assert (x + noise).max() > 1


def test_masking_loses_its_share():
    x = torch.rand(200, 100) + 0.1
    masked = Masking(rate=0.3).build()(x)
    within((masked == 0).double(), 0.3)
    assert torch.equal(masked[masked != 0], x[masked != 0])


def test_salt_and_pepper_come_in_equal_shares():
    x = torch.rand(200, 100)
    spotted = SaltAndPepper(rate=0.4, low=-2.0, high=3.0).build()(x)
    within((spotted == -2).double(), 0.2)
    within((spotted == 3).double(), 0.2)
    kept = (spotted != -2) & (spotted != 3)
    assert torch.equal(spotted[kept], x[kept])


def test_pepper_must_be_below_salt():
    with pytest.raises(ConfigError, match=r"pepper must be below salt.*low < 0"):
        SaltAndPepper(high=0.0)


@pytest.mark.parametrize("spec", KINDS)
def test_the_damage_is_determined_by_the_seed_and_by_the_row(spec):
    module, x = spec.build(), torch.rand(4, 6)
    torch.manual_seed(5)
    first = module(x)
    assert not torch.equal(module(x), first)
    torch.manual_seed(5)
    assert torch.equal(module(x), first)
    with row_noise(0, first=0, rows=4):
        together = module(x)
    with row_noise(0, first=2, rows=2):
        torch.testing.assert_close(module(x[2:]), together[2:], rtol=0, atol=0)


# --- in a model ---------------------------------------------------------------------------------


def linear_autoencoder(corruption):
    """x̂ = A x + b, with the matrix A and the vector b."""
    torch.manual_seed(0)
    parts = {"posterior": Point(), "likelihood": Gaussian(scale=1.0), "corruption": corruption}
    model = FlatVAE(latent_dim=3, encoder=MLP(hidden=()), **parts).build(event_shape=(5,)).double()
    b = model.reconstruct(torch.zeros(1, 5).double())[0]
    return model, (model.reconstruct(torch.eye(5).double()) - b).mT.detach(), b.detach()


@pytest.mark.parametrize(
    ("corruption", "mean", "variance"),
    [
        (GaussianNoise(scale=0.5), lambda x: x, lambda x: torch.full_like(x, 0.25)),
        (Masking(rate=0.3), lambda x: 0.7 * x, lambda x: 0.21 * x.square()),
    ],
)
def test_the_expected_loss_of_a_linear_model_is_its_closed_form(corruption, mean, variance):
    """E ½‖x − A x̃ − b‖² = ½‖x − A E x̃ − b‖² + ½ Σⱼ Var(x̃ⱼ) ‖Aⱼ‖² (Bishop, 1995)."""
    model, matrix, b = linear_autoencoder(corruption)
    x = torch.tensor([0.5, -1.0, 2.0, 0.1, 1.5]).double()
    bias = (x - matrix @ mean(x) - b).square().sum()
    expected = 0.5 * (bias + (variance(x) * matrix.square().sum(0)).sum())
    constant = 2.5 * math.log(2 * math.pi)
    within(model.evidence(x.expand(20_000, 5)).distortion.detach() - constant, expected)


@pytest.mark.parametrize("network", [MLP(hidden=(8,)), Conv(channels=(4, 4))])
@pytest.mark.parametrize("context", [0, 3])
def test_the_encoder_sees_damage_in_training_only_and_the_likelihood_never(network, context):
    spec = FlatVAE(encoder=network, likelihood=Bernoulli(), corruption=GaussianNoise(scale=1.0))
    model = spec.build(event_shape=(1, 6, 6), context_dim=context)
    x, c = torch.rand(4, 1, 6, 6), torch.rand(4, context) if context else None
    evidence = model.evidence(x, c)
    assert evidence.value is x
    assert not torch.allclose(evidence.nodes[0].q.mean, model.encode(x, c).mean)
    clean = model.eval().evidence(x, c).nodes[0].q
    torch.testing.assert_close(clean.mean, model.encode(x, c).mean)


def test_pseudo_inputs_are_not_damaged():
    model = FlatVAE(prior=Vamp(components=4), corruption=Masking()).build(event_shape=(6,))
    z = torch.randn(3, 2)
    torch.testing.assert_close(model.prior().log_prob(z), model.prior().log_prob(z))


def test_a_module_of_the_users_can_stand_in():
    model = FlatVAE(posterior=Point(), corruption=nn.Dropout(1.0)).build(event_shape=(6,))
    seen = model.evidence(torch.rand(4, 6)).nodes[0].z[0]
    torch.testing.assert_close(seen, model.encode(torch.zeros(4, 6)).mean)


@pytest.mark.parametrize("name", registered("corruption"))
def test_it_is_saved_with_the_model(tmp_path, name):
    spec = FlatVAE(encoder=MLP(hidden=(4,)), corruption=registered("corruption")[name]())
    assert from_json(to_json(spec)) == spec
    codec, _ = prepare(load_data("digits"))
    model = spec.build(event_shape=codec.event_shape)
    save(tmp_path / "model", model.eval(), codec)
    again = load(tmp_path / "model").model
    assert isinstance(again.spec.corruption, Corruption)
    x = torch.rand(3, *codec.event_shape)
    torch.testing.assert_close(again.reconstruct(x), model.reconstruct(x))


@pytest.mark.parametrize("scale", [None, 1.0])
def test_denoising_learns_the_wiener_filter_where_a_plain_autoencoder_copies(scale):
    """Of x ~ N(0, diag v) with noise of variance σ², the best linear restorer is v / (v + σ²)."""
    variance = torch.tensor([4.0, 1.0, 0.25])
    noise = None if scale is None else GaussianNoise(scale=scale)
    gain = variance / (variance + (scale or 0.0) ** 2)
    torch.manual_seed(0)
    parts = {"posterior": Point(), "likelihood": Gaussian(scale=1.0), "corruption": noise}
    model = FlatVAE(latent_dim=3, encoder=MLP(hidden=()), **parts).build(event_shape=(3,))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=600)
    for _ in range(600):
        x = torch.randn(512, 3) * variance.sqrt()
        optimizer.zero_grad()
        Autoencoding()(model.evidence(x)).total.backward()
        optimizer.step()
        falling.step()
    with torch.no_grad():
        learned = model.reconstruct(torch.eye(3)) - model.reconstruct(torch.zeros(1, 3))
    torch.testing.assert_close(learned, gain.diag(), rtol=0, atol=0.03)
