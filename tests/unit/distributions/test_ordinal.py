"""Ordered levels against SciPy's logistic distribution, and draws against their masses."""

import numpy as np
import pytest
import scipy.stats
import torch

from vaekit.distributions import Ordinal, shared_noise

CUTS = [-3.0, -0.5, 0.5, 4.0]


def density(*batch, number=torch.float64, etas=(-2.0, 0.3, 5.0)):
    """Three columns with the same cutpoints, shifted."""
    cutpoints = torch.tensor(CUTS, dtype=number).unsqueeze(-1) + torch.arange(3).to(number) / 10
    return Ordinal(torch.tensor(etas, dtype=number).expand(*batch, 3), cutpoints)


def masses(eta, cutpoints):
    """By SciPy, each difference from the tail that loses fewer digits."""
    lower = np.concatenate([[-np.inf], cutpoints])
    upper = np.concatenate([cutpoints, [np.inf]])
    reference = scipy.stats.logistic(eta)
    right = lower > eta
    return np.where(
        right,
        reference.sf(lower) - reference.sf(upper),
        reference.cdf(upper) - reference.cdf(lower),
    )


@pytest.mark.parametrize("eta", [-40.0, -2.0, 0.0, 0.45, 40.0])
def test_it_is_scipys(eta):
    p = density(etas=(eta,) * 3)
    levels = torch.arange(5.0).double()
    for column in range(3):
        cutpoints = np.array(CUTS) + column / 10
        wanted = masses(eta, cutpoints)
        got = p.log_prob_elements(levels.unsqueeze(-1).expand(5, 3))[:, column]
        np.testing.assert_allclose(got, np.log(wanted), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(p.probs[:, column], wanted, rtol=1e-10)
        mean = (wanted * np.arange(5)).sum()
        assert p.mean[column].item() == pytest.approx(mean, rel=1e-10)
        spread = np.sqrt((wanted * (np.arange(5) - mean) ** 2).sum())
        assert p.stddev[column].item() == pytest.approx(spread, rel=1e-6)
        assert p.mode[column].item() == wanted.argmax()


@pytest.mark.parametrize("value", [-1.0, -0.5, 0.0, 1.0, 2.5, 4.0, 9.0])
def test_the_distribution_function_adds_up_the_masses(value):
    p = density(7)
    wanted = sum((p.probs[:, j] for j in range(5) if j <= value), torch.zeros(7, 3))
    torch.testing.assert_close(p.cdf(torch.full((3,), value).double()), wanted.double())


def test_two_levels_are_a_coin():
    eta, cut = torch.randn(9, 2, dtype=torch.float64), torch.tensor([[0.3, -1.0]]).double()
    p = Ordinal(eta, cut)
    logits = (eta - cut).numpy()
    for level, sign in ((1.0, 1), (0.0, -1)):
        got = p.log_prob_elements(torch.full((2,), level))
        np.testing.assert_allclose(got, scipy.stats.logistic.logcdf(sign * logits), rtol=1e-12)


@pytest.mark.parametrize(("number", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("eta", [-1e4, -50.0, 0.0, 50.0, 1e4])
def test_masses_sum_to_one_and_gradients_are_finite_far_out(eta, number, tolerance):
    cutpoints = torch.tensor([-1e3, 0.0, 1e-4, 2e-4, 1e3], dtype=number).unsqueeze(-1)
    parameters = [torch.full((1, 1), eta, dtype=number), cutpoints]
    for parameter in parameters:
        parameter.requires_grad_()
    log_mass = Ordinal(*parameters).log_prob_elements(torch.arange(6).to(number).unsqueeze(-1))
    assert log_mass.isfinite().all()
    assert log_mass.exp().sum().item() == pytest.approx(1, abs=tolerance)
    assert all(g.isfinite().all() for g in torch.autograd.grad(log_mass.sum(), parameters))


def test_cutpoints_that_rounding_merged_keep_masses_and_gradients_finite():
    cutpoints = torch.full((3, 1), 1e4, requires_grad=True)
    log_mass = Ordinal(torch.zeros(1, 1), cutpoints).log_prob(torch.arange(4.0).unsqueeze(-1))
    (gradient,) = torch.autograd.grad(log_mass.sum(), cutpoints)
    assert log_mass.isfinite().all()
    assert gradient.isfinite().all()


def test_gradients_are_those_of_finite_differences():
    p, x = density(2), torch.tensor([[0.0, 2.0, 4.0], [1.0, 3.0, 0.0]]).double()
    parameters = [v.clone().requires_grad_() for v in (p.eta, p.cutpoints)]
    assert torch.autograd.gradcheck(lambda *v: Ordinal(*v).log_prob_elements(x), parameters)
    assert torch.autograd.gradcheck(lambda *v: Ordinal(*v).probs, parameters)


def test_draws_have_the_masses():
    p, n = density(), 20_000
    draws = p.sample((n,)).numpy()
    for column in range(3):
        expected = n * p.probs[:, column].numpy()
        found = np.bincount(draws[:, column].astype(int), minlength=5)
        chi_square = ((found - expected) ** 2 / expected).sum()
        assert chi_square < scipy.stats.chi2(4).ppf(1 - 1e-4)


def test_draws_go_through_the_noise_of_the_package():
    with shared_noise(0):
        draws = density(4).sample((6,))
    assert draws.shape == (6, 4, 3)
    assert (draws[:, 0] == draws[:, 3]).all()


def test_an_event_may_have_several_axes():
    p = density(6)
    wide = Ordinal(p.eta.view(3, 2, 3), p.cutpoints.unsqueeze(1).expand(4, 2, 3), event_dims=2)
    x = torch.randint(5, (3, 2, 3)).double()
    torch.testing.assert_close(
        wide.log_prob(x), p.log_prob(x.view(6, 3)).view(3, 2).sum(-1), rtol=1e-12, atol=0
    )
    assert wide.probs.shape == (3, 5, 2, 3)
    torch.testing.assert_close(wide.mode.view(6, 3), p.mode)
