"""The mixture prior in a model."""

import pytest
import torch

from vaekit.latents import MixtureOfNormals, Standard
from vaekit.models import FlatVAE
from vaekit.objectives import ELBO


def build(prior, **parts):
    torch.manual_seed(0)
    return FlatVAE(latent_dim=3, prior=prior, **parts).build(event_shape=(6,)).double()


def test_one_component_at_the_standard_normal_is_the_standard_prior():
    plain, mixed = build(Standard()), build(MixtureOfNormals(components=1, spread=0.0))
    mixed.load_state_dict(plain.state_dict(), strict=False)
    x, losses, gradients = torch.rand(20, 6).double(), [], []
    for model in (plain, mixed):
        torch.manual_seed(1)
        evidence = model.evidence(x, samples=2)
        loss = ELBO()(evidence)
        loss.total.backward()
        losses += [torch.stack([loss.total, evidence.elbo.mean(), evidence.log_weight.mean()])]
        gradients.append(model.posterior.head.weight.grad)
    torch.testing.assert_close(losses[0], losses[1], rtol=0, atol=1e-9)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=1e-9)


def test_means_are_spread_by_the_seed():
    one, same = build(MixtureOfNormals(components=500)), build(MixtureOfNormals(components=500))
    assert torch.equal(one.prior.loc, same.prior.loc)
    assert one.prior.loc.std().item() == pytest.approx(1.0, abs=0.05)
    wide = build(MixtureOfNormals(components=500, spread=3.0))
    torch.testing.assert_close(wide.prior.loc, 3 * one.prior.loc, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("objective", [ELBO(), ELBO(free_bits=1e-6), ELBO(samples=3)])
def test_everything_learns(objective):
    model = build(MixtureOfNormals(components=4))
    loss = objective(model.evidence(torch.rand(20, 6).double(), samples=objective.samples))
    loss.total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_the_rate_is_the_same_with_and_without_terms():
    model = build(MixtureOfNormals(components=4))
    node = model.evidence(torch.rand(20, 6).double(), samples=2).nodes[0]
    quick = node.kl
    assert node.kl_elements.shape == (2, 20, 3)
    torch.testing.assert_close(quick, node.kl_elements.sum(-1), rtol=1e-10, atol=1e-10)


def test_free_bits_of_each_dimension_see_each_dimension():
    evidence = build(MixtureOfNormals(components=4)).evidence(torch.rand(20, 6).double())
    assert ELBO(free_bits=0.1)(evidence).terms["kl"].shape == (3,)
    assert ELBO()(evidence).terms["kl"].shape == (1,)


def test_samples_come_from_the_mixture():
    model = build(MixtureOfNormals(components=2))
    with torch.no_grad():
        model.prior.loc.copy_(torch.tensor([[5.0, 5, 5], [-5, -5, -5]]))
        model.prior.log_scale.fill_(-3)
    z = model.sample_codes(400)
    assert z.shape == (400, 3)
    assert (z.abs() - 5).abs().max() < 1
    assert 150 < (z[:, 0] > 0).sum() < 250
