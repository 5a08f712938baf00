"""The circular likelihood: the bound of its concentration, and a fit."""

import math

import numpy as np
import pytest
import scipy.stats
import torch

from vaekit.likelihoods import Circular


@pytest.mark.parametrize("number", [torch.float32, torch.float64])
@pytest.mark.parametrize("raw", [0.0, 1.0, 1e4, -1e4, 1e30])
def test_the_concentration_is_bounded_and_everything_stays_finite(raw, number):
    likelihood = Circular(most=500.0).build(event_shape=(2,))
    params = torch.full((3, 4), raw, dtype=number, requires_grad=True)
    px = likelihood(params)
    assert (px.concentration <= 500 * (1 + 1e-6)).all()
    log_prob = px.log_prob(torch.tensor([0.0, 0.4], dtype=number))
    (gradient,) = torch.autograd.grad(log_prob.sum(), params)
    assert log_prob.isfinite().all()
    assert gradient.isfinite().all()
    assert log_prob.dtype == number
    if abs(raw) >= 1e4:
        torch.testing.assert_close(
            px.concentration, torch.full_like(px.cosine, 500), rtol=1e-2, atol=0
        )


def test_far_below_the_bound_parameters_are_as_emitted():
    likelihood = Circular().build(event_shape=(2,))
    px = likelihood(torch.tensor([[3.0, -4.0, 1.0, 2.0]]))
    torch.testing.assert_close(px.cosine, torch.tensor([[3.0, -4.0]]), rtol=1e-4, atol=0)
    torch.testing.assert_close(px.sine, torch.tensor([[1.0, 2.0]]), rtol=1e-4, atol=0)


def test_midnight_has_one_value():
    likelihood = Circular().build(event_shape=(1,)).double()
    px = likelihood(torch.randn(5, 2, dtype=torch.float64))
    ends = [px.log_prob(torch.full((1,), v).double()) for v in (0.0, 1.0)]
    torch.testing.assert_close(*ends, rtol=1e-12, atol=1e-12)


def test_a_fit_finds_what_scipy_finds():
    angles = scipy.stats.vonmises(6.0, loc=3.0).rvs(2_000, random_state=np.random.default_rng(0))
    kappa, loc, _ = scipy.stats.vonmises.fit(angles, fscale=1)
    x = torch.as_tensor(angles / (2 * math.pi) % 1).unsqueeze(-1)
    likelihood = Circular(most=1e5).build(event_shape=(1,))
    params = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([params], max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = -likelihood(params).log_prob(x).mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    px = likelihood(params)
    assert px.concentration.item() == pytest.approx(kappa, rel=1e-3)
    assert px.mean.item() == pytest.approx(loc / (2 * math.pi) % 1, abs=1e-4)
