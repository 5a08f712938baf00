"""The second stage, where all is linear and Gaussian and so known exactly, and in models."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal

from vaekit.distributions import row_noise, shared_noise
from vaekit.errors import ConfigError
from vaekit.latents.posterior import LOG_SCALE_LIMIT
from vaekit.likelihoods import Gaussian
from vaekit.metrics import score
from vaekit.models import FlatVAE, SecondStage
from vaekit.networks import MLP

F64 = torch.float64
LINEAR = MLP(hidden=())
EXACT = {"rtol": 0, "atol": 1e-10}


def second_stage(samples=32, context_dim=0):
    """A prior over codes of 2 numbers with u of 3, and a posterior that is only roughly right."""
    torch.manual_seed(0)
    spec = SecondStage(latent_dim=3, encoder=LINEAR, samples=samples)
    prior = spec.build(latent_shape=(2,), context_dim=context_dim).double()
    set_posterior(prior.vae, torch.zeros(3, dtype=F64), torch.eye(3, dtype=F64))
    return prior


@torch.no_grad()
def set_posterior(vae, mean, covariance):
    """Give a linear VAE the exact posterior mean, and the largest of the exact deviations."""
    n = len(mean)
    layer, head = vae.decoder.layers[0], vae.posterior.head
    weight, given = layer.weight[:, :n], layer.weight[:, n:]
    precision = vae.likelihood(layer.bias).stddev[0] ** -2
    inverse = torch.linalg.inv(covariance)
    posterior = torch.linalg.inv(precision * weight.T @ weight + inverse)
    gain = precision * posterior @ weight.T
    head.weight[:n] = torch.cat([gain, -gain @ given], 1)
    head.weight[n:] = 0
    head.bias[:n] = posterior @ inverse @ mean - gain @ layer.bias
    log_scale = 0.5 * torch.linalg.eigvalsh(posterior)[-1].log()
    head.bias[n:] = LOG_SCALE_LIMIT * torch.atanh(log_scale / LOG_SCALE_LIMIT)


def exactly(prior, c=None):
    """p(z) of a linear second stage, N(b, WWᵀ + σ²I), where W may have columns for a context."""
    layer = prior.vae.decoder.layers[0]
    weight, given = layer.weight[:, :3], layer.weight[:, 3:]
    noise = prior.vae.likelihood(layer.bias).stddev
    loc = layer.bias if c is None else layer.bias + c @ given.T
    return MultivariateNormal(loc, weight @ weight.T + noise.square().diag())


@pytest.fixture
def z():
    return torch.randn(4, 2, generator=torch.Generator().manual_seed(1), dtype=F64)


@torch.no_grad()
def test_log_prob_rises_to_the_exact_one_with_k(z):
    exact = exactly(second_stage()).log_prob(z)
    one, ten = (second_stage(k)().log_prob(z.expand(2_000, 4, 2)) for k in (1, 10))
    assert (one.mean(0) < ten.mean(0) - 0.01).all()
    assert (ten.mean(0) < exact + 4 * ten.std(0) / math.sqrt(2_000)).all()
    torch.testing.assert_close(second_stage(20_000)().log_prob(z), exact, rtol=0, atol=0.03)


@torch.no_grad()
def test_its_exponential_has_the_density_as_expectation(z):
    prior = second_stage(samples=3)
    ratio = (prior().log_prob(z.expand(20_000, 4, 2)) - exactly(prior).log_prob(z)).exp()
    error = ratio.std(0) / math.sqrt(20_000)
    assert error.max() < 0.03
    assert ((ratio.mean(0) - 1).abs() < 4 * error).all()


@torch.no_grad()
def test_an_exact_posterior_leaves_no_gap(z):
    """With orthogonal columns the posterior of u is isotropic."""
    prior = SecondStage(latent_dim=2, encoder=LINEAR, likelihood=Gaussian(scale=0.5), samples=1)
    prior = prior.build(latent_shape=(2,)).double()
    layer = prior.vae.decoder.layers[0]
    layer.weight.copy_(torch.linalg.qr(layer.weight).Q)
    set_posterior(prior.vae, torch.zeros(2, dtype=F64), torch.eye(2, dtype=F64))
    exact = MultivariateNormal(layer.bias, 1.25 * torch.eye(2, dtype=F64))
    torch.testing.assert_close(prior().log_prob(z), exact.log_prob(z), rtol=0, atol=1e-6)


@torch.no_grad()
def test_draws_have_the_mean_and_the_covariance():
    prior = second_stage()
    p, exact = prior(), exactly(prior)
    drawn = p.sample((100_000,))
    torch.testing.assert_close(drawn.mean(0), exact.mean, rtol=0, atol=0.02)
    torch.testing.assert_close(drawn.T.cov(), exact.covariance_matrix, rtol=0, atol=0.03)
    torch.testing.assert_close(p.mean, exact.mean, **EXACT)  # the mean of a linear function
    fixed = p.stddev.square()
    assert ((fixed / exact.variance - 1).abs() < 4 * math.sqrt(2 / 32)).all()
    assert p.sample().shape == (2,)


@torch.no_grad()
def test_it_reads_the_context(z):
    prior, c = second_stage(5_000, context_dim=2), torch.eye(4, 2, dtype=F64)
    p = prior(c)
    assert p.batch_shape == (4,)
    torch.testing.assert_close(
        p.log_prob(z.expand(3, 4, 2)).mean(0), exactly(prior, c).log_prob(z), rtol=0, atol=0.1
    )
    torch.testing.assert_close(p.mean, exactly(prior, c).mean, **EXACT)
    assert p.log_prob(z[0]).shape == (4,)
    drawn = p.sample((20_000,))
    torch.testing.assert_close(drawn.mean(0), exactly(prior, c).mean, rtol=0, atol=0.05)
    with pytest.raises(ConfigError, match="needs a context"):
        prior()


@torch.no_grad()
@pytest.mark.parametrize("context_dim", [0, 2])
def test_the_noise_of_measurements(z, context_dim):
    prior = second_stage(samples=3, context_dim=context_dim)
    c, codes = torch.ones(4, context_dim, dtype=F64), z[:1].expand(2, 4, 2)

    def log_prob(rows=slice(None)):
        return prior(c[rows] if context_dim else None).log_prob(codes[:, rows])

    with shared_noise(0):
        shared = log_prob()
    torch.testing.assert_close(shared[:, :1].expand_as(shared), shared, **EXACT)
    assert not torch.allclose(shared[0], shared[1])
    with row_noise(0, first=0, rows=4):
        together = log_prob()
    assert together.unique().numel() == 8
    with row_noise(0, first=2, rows=2):
        torch.testing.assert_close(log_prob(slice(2, 4)), together[:, 2:], **EXACT)


def outer(samples):
    """A linear VAE of x over the linear second stage: p(x) is normal."""
    torch.manual_seed(2)
    prior = SecondStage(latent_dim=3, encoder=LINEAR, samples=samples)
    spec = FlatVAE(latent_dim=2, encoder=LINEAR, prior=prior, likelihood=Gaussian(scale=0.5))
    model = spec.build(event_shape=(3,)).double()
    set_posterior(model.prior.vae, torch.zeros(3, dtype=F64), torch.eye(3, dtype=F64))
    layer, p = model.decoder.layers[0], exactly(model.prior)
    set_posterior(model, p.mean, p.covariance_matrix)
    loc = (layer.weight @ p.mean + layer.bias).detach()
    spread = layer.weight @ p.covariance_matrix @ layer.weight.T + 0.25 * torch.eye(3, dtype=F64)
    return model, MultivariateNormal(loc, spread.detach())


def test_bounds_on_log_p_of_x_stay_bounds():
    """Even K = 1 leads to log p(x), with many codes z."""
    model, exact = outer(samples=1)
    x = exact.sample((300,))
    scores = score(model, x, samples=2_000, first_row=0)
    truth = exact.log_prob(x)
    torch.testing.assert_close(scores.log_marginal, truth, rtol=0, atol=0.05)
    few = score(model, x, samples=2, first_row=0).log_marginal
    assert scores.elbo.mean() < few.mean() < truth.mean()


@pytest.mark.parametrize("first_row", [None, 0])
def test_scores_do_not_depend_on_batch_mates(first_row):
    model, exact = outer(samples=4)
    x = exact.sample((7,))
    whole = score(model, x, samples=70, chunk=7, first_row=first_row)
    torch.random.manual_seed(5)
    parts = score(model, x, samples=70, chunk=3, first_row=first_row)
    torch.testing.assert_close(whole.log_marginal, parts.log_marginal, **EXACT)
    torch.testing.assert_close(whole.rate, parts.rate, **EXACT)


@pytest.mark.parametrize("context_dim", [0, 2])
def test_every_parameter_gets_a_gradient(z, context_dim):
    prior = second_stage(samples=3, context_dim=context_dim)
    c = torch.ones(4, 2, dtype=F64) if context_dim else None
    prior(c).log_prob(z).sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in prior.parameters())


def test_temperature_scales_draws_about_the_mean():
    model, _ = outer(samples=4)
    cold = model.sample_codes(20_000, temperature=0.1)
    warm = model.sample_codes(20_000)
    torch.testing.assert_close(cold.std(0), 0.1 * warm.std(0), rtol=0.05, atol=0)
    torch.testing.assert_close(cold.mean(0), model.prior().mean, rtol=0, atol=0.01)


def test_detached_it_holds_its_parameters_constant(z):
    prior, value = second_stage(), z.requires_grad_()
    p = prior().detach()
    p.log_prob(value).sum().backward()
    assert value.grad is not None
    assert all(parameter.grad is None for parameter in prior.parameters())
    with shared_noise(0):
        detached = p.log_prob(z)
    with shared_noise(0):
        torch.testing.assert_close(prior().log_prob(z), detached, **EXACT)


def test_a_scale_that_is_a_batch_statistic_is_refused():
    with pytest.raises(ConfigError, match=r"prior/vae\.likelihood\.scale: .*scale=shared"):
        SecondStage(likelihood=Gaussian())
