"""Von Mises against SciPy and quadrature, and its draws against its distribution function."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch

from vaekit.distributions import VonMises, shared_noise

KAPPAS = [1e-3, 0.5, 4.0, 60.0, 1e3]
MEANS = [0.0, 0.2, 0.5, 0.97]


def density(kappa, mean, number=torch.float64):
    angle = 2 * math.pi * mean
    place = [[kappa * math.cos(angle)], [kappa * math.sin(angle)]]
    return VonMises(*torch.tensor(place, dtype=number))


def angles(x, mean):
    """x, or its like one turn away, about the mean."""
    return 2 * math.pi * ((x - mean + 0.5) % 1 - 0.5)


@pytest.mark.parametrize(("number", "atol"), [(torch.float64, 1e-9), (torch.float32, 1e-3)])
@pytest.mark.parametrize("kappa", KAPPAS)
@pytest.mark.parametrize("mean", MEANS)
def test_it_is_scipys(kappa, mean, number, atol):
    x = torch.linspace(0, 1, 41, dtype=number)
    wanted = scipy.stats.vonmises(kappa).logpdf(angles(x.double().numpy(), mean))
    got = density(kappa, mean, number).log_prob(x.unsqueeze(-1))
    assert got.dtype == number
    np.testing.assert_allclose(got, wanted + math.log(2 * math.pi), rtol=1e-6, atol=atol)


@pytest.mark.parametrize("kappa", [0.0, *KAPPAS])
@pytest.mark.parametrize("mean", MEANS)
def test_it_integrates_to_one_over_the_cycle(kappa, mean):
    p = density(kappa, mean)
    total, _ = scipy.integrate.quad(
        lambda x: p.log_prob(torch.tensor([x], dtype=torch.float64)).exp().item(),
        0,
        1,
        points=[mean],
    )
    assert total == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize("kappa", KAPPAS)
@pytest.mark.parametrize("mean", MEANS)
def test_the_mean_is_that_of_the_directions(kappa, mean):
    p = density(kappa, mean)
    assert angles(p.mean.item(), mean) == pytest.approx(0, abs=1e-9)
    x = torch.arange(20_000, dtype=torch.float64).unsqueeze(-1) / 20_000
    weight = p.log_prob(x).exp() / 20_000
    cosine, sine = ((weight * f(2 * math.pi * x[:, 0])).sum() for f in (torch.cos, torch.sin))
    assert math.hypot(cosine, sine) == pytest.approx(p.resultant.item(), abs=1e-9)
    place = math.atan2(sine, cosine) / (2 * math.pi)
    assert angles(p.mean.item(), place) == pytest.approx(0, abs=1e-6)


def test_a_mean_just_below_a_whole_turn_stays_in_the_cycle():
    p = VonMises(torch.ones(1), torch.tensor([-1e-9]))
    assert p.mean.item() == 0.0
    x = VonMises(torch.full((5_000,), 1e3), torch.full((5_000,), -1e-9)).sample()
    assert ((x >= 0) & (x < 1)).all()
    assert 0.4 < (x > 0.5).double().mean() < 0.6


@pytest.mark.parametrize("number", [torch.float32, torch.float64])
def test_gradients_are_finite_where_no_direction_is_preferred(number):
    parameters = [torch.zeros(3, dtype=number, requires_grad=True) for _ in range(2)]
    x = torch.tensor([0.0, 0.25, 0.6], dtype=number)
    p = VonMises(*parameters)
    score = torch.autograd.grad(p.log_prob_elements(x).sum(), parameters)
    wanted = [torch.cos(2 * math.pi * x), torch.sin(2 * math.pi * x)]
    torch.testing.assert_close(list(score), wanted)
    slope = torch.autograd.grad(p.mean.sum(), parameters)
    assert all(g.isfinite().all() for g in slope)


def test_gradients_are_those_of_finite_differences():
    parameters = [torch.randn(4).double().requires_grad_() for _ in range(2)]
    x = torch.rand(4).double()
    assert torch.autograd.gradcheck(lambda *v: VonMises(*v).log_prob_elements(x), parameters)


@pytest.mark.parametrize("kappa", KAPPAS)
def test_draws_follow_the_distribution_function(kappa):
    x = density(kappa, 0.97).sample((4_000,)).squeeze(-1).numpy()
    uniforms = scipy.stats.vonmises(kappa).cdf(angles(x, 0.97))
    assert scipy.stats.kstest(uniforms, "uniform").pvalue > 1e-3


def test_draws_of_many_elements_are_each_their_own():
    """More elements than a block holds: none gets the noise or the mean of another."""
    angle = 2 * math.pi * torch.rand(6, 1_000, dtype=torch.float64)
    p = VonMises(1e3 * angle.cos(), 1e3 * angle.sin())
    offset = angles(p.sample((3,)) - p.mean, 0.0)
    assert offset.abs().max() < 6 / math.sqrt(1e3)
    assert offset.unique().numel() == offset.numel()
    with shared_noise(0):
        together = p.sample((3,))
    with shared_noise(0):
        alone = VonMises(p.cosine[4:5], p.sine[4:5]).sample((3,))
    torch.testing.assert_close(together[:, 4:5], alone, rtol=0, atol=1e-12)
