"""The autoencoder's penalties against torch.autograd.functional and plain sums."""

import copy
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from vaekit.distributions import Normal
from vaekit.errors import ConfigError
from vaekit.latents import Point
from vaekit.likelihoods import Gaussian
from vaekit.models import Evidence, FlatVAE, SemiSupervisedVAE
from vaekit.networks import MLP
from vaekit.objectives import Autoencoding, Progress


@pytest.fixture
def model(dtype):
    spec = FlatVAE(
        latent_dim=3,
        encoder=MLP(hidden=(6,)),
        posterior=Point(),
        likelihood=Gaussian(scale=1.0),
    )
    return spec.build(event_shape=(5,)).to(dtype)


@pytest.fixture
def batch(dtype):
    return SimpleNamespace(x=torch.randn(7, 5, dtype=dtype), c=None)


def loss_of(objective, model, batch):
    evidence = model.evidence(batch.x, batch.c)
    return objective(evidence, batch=batch, model=model, progress=Progress.end())


def squared_jacobian(model, x):
    """Mean over rows of the squared Frobenius norm, row by row."""
    rows = [
        torch.autograd.functional.jacobian(
            lambda one: model.encode(one[None]).mean[0], row, create_graph=True
        )
        for row in x
    ]
    return torch.stack(rows).square().sum((1, 2)).mean()


def distortion(model, x):
    error = (x - model.reconstruct(x)).square().sum(-1)
    return (0.5 * error + 0.5 * x.shape[1] * torch.log(torch.tensor(2 * torch.pi))).mean()


def test_without_penalties_it_is_the_distortion(model, batch):
    loss = loss_of(Autoencoding(), model, batch)
    torch.testing.assert_close(loss.total, distortion(model, batch.x))
    assert loss.terms.keys() == {"loss", "distortion"}


def test_sparsity_is_the_mean_sum_of_absolute_codes(model, batch):
    loss = loss_of(Autoencoding(sparsity=0.3), model, batch)
    penalty = model.encode(batch.x).mean.abs().sum(1).mean()
    torch.testing.assert_close(loss.total, distortion(model, batch.x) + 0.3 * penalty)
    torch.testing.assert_close(loss.terms["sparsity"], penalty.detach())


def test_contraction_is_the_exact_jacobian_norm(model, batch):
    loss = loss_of(Autoencoding(contraction=0.2), model, batch)
    penalty = squared_jacobian(model, batch.x)
    torch.testing.assert_close(loss.total, distortion(model, batch.x) + 0.2 * penalty)
    torch.testing.assert_close(loss.terms["contraction"], penalty.detach())


def test_contraction_has_the_right_gradient(model, batch):
    parameters = list(model.encoder.parameters())
    got = torch.autograd.grad(
        loss_of(Autoencoding(contraction=0.2), model, batch).total
        - loss_of(Autoencoding(), model, batch).total,
        parameters,
    )
    expected = torch.autograd.grad(
        0.2 * squared_jacobian(model, batch.x), parameters, allow_unused=True
    )
    for mine, theirs in zip(got, expected, strict=True):
        theirs = torch.zeros_like(mine) if theirs is None else theirs
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-9)


def test_contraction_can_be_measured_without_gradients(model, batch):
    with torch.no_grad():
        loss = loss_of(Autoencoding(contraction=1.0), model, batch)
    torch.testing.assert_close(
        loss.terms["contraction"], squared_jacobian(model, batch.x).detach()
    )
    assert not batch.x.requires_grad


def test_terms_carry_no_graph(model, batch):
    loss = loss_of(Autoencoding(sparsity=0.1, contraction=0.1), model, batch)
    assert loss.total.requires_grad
    assert not any(term.requires_grad for term in loss.terms.values())


def test_penalties_of_the_model_are_added(model, batch):
    plain = model.evidence(batch.x)
    penalties = {"commitment": torch.tensor(1.25)}
    evidence = Evidence(plain.px, plain.log_px_elements, plain.nodes, penalties)
    objective = Autoencoding()
    with_it, without = (
        objective(e, batch=batch, model=model, progress=Progress.end()) for e in (evidence, plain)
    )
    torch.testing.assert_close(with_it.total - without.total, torch.tensor(1.25).to(batch.x))
    assert with_it.terms["commitment"] == 1.25


def test_sparsity_of_a_model_without_codes_is_nothing(batch):
    px = Normal(torch.zeros(1, 7, 5), torch.ones(1, 7, 5))
    evidence = Evidence(px, px.log_prob_elements(batch.x), [])
    loss = Autoencoding(sparsity=2.0)(
        evidence, batch=batch, model=torch.nn.Identity(), progress=Progress.end()
    )
    torch.testing.assert_close(loss.total, evidence.distortion.mean())


def test_a_regularised_code_costs_half_its_squared_norm(model, batch):
    loss = loss_of(Autoencoding(code=0.3), model, batch)
    penalty = 0.5 * model.encode(batch.x).mean.square().sum(1).mean()
    torch.testing.assert_close(loss.total, distortion(model, batch.x) + 0.3 * penalty)


