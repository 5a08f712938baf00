"""Poisson and negative binomial counts against SciPy."""

import math

import numpy as np
import pytest
import scipy.stats
import torch

from vaekit.distributions import NegativeBinomial, Poisson, row_noise, shared_noise
from vaekit.distributions.counts import gamma_quantile, poisson_quantile

MEANS = [1e-4, 0.3, 2.0, 40.0, 3e3, 1e5, 1e6, 3e6]
DISPERSIONS = [1e-3, 0.12, 0.13, 1.0, 30.0]
PRECISIONS = [(torch.float64, 1e-9, 1e-7), (torch.float32, 5e-5, 1e-5)]


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def nbinom(mean, dispersion):
    return scipy.stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean))


def logarithm(value, number):
    """log value as a tensor, and the value that its rounding stands for."""
    log = torch.tensor([math.log(value)], dtype=number)
    return log, log.double().exp().item()


def counts_around(mean, spread):
    """Up to the largest that single precision counts by ones."""
    counts = np.linspace(max(0, mean - 8 * spread), mean + 8 * spread + 5, 40).round()
    return np.unique([0, *counts[counts < 2**24]])


@pytest.mark.parametrize(("number", "rtol", "atol"), PRECISIONS)
@pytest.mark.parametrize("mean", MEANS)
def test_poisson_is_scipys(mean, number, rtol, atol):
    log_mean, mean = logarithm(mean, number)
    k = counts_around(mean, math.sqrt(mean))
    got = Poisson(log_mean).log_prob_elements(torch.as_tensor(k).to(number))
    np.testing.assert_allclose(got, scipy.stats.poisson(mean).logpmf(k), rtol=rtol, atol=atol)


@pytest.mark.parametrize(("number", "rtol", "atol"), PRECISIONS)
@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("dispersion", DISPERSIONS)
def test_negative_binomial_is_scipys(mean, dispersion, number, rtol, atol):
    (log_mean, mean), (log_dispersion, dispersion) = (
        logarithm(value, number) for value in (mean, dispersion)
    )
    reference = nbinom(mean, dispersion)
    k = counts_around(mean, reference.std())
    density = NegativeBinomial(log_mean, log_dispersion)
    got = density.log_prob_elements(torch.as_tensor(k).to(number))
    np.testing.assert_allclose(got, reference.logpmf(k), rtol=rtol, atol=atol)
    torch.testing.assert_close(density.mean, torch.full_like(density.mean, mean))
    torch.testing.assert_close(density.stddev, torch.full_like(density.mean, reference.std()))


@pytest.mark.parametrize("number", [torch.float64, torch.float32])
@pytest.mark.parametrize("log_mean", [-15.0, 15.0])
@pytest.mark.parametrize("log_dispersion", [-13.8, 0.0, 13.8])
def test_gradients_are_finite_at_the_bounds(log_mean, log_dispersion, number):
    k = torch.tensor([0.0, 1.0, 1e3, 1e7], dtype=number)
    parameters = [torch.full((4,), v, dtype=number) for v in (log_mean, log_dispersion)]
    for parameter in parameters:
        parameter.requires_grad_()
    poisson = Poisson(parameters[0]).log_prob_elements(k).sum()
    total = poisson + NegativeBinomial(*parameters).log_prob_elements(k).sum()
    gradients = torch.autograd.grad(total, parameters)
    assert all(gradient.isfinite().all() for gradient in (total, *gradients))


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
