"""Student's t against SciPy, and its draws against its distribution function."""

import math

import pytest
import scipy.stats
import torch

from vaekit.distributions import Normal, StudentT

DF = [1.01, 2.0, 5.0, 300.0]


def density(df, n=5):
    loc, log_scale = torch.randn(2, n, 3, dtype=torch.float64)
    return StudentT(loc, log_scale, torch.tensor(df, dtype=torch.float64))


@pytest.mark.parametrize("df", DF)
def test_it_is_scipys(df):
    p, x = density(df), 5 * torch.randn(5, 3, dtype=torch.float64)
    reference = scipy.stats.t(df, p.loc.numpy(), p.log_scale.exp().numpy())
    wanted = torch.as_tensor(reference.logpdf(x.numpy()))
    torch.testing.assert_close(p.log_prob_elements(x), wanted, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(p.stddev, torch.as_tensor(reference.std()), rtol=1e-10, atol=0)


@pytest.mark.parametrize("df", [*DF, 1e4, 1e6])
def test_single_precision_is_enough(df):
    """Differences of log Γ(ν/2), 6e6 at ν = 1e6, are lost where they are taken of whole values."""
    df = torch.tensor(df, requires_grad=True)
    p, x = StudentT(torch.zeros(5, 1), torch.zeros(()), df), torch.linspace(-3, 3, 5).unsqueeze(-1)
    wanted = torch.as_tensor(scipy.stats.t(df.item()).logpdf(x.numpy())).float()
    torch.testing.assert_close(p.log_prob_elements(x), wanted, rtol=1e-6, atol=1e-6)


def test_with_many_degrees_of_freedom_it_is_normal():
    p, x = density(1e6), torch.randn(5, 3, dtype=torch.float64)
    wanted = Normal.from_log_scale(p.loc, p.log_scale).log_prob(x)
    torch.testing.assert_close(p.log_prob(x), wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("df", DF)
def test_draws_follow_the_distribution_function(df):
    p = density(df, 1)
    draws = p.rsample((4_000,))
    reference = scipy.stats.t(df, p.loc.numpy(), p.log_scale.exp().numpy())
    uniforms = reference.cdf(draws.numpy())
    for i in range(3):
        assert scipy.stats.kstest(uniforms[:, 0, i], "uniform").pvalue > 1e-3


def test_draws_carry_the_gradient_of_their_moments():
    """E|t| = 2 √ν Γ((ν+1)/2) / (√π Γ(ν/2) (ν−1)) at scale 1: its derivative in ν, by draws."""

    def absolute(df):
        gammas = torch.lgamma((df + 1) / 2) - torch.lgamma(df / 2)
        return 2 * df.sqrt() * gammas.exp() / (math.sqrt(math.pi) * (df - 1))

    df = torch.tensor(6.0, dtype=torch.float64, requires_grad=True)
    (wanted,) = torch.autograd.grad(absolute(df), df)
    many = df.expand(40_000).clone().detach().requires_grad_()
    zeros = torch.zeros(40_000, dtype=torch.float64)
    draws = StudentT(zeros, zeros, many).rsample().abs()
    (each,) = torch.autograd.grad(draws.sum(), many)
    error = each.std() / math.sqrt(len(each))
    assert abs(each.mean() - wanted) < 4 * error
    assert error < abs(wanted) / 10


def test_gradients_are_those_of_finite_differences():
    p, x = density(3.0, 2), torch.randn(2, 3, dtype=torch.float64)
    parameters = [v.detach().requires_grad_() for v in (p.loc, p.log_scale, p.df)]
    assert torch.autograd.gradcheck(
        lambda *given: StudentT(*given).log_prob_elements(x), parameters
    )
