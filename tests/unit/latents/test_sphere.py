"""Codes on the sphere: what the model makes of them, and what it refuses."""

import pytest
import torch

from vaekit.distributions import UniformSphere
from vaekit.errors import ConfigError
from vaekit.latents import VMF, Diagonal, UniformOnSphere
from vaekit.likelihoods import Bernoulli
from vaekit.metrics import score
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO


def model(latent_dim=3, **parts):
    parts = {"posterior": VMF(), "prior": UniformOnSphere(), **parts}
    return FlatVAE(
        latent_dim=latent_dim, encoder=MLP(hidden=(8,)), likelihood=Bernoulli(), **parts
    ).build(event_shape=(6,))


def test_parameters_are_unit_vectors_and_concentrations_above_the_floor():
    q = VMF(floor=2.0).build(features=8, latent_shape=(4,))(30 * torch.randn(50, 8))
    torch.testing.assert_close(q.loc.norm(dim=-1), torch.ones(50))
    assert q.concentration.min() >= 2
    assert q.concentration.max() > 4


def test_rows_do_not_mix_and_batches_are_single_precision():
    module, h = VMF().build(features=8, latent_shape=(4,)), torch.randn(5, 8)
    q, alone = module(h), module(h[2:3])
    assert q.mean.dtype == q.stddev.dtype == q.log_prob(q.rsample()).dtype == torch.float32
    torch.testing.assert_close(q.mean[2:3], alone.mean)
    torch.testing.assert_close(q.stddev[2:3], alone.stddev)


@pytest.mark.parametrize("samples", [1, 4])
def test_the_rate_is_the_closed_form_for_every_sample(samples):
    made, x = model(), torch.rand(5, 6).round()
    evidence = made.evidence(x, samples=samples)
    (node,) = evidence.nodes
    assert node.kl_elements.shape == (samples, 5, 1)
    drawn = made.evidence(x, samples=20_000).nodes[0]
    estimate = (drawn.log_q - drawn.log_p).mean(0)
    spread = (drawn.log_q - drawn.log_p).std(0) / 20_000**0.5
    assert ((node.kl[0] - estimate).abs() < 5 * spread + 1e-4).all()


def test_training_learns_direction_and_concentration():
    made, x = model(), torch.rand(64, 1).round().expand(64, 6).contiguous()
    optimiser = torch.optim.Adam(made.parameters(), lr=5e-2)
    before = score(made, x, samples=64).elbo.mean()
    for _ in range(80):
        optimiser.zero_grad()
        ELBO()(made.evidence(x)).total.backward()
        assert all(p.grad.isfinite().all() for p in made.parameters())
        optimiser.step()
    after = score(made, x, samples=64)
    assert after.elbo.mean() > before + 1
    assert after.rate.mean() > 0.4
    assert (after.log_marginal >= after.elbo).all()


def test_stopped_log_q_reaches_z_alone():
    made = model()
    (node,) = made.evidence(torch.rand(4, 6)).nodes
    leaf = node.z.detach().requires_grad_()
    q = node.q.detach()
    q.log_prob(leaf).sum().backward()
    assert leaf.grad.abs().sum() > 0
    assert not q.log_prob(leaf.detach()).requires_grad


def test_samples_of_the_prior_lie_on_the_sphere_and_are_not_scaled():
    made = model()
    torch.testing.assert_close(made.sample_codes(9).norm(dim=-1), torch.ones(9))
    with pytest.raises(ConfigError, match=r"live on the unit sphere, .*expected temperature = 1"):
        made.sample_codes(9, temperature=0.5)
    assert isinstance(made.prior(), UniformSphere)


def test_other_spaces_and_single_numbers_are_refused():
    with pytest.raises(ConfigError, match=r"different spaces.*over the unit sphere"):
        model(prior=FlatVAE().prior)
    with pytest.raises(ConfigError, match=r"different spaces.*over reals"):
        model(posterior=Diagonal())
    with pytest.raises(ConfigError, match=r"needs two dimensions; expected latent_dim of at"):
        model(latent_dim=1)
