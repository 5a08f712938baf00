"""Distribution functions against SciPy, in both tails."""

import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch

from vaekit.distributions import (
    Bernoulli,
    Categorical,
    Laplace,
    LogisticMixture,
    NegativeBinomial,
    Normal,
    Ordinal,
    Poisson,
    StandardNormal,
    StudentT,
)
from vaekit.distributions.beta import regularised_beta
from vaekit.errors import ConfigError

X = torch.tensor([-900.0, -35.0, -3.0, -0.4, 0.0, 1e-9, 0.7, 2.0, 9.0, 900.0], dtype=torch.float64)
COUNTS = torch.tensor([-3.0, -0.1, 0.0, 0.5, 1.0, 2.0, 7.0, 7.9, 40.0, 5e3]).double()
BETAS = [1e-3, 0.5, 1.0, 4.0, 300.0, 2e4, 5e5]


def f64(value):
    return torch.tensor(value, dtype=torch.float64)


def logs(value):
    return f64(math.log(value))


def close(got, wanted, rtol=1e-12, atol=0.0):
    np.testing.assert_allclose(np.asarray(got), wanted, rtol=rtol, atol=atol)


@pytest.mark.parametrize("loc", [-2.0, 0.3])
@pytest.mark.parametrize("scale", [0.05, 1.0, 30.0])
def test_location_and_scale(loc, scale):
    loc_, log_scale = f64(loc).expand(10), logs(scale)
    x = loc + scale * X / 30
    for density, reference in (
        (Normal(loc_, f64(scale)), scipy.stats.norm),
        (Laplace(loc_, log_scale), scipy.stats.laplace),
    ):
        close(density.cdf(x), reference(loc, scale).cdf(x), rtol=1e-11)
    for df in (1.01, 4.0, 250.0, 1e6):
        density = StudentT(loc_, log_scale, f64(df))
        close(density.cdf(x), scipy.stats.t(df, loc, scale).cdf(x), rtol=1e-8)


def test_standard_normal():
    close(StandardNormal(torch.zeros(10).double()).cdf(X / 30), scipy.stats.norm.cdf(X / 30))


@pytest.mark.parametrize("mean", [1e-3, 0.8, 12.0, 4e3])
def test_counts(mean):
    log_mean = logs(mean).expand(10)
    close(Poisson(log_mean).cdf(COUNTS), scipy.stats.poisson(mean).cdf(COUNTS), rtol=1e-10)
    for alpha in (1e-4, 0.3, 20.0):
        reference = scipy.stats.nbinom(1 / alpha, 1 / (1 + alpha * mean))
        density = NegativeBinomial(log_mean, logs(alpha))
        close(density.cdf(COUNTS), reference.cdf(COUNTS), rtol=1e-8)


def test_coins():
    logits = torch.linspace(-30, 30, 10).double()
    for value in (-0.1, 0.0, 0.4, 1.0, 2.0):
        wanted = scipy.stats.bernoulli(torch.sigmoid(logits).numpy()).cdf(value)
        close(Bernoulli(logits).cdf(f64(value)), wanted, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("a", BETAS)
@pytest.mark.parametrize("b", BETAS)
def test_the_incomplete_beta_function(a, b):
    middle, spread = a / (a + b), math.sqrt(a * b / (a + b + 1)) / (a + b)
    x = np.concatenate([[0, 1e-12, 0.5, 1], middle + spread * np.linspace(-5, 5, 9)])
    x = x[(x >= 0) & (x <= 1)]
    got = regularised_beta(f64(a), f64(b), torch.as_tensor(x), torch.as_tensor(1 - x))
    close(got, scipy.special.betainc(a, b, x), rtol=1e-9, atol=1e-14)


EVERY = {
    "normal": lambda p: Normal(p, p.exp()),
    "laplace": lambda p: Laplace(p, p),
    "student-t": lambda p: StudentT(p, p, 1.5 + p.exp()),
    "poisson": Poisson,
    "negative-binomial": lambda p: NegativeBinomial(p, p),
    "bernoulli": Bernoulli,
    "ordinal": lambda p: Ordinal(p, torch.tensor([[-1.0] * 3, [0.5] * 3]).to(p)),
    "logistic-mixture": lambda p: LogisticMixture(*(torch.stack([p, -p], -2) for _ in range(3))),
}


@pytest.mark.parametrize("build", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("number", [torch.float32, torch.float64])
def test_shapes_precision_and_order(build, number):
    density = build(torch.randn(2, 4, 3, dtype=number))
    values = torch.linspace(-4, 4, 33, dtype=number).view(33, 1, 1, 1).expand(33, 2, 4, 3)
    found = density.cdf(values)
    assert found.shape == values.shape
    assert found.dtype == number
    assert ((found >= 0) & (found <= 1)).all()
    assert (found.diff(dim=0) >= -1e-6).all()
    assert (found[-1] - found[0] > 0.01).all()
    close(density.cdf(values[7, 0, 0]), found[7], rtol=0)


@pytest.mark.parametrize("build", EVERY.values(), ids=EVERY)
def test_it_is_the_share_of_draws_below(build):
    density = build(torch.tensor([-0.5, 0.2, 1.0]).double())
    draws = density.sample((20_000,))
    for value in (-1.0, 0.0, 1.0):
        wanted = density.cdf(torch.full((3,), value).double())
        share = (draws <= value).double().mean(0)
        assert ((share - wanted).abs() < 4 * (wanted * (1 - wanted) / 20_000).sqrt() + 1e-9).all()


def test_categories_have_no_order():
    with pytest.raises(ConfigError, match="Categorical has no distribution function"):
        Categorical(torch.zeros(3, 2)).cdf(torch.zeros(2))
