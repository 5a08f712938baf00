"""Poisson and negative binomial counts against SciPy."""

import math

import numpy as np
import pytest
import scipy.stats
import torch

from vaekit.distributions import NegativeBinomial, Poisson, row_noise, shared_noise
from vaekit.distributions.counts import gamma_quantile, poisson_quantile

MEANS = [1e-4, 0.3, 2.0, 40.0, 3e3]
DISPERSIONS = [1e-3, 0.12, 0.13, 1.0, 30.0]
PRECISIONS = [(torch.float64, 1e-9), (torch.float32, 2e-4)]


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def nbinom(mean, dispersion):
    return scipy.stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean))


def counts_around(mean, spread):
    return np.unique(np.linspace(0, mean + 8 * spread + 5, 40).round())


@pytest.mark.parametrize(("number", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("mean", MEANS)
def test_poisson_is_scipys(mean, number, tolerance):
    k = counts_around(mean, math.sqrt(mean))
    got = Poisson(f64(math.log(mean)).to(number)).log_prob_elements(torch.as_tensor(k).to(number))
    wanted = torch.as_tensor(scipy.stats.poisson(mean).logpmf(k)).to(number)
    scale = max(1.0, mean * math.log(mean))
    torch.testing.assert_close(got, wanted, rtol=tolerance, atol=scale * tolerance / 100)


@pytest.mark.parametrize(("number", "tolerance"), PRECISIONS)
@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("dispersion", DISPERSIONS)
def test_negative_binomial_is_scipys(mean, dispersion, number, tolerance):
    reference = nbinom(mean, dispersion)
    k = counts_around(mean, reference.std())
    density = NegativeBinomial(*(f64(math.log(v)).to(number) for v in (mean, dispersion)))
    got = density.log_prob_elements(torch.as_tensor(k).to(number))
    wanted = torch.as_tensor(reference.logpmf(k)).to(number)
    scale = max(1.0, k.max() * math.log(k.max() + 1))
    torch.testing.assert_close(got, wanted, rtol=tolerance, atol=scale * tolerance / 100)
    torch.testing.assert_close(density.mean, torch.full_like(density.mean, mean))
    deviation = torch.full_like(density.mean, reference.std())
    torch.testing.assert_close(density.stddev, deviation)


@pytest.mark.parametrize("dispersion", [1e-5, 0.1, 1.0, 10.0])
def test_masses_of_all_counts_sum_to_one(dispersion):
    k = torch.arange(20_000, dtype=torch.float64).unsqueeze(-1)
    for density in (Poisson(f64(1.5)), NegativeBinomial(f64(1.5), f64(math.log(dispersion)))):
        assert density.log_prob(k).exp().sum().item() == pytest.approx(1, abs=1e-10)


def test_without_dispersion_the_counts_are_poissons():
    k = torch.arange(60.0, dtype=torch.float64).unsqueeze(-1)
    poisson = Poisson(f64(math.log(9))).log_prob(k)
    gaps = [
        (NegativeBinomial(f64(math.log(9)), f64(math.log(a))).log_prob(k) - poisson).abs().max()
        for a in (1e-4, 1e-6, 1e-8)
    ]
    assert gaps[0] / gaps[1] == pytest.approx(100, rel=0.01)
    assert gaps[2] < 1e-4


def test_gradients_are_those_of_finite_differences():
    k = f64(0.0, 3.0, 200.0)
    parameters = [torch.randn(3).double().requires_grad_() for _ in range(2)]
    assert torch.autograd.gradcheck(
        lambda m, a: NegativeBinomial(m, a).log_prob_elements(k), parameters
    )
    assert torch.autograd.gradcheck(lambda m: Poisson(m).log_prob_elements(k), parameters[:1])


def test_quantiles_are_scipys():
    u = torch.rand(500, dtype=torch.float64)
    for rate in (0.0, 1e-3, 0.7, 12.0, 900.0):
        wanted = scipy.stats.poisson(rate).ppf(u.numpy())
        assert (poisson_quantile(u, f64(rate)).numpy() == wanted).all()
    for shape in (0.05, 1.0, 300.0):
        wanted = torch.as_tensor(scipy.stats.gamma(shape).ppf(u.numpy()))
        torch.testing.assert_close(gamma_quantile(u, f64(shape)), wanted, rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize("dispersion", [None, 0.05, 2.0])
def test_draws_have_the_masses(dispersion):
    """A χ² test over all counts with at least ten draws expected."""
    log_mean, n = f64(math.log(3)), 20_000
    if dispersion is None:
        density, reference = Poisson(log_mean), scipy.stats.poisson(3)
    else:
        density = NegativeBinomial(log_mean, f64(math.log(dispersion)))
        reference = nbinom(3, dispersion)
    draws = density.sample((n,)).flatten().numpy().astype(int)
    expected = n * reference.pmf(np.arange(200))
    expected = expected[: np.argmax(expected < 10)] if (expected < 10).any() else expected
    found = np.bincount(draws, minlength=200)[: len(expected)]
    rest = n - expected.sum()
    chi_square = ((found - expected) ** 2 / expected).sum() + (n - found.sum() - rest) ** 2 / rest
    assert chi_square < scipy.stats.chi2(len(expected)).ppf(1 - 1e-4)


def test_draws_go_through_the_noise_of_the_package():
    density = NegativeBinomial(torch.ones(3, 2), torch.zeros(()))
    with shared_noise(0):
        draws = density.sample((5,))
    assert (draws[:, 0] == draws[:, 2]).all()
    with row_noise(0, first=1, rows=1):
        alone = NegativeBinomial(torch.ones(1, 2), torch.zeros(())).sample((5,))
    with row_noise(0, first=0, rows=3):
        assert torch.equal(density.sample((5,))[:, 1:2], alone)