@pytest.fixture
def linear(dtype):
    """A decoder x̂ = W z + b."""
    spec = FlatVAE(latent_dim=3, encoder=MLP(hidden=()), posterior=Point())
    return spec.build(event_shape=(5,)).to(dtype)


def gradients_of(objective, model, batch):
    parameters = list(model.parameters())
    total = loss_of(objective, model, batch).total - loss_of(Autoencoding(), model, batch).total
    return torch.autograd.grad(total, parameters, materialize_grads=True)


@pytest.mark.parametrize(("penalty", "has_bias"), [("decay", True), ("smoothness", False)])
def test_of_a_linear_decoder_the_penalties_are_norms_of_its_weight(
    linear, batch, penalty, has_bias
):
    layer = linear.decoder.layers[0]
    loss = loss_of(Autoencoding(**{penalty: 0.2}), linear, batch)
    expected = layer.weight.square().sum() + has_bias * layer.bias.square().sum()
    torch.testing.assert_close(loss.terms[penalty], expected.detach())
    gradients = gradients_of(Autoencoding(**{penalty: 0.2}), linear, batch)
    for (name, parameter), found in zip(linear.named_parameters(), gradients, strict=True):
        counts = name == "decoder.layers.0.weight" or (has_bias and name.startswith("decoder"))
        torch.testing.assert_close(found, 0.4 * parameter.detach() * counts, atol=1e-6, rtol=1e-5)


def decoder_jacobian(model, x):
    """Mean over rows of the squared Frobenius norm of the decoder's Jacobian, row by row."""
    rows = [
        torch.autograd.functional.jacobian(
            lambda one: model.decode(one[None]).mean[0], code, create_graph=True
        )
        for code in model.encode(x).mean
    ]
    return torch.stack(rows).square().sum((1, 2)).mean()


def test_smoothness_is_the_exact_jacobian_norm_with_the_right_gradient(dtype, batch):
    spec = FlatVAE(latent_dim=3, encoder=MLP(hidden=(6,), activation="tanh"), posterior=Point())
    model = spec.build(event_shape=(5,)).to(dtype)
    objective = Autoencoding(smoothness=0.2)
    expected = decoder_jacobian(model, batch.x)
    torch.testing.assert_close(
        loss_of(objective, model, batch).terms["smoothness"], expected.detach()
    )
    theirs = torch.autograd.grad(0.2 * expected, list(model.parameters()), materialize_grads=True)
    for mine, other in zip(gradients_of(objective, model, batch), theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


def test_smoothness_can_be_measured_without_gradients_and_with_a_frozen_encoder(model, batch):
    expected = decoder_jacobian(model, batch.x).detach()
    with torch.no_grad():
        loss = loss_of(Autoencoding(smoothness=1.0), model, batch)
    torch.testing.assert_close(loss.terms["smoothness"], expected)
    model.encoder.requires_grad_(False)
    loss = loss_of(Autoencoding(smoothness=1.0), model, batch)
    torch.testing.assert_close(loss.terms["smoothness"], expected)


def test_smoothness_is_by_the_code_of_a_single_group(batch):
    spec = SemiSupervisedVAE(likelihood=Gaussian(scale=1.0), encoder=MLP(hidden=(6,)))
    model = spec.build(event_shape=(5,), context_dim=3).to(batch.x.dtype)
    batch.c = torch.zeros(7, 3).to(batch.x)
    with pytest.raises(ConfigError, match=r"single latent group.*2 latent groups.*smoothness"):
        loss_of(Autoencoding(smoothness=1.0), model, batch)


@pytest.mark.parametrize("penalty", ["contraction", "smoothness"])
def test_the_second_pass_leaves_running_statistics_alone(dtype, batch, penalty):
    def network(*sizes):
        return nn.Sequential(nn.Linear(*sizes), nn.BatchNorm1d(sizes[1]))

    spec = FlatVAE(latent_dim=3, encoder=network(5, 6), decoder=network(3, 5), posterior=Point())
    plain = spec.build(event_shape=(5,)).to(dtype)
    other = copy.deepcopy(plain)
    loss_of(Autoencoding(), plain, batch)
    loss = loss_of(Autoencoding(**{penalty: 0.1}), other, batch)
    for name, buffer in plain.named_buffers():
        torch.testing.assert_close(dict(other.named_buffers())[name], buffer, rtol=0, atol=0)
    loss.total.backward()
    assert all(p.grad is not None for p in other.parameters())


@pytest.mark.parametrize(
    ("penalty", "needs"),
    [
        ("contraction", "the model and the batch"),
        ("decay", "the model"),
        ("smoothness", "the model and the batch"),
    ],
)
def test_penalties_say_what_they_need(model, batch, penalty, needs):
    with pytest.raises(ConfigError, match=f"penalty '{penalty}' needs {needs}$|{needs}[^ ]"):
        Autoencoding(**{penalty: 1.0})(model.evidence(batch.x))


def test_negative_weights_are_refused():
    with pytest.raises(ConfigError, match="contraction: out of bounds"):
        Autoencoding(contraction=-1.0)
