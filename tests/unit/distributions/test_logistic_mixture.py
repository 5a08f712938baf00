"""Mixtures for each element against sums of SciPy's logistic densities and quadrature."""

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch

from vaekit.distributions import LogisticMixture, shared_noise


def density(*batch, components=3, columns=2, number=torch.float64):
    parts = torch.randn(3, *batch, components, columns, dtype=number)
    return LogisticMixture(parts[0], 3 * parts[1], 0.5 * parts[2])


def parts(p, column):
    """Weights, and SciPy's frozen densities, of one column of a mixture without a batch."""
    arrays = (p.weights, p.loc, p.log_scale.exp())
    w, loc, scale = (part[:, column].numpy() for part in arrays)
    return w, [scipy.stats.logistic(m, s) for m, s in zip(loc, scale, strict=True)]


@pytest.mark.parametrize("components", [1, 3, 20])
def test_it_is_a_sum_of_scipys(components):
    p = density(components=components)
    x = torch.linspace(-15, 15, 60, dtype=torch.float64).unsqueeze(-1).expand(60, 2)
    for column in range(2):
        w, each = parts(p, column)
        at = x[:, column].numpy()
        pdf = sum(a * b.pdf(at) for a, b in zip(w, each, strict=True))
        cdf = sum(a * b.cdf(at) for a, b in zip(w, each, strict=True))
        np.testing.assert_allclose(p.log_prob_elements(x)[:, column], np.log(pdf), rtol=1e-10)
        np.testing.assert_allclose(p.cdf(x)[:, column], cdf, rtol=1e-10)


@pytest.mark.parametrize("column", [0, 1])
def test_moments_and_the_whole_mass_by_quadrature(column):
    p = density()

    def moment(power, centre=0.0):
        def weighed(x):
            at = torch.full((2,), x, dtype=torch.float64)
            return (x - centre) ** power * p.log_prob_elements(at)[column].exp().item()

        return scipy.integrate.quad(weighed, -200, 200, points=p.loc[:, column], limit=400)[0]

    mean = p.mean[column].item()
    assert moment(0) == pytest.approx(1, abs=1e-8)
    assert moment(1) == pytest.approx(mean, abs=1e-7)
    assert moment(2, mean) ** 0.5 == pytest.approx(p.stddev[column].item(), rel=1e-7)


@pytest.mark.parametrize("number", [torch.float32, torch.float64])
@pytest.mark.parametrize("log_scale", [-18.0, 0.0, 80.0])
@pytest.mark.parametrize("far", [0.0, 1e4])
def test_everything_stays_finite_far_out(number, log_scale, far):
    logits = torch.tensor([[-1e4], [0.0], [1e4]], dtype=number)
    loc = torch.tensor([[-far], [0.0], [far]], dtype=number)
    parameters = [logits, loc, torch.full((3, 1), log_scale, dtype=number)]
    for parameter in parameters:
        parameter.requires_grad_()
    x = torch.tensor([[-1e4], [0.0], [1e4]], dtype=number)
    p = LogisticMixture(*parameters)
    log_prob = p.log_prob_elements(x)
    gradients = torch.autograd.grad(log_prob.sum(), parameters)
    assert all(part.isfinite().all() for part in (log_prob, p.cdf(x), p.mean, *gradients))


def test_gradients_are_those_of_finite_differences():
    p, x = density(2), torch.randn(2, 2, dtype=torch.float64)
    parameters = [v.clone().requires_grad_() for v in (p.logits, p.loc, p.log_scale)]
    assert torch.autograd.gradcheck(
        lambda *v: LogisticMixture(*v).log_prob_elements(x), parameters
    )


def test_draws_follow_the_distribution_function():
    p = density()
    draws = p.sample((4_000,))
    for column in range(2):
        uniforms = p.cdf(draws)[:, column].numpy()
        assert scipy.stats.kstest(uniforms, "uniform").pvalue > 1e-3
    assert scipy.stats.spearmanr(*draws.T.numpy()).pvalue > 1e-3  # columns are independent


def test_draws_go_through_the_noise_of_the_package():
    p = density()
    wide = LogisticMixture(*(v.expand(4, 3, 2) for v in (p.logits, p.loc, p.log_scale)))
    with shared_noise(0):
        draws = wide.sample((6,))
    assert draws.shape == (6, 4, 2)
    assert (draws[:, 0] == draws[:, 3]).all()
    assert draws.unique().numel() == 12


def test_an_event_may_have_several_axes():
    p = density(6, columns=4)
    wide = LogisticMixture(
        *(v.view(6, 3, 2, 2) for v in (p.logits, p.loc, p.log_scale)), event_dims=2
    )
    x = torch.randn(5, 6, 2, 2, dtype=torch.float64)
    torch.testing.assert_close(wide.log_prob(x), p.log_prob(x.flatten(2)), rtol=1e-12, atol=0)
    assert wide.sample((5,)).shape == x.shape
