"""Posteriors and priors: shapes, covariances, bounds on scales, dependence on the context."""

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from vaekit.distributions import StandardNormal
from vaekit.errors import ConfigError
from vaekit.latents import ConditionalNormal, Diagonal, Full, Point, Standard

POSTERIORS = [Diagonal(), Full(), Point()]


def posterior(spec, n=3, features=8):
    return spec.build(features=features, latent_shape=(n,)).double()


def features(rows=5, spread=1.0):
    return spread * torch.randn(rows, 8, dtype=torch.float64)


@pytest.mark.parametrize("spec", POSTERIORS, ids=lambda s: s.kind)
@pytest.mark.parametrize("n", [1, 4])
def test_shapes(spec, n):
    q = posterior(spec, n)(features())
    assert q.mean.shape == q.stddev.shape == (5, n)
    assert q.rsample((7,)).shape == (7, 5, n)


@pytest.mark.parametrize("spec", POSTERIORS, ids=lambda s: s.kind)
def test_rows_do_not_mix(spec):
    module, h = posterior(spec), features()
    torch.testing.assert_close(module(h).mean[2:3], module(h[2:3]).mean, rtol=0, atol=1e-14)
    torch.testing.assert_close(module(h).stddev[2:3], module(h[2:3]).stddev, rtol=0, atol=1e-14)


def test_only_the_point_posterior_has_no_density():
    assert [posterior(spec).has_density for spec in POSTERIORS] == [True, True, False]


@pytest.mark.parametrize("spread", [1e3, -1e3])
def test_diagonal_scales_are_bounded(spread):
    q = posterior(Diagonal())(features(spread=spread).abs() * spread)
    assert (q.log_scale.abs() <= 10).all()
    assert q.scale.isfinite().all()


def test_small_log_scales_pass_almost_unchanged():
    module = posterior(Diagonal(), 1)
    with torch.no_grad():
        module.head.weight.zero_()
        module.head.bias.copy_(torch.tensor([0.0, -0.5]))
    assert module(features()).log_scale[0].item() == pytest.approx(-0.5, abs=1e-3)


def test_full_factor_is_lower_triangular_with_a_positive_diagonal():
    q = posterior(Full(floor=1e-3), 4)(features(spread=50))
    assert q.scale_tril.triu(1).abs().max() == 0
    assert (q.scale_tril.diagonal(dim1=-2, dim2=-1) >= 1e-3).all()
    assert (q.scale_tril.tril(-1) != 0).sum() == 5 * 6


def test_every_entry_of_the_factor_has_its_own_output():
    module = posterior(Full(), 3)
    jacobian = torch.autograd.functional.jacobian(
        lambda bias: module._lower_triangle(bias.expand(1, -1)).tril()[0], torch.zeros(6).double()
    )
    by_entry = jacobian[torch.tril_indices(3, 3).unbind()]
    torch.testing.assert_close(by_entry, torch.eye(6).double())


def test_a_wide_factor_begins_near_its_diagonal():
    """Many small entries in a row must not add up: the posterior would begin far too wide."""
    q = posterior(Full(), 64)(features())
    scales = q.scale_tril.square().sum(-1).sqrt()
    diagonal = q.scale_tril.diagonal(dim1=-2, dim2=-1)
    assert (scales < 1.5 * diagonal).all()


def test_full_kl_elements_sum_to_that_of_the_multivariate_normal():
    q = posterior(Full(), 4)(features())
    elements = q.kl_elements(StandardNormal(torch.zeros(4).double()))
    reference = MultivariateNormal(q.loc, scale_tril=q.scale_tril)
    standard = MultivariateNormal(torch.zeros(4).double(), torch.eye(4).double())
    wanted = kl_divergence(reference, standard)
    torch.testing.assert_close(elements.sum(-1), wanted, rtol=1e-10, atol=1e-10)


def test_a_diagonal_posterior_on_a_correlated_normal_loses_half_log_one_minus_rho_squared():
    """The best factorised q of N(0, [[1, ρ], [ρ, 1]]) has KL −½ log(1 − ρ²); the full q has 0."""
    rho = 0.8
    covariance = torch.tensor([[1, rho], [rho, 1]]).double()
    target = MultivariateNormal(torch.zeros(2).double(), covariance)
    gaps = {}
    for spec in (Diagonal(), Full()):
        module, h = posterior(spec, 2), torch.ones(1, 8).double()
        gaps[spec.kind] = _smallest_kl(module, h, target)
    wanted = -0.5 * torch.log(1 - torch.tensor(rho).double() ** 2).item()
    assert gaps["posterior/diagonal"] == pytest.approx(wanted, abs=1e-9)
    assert gaps["posterior/full"] == pytest.approx(0, abs=1e-9)


def _smallest_kl(module, h, target):
    optimiser = torch.optim.LBFGS(
        module.parameters(), max_iter=200, tolerance_grad=1e-10, line_search_fn="strong_wolfe"
    )

    def kl():
        q = module(h)
        tril = q.scale_tril if hasattr(q, "scale_tril") else torch.diag_embed(q.scale)
        return kl_divergence(MultivariateNormal(q.loc, scale_tril=tril), target).sum()

    def closure():
        optimiser.zero_grad()
        loss = kl()
        loss.backward()
        return loss

    optimiser.step(closure)
    return kl().item()


@pytest.mark.parametrize("spec", POSTERIORS, ids=lambda s: s.kind)
def test_parameters_of_a_density_are_never_in_half_precision(spec):
    module = spec.build(features=8, latent_shape=(3,))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        q = module(torch.randn(5, 8))
    assert q.mean.dtype == q.stddev.dtype == torch.float32


# --- priors ------------------------------------------------------------------------------------


def test_standard_prior():
    prior = Standard().build(latent_shape=(3,)).double()
    assert prior().mean.dtype == torch.float64
    assert not list(prior.parameters())
    z = torch.randn(7, 5, 3).double()
    wanted = MultivariateNormal(torch.zeros(3).double(), torch.eye(3).double()).log_prob(z)
    torch.testing.assert_close(prior().log_prob(z), wanted)


@pytest.mark.parametrize("hidden", [(), (16,)])
def test_conditional_prior_starts_as_standard_and_learns(hidden):
    prior = ConditionalNormal(hidden=hidden).build(latent_shape=(3,), context_dim=2)
    c = torch.randn(5, 2)
    p = prior(c)
    assert p.mean.shape == p.scale.shape == (5, 3)
    assert p.mean.abs().max() == 0
    assert (p.scale == 1).all()
    p.log_prob(torch.ones(5, 3)).sum().backward()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    assert prior(c).mean.unique(dim=0).shape == (5, 3)


def test_conditional_prior_needs_a_context():
    with pytest.raises(
        ConfigError, match=r"conditional-normal: .*needs a context. Give the model"
    ):
        ConditionalNormal().build(latent_shape=(3,))
    prior = ConditionalNormal().build(latent_shape=(3,), context_dim=2)
    with pytest.raises(ConfigError, match=r"this prior needs a context. Pass c"):
        prior()
