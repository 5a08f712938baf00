"""The logistic mixture likelihood: its start from training rows, its floors, and two modes."""

import math

import pytest
import scipy.stats
import torch

from vaekit.errors import ConfigError
from vaekit.likelihoods import Gaussian, LogisticMixture
from vaekit.models import initialise
from vaekit.spec import from_json, spec_from_text, to_json


def start(spec, x):
    likelihood = spec.build(event_shape=x.shape[1:]).to(x.dtype)
    initialise(likelihood, x)
    return likelihood, likelihood(torch.zeros(1, *likelihood.params_shape, dtype=x.dtype))


@pytest.mark.parametrize("components", [1, 5, 40])
def test_zeros_stand_for_a_density_that_covers_the_rows(components):
    x = torch.tensor([1e3, -2.0]) + torch.tensor([50.0, 0.1]) * torch.randn(2_000, 2)
    x[::3, 0] = torch.nan
    _, px = start(LogisticMixture(components=components, floor=1e-6), x)
    seen = ~x[:, 0].isnan()
    wanted = torch.stack([x[seen, 0].std(), x[:, 1].std()])
    torch.testing.assert_close(px.stddev[0], wanted, rtol=2e-3, atol=0)
    centre = torch.stack([x[seen, 0].mean(), x[:, 1].mean()])
    torch.testing.assert_close(px.mean[0], centre, rtol=1e-3, atol=0)


def test_the_start_is_kept_once_made():
    likelihood, px = start(LogisticMixture(), 3 * torch.randn(500, 2))
    initialise(likelihood, 100 + torch.randn(500, 2))
    again = likelihood(torch.zeros(1, *likelihood.params_shape))
    torch.testing.assert_close(again.mean, px.mean, rtol=0, atol=0)


def test_constant_and_empty_columns_have_a_density():
    x = torch.tensor([7.0, torch.nan]).expand(50, 2)
    _, px = start(LogisticMixture(floor=(0.1, 0.2)), x)
    assert px.log_prob(torch.tensor([7.0, 0.0])).isfinite().all()
    assert px.stddev[0, 0] < 1
    assert px.mean[0, 0].item() == pytest.approx(7, abs=1e-5)


def test_each_column_keeps_its_floor():
    likelihood = LogisticMixture(components=2, floor=(0.5, 0.01)).build(event_shape=(2,))
    px = likelihood(torch.full((3, 12), -1e4))
    wanted = torch.tensor([0.5, 0.01]).expand(3, 2, 2)
    torch.testing.assert_close(px.log_scale.exp(), wanted, rtol=1e-5, atol=0)
    with pytest.raises(ConfigError, match=r"mixture\.floor: there must be one floor for each"):
        LogisticMixture(floor=(0.5, 0.01)).build(event_shape=(3,))


def test_floors_survive_json_and_text():
    spec = spec_from_text("logistic-mixture:components=3:floor=0.5,0.01", role="likelihood")
    assert spec == LogisticMixture(components=3, floor=(0.5, 0.01))
    assert from_json(to_json(spec)) == spec


@pytest.mark.parametrize("number", [torch.float32, torch.float64])
@pytest.mark.parametrize("raw", [-1e4, 1e4])
def test_extreme_outputs_of_the_decoder_have_finite_gradients(raw, number):
    likelihood = LogisticMixture().build(event_shape=(2,)).to(number)
    params = torch.full((4, 3, 30), raw, dtype=number, requires_grad=True)
    log_prob = likelihood(params).log_prob(torch.zeros(3, 2, dtype=number))
    (gradient,) = torch.autograd.grad(log_prob.sum(), params)
    assert log_prob.isfinite().all()
    assert gradient.isfinite().all()


def test_two_modes_are_worth_more_than_a_gaussian_can_have():
    """The log density of two narrow heaps, whose best is known: that of the heaps themselves."""
    side = torch.where(torch.arange(2_000) % 2 == 0, -1.0, 1.0).double()
    noise = torch.rand(2_000, dtype=torch.float64).logit()
    x = (side + 0.05 * noise).unsqueeze(-1)
    wanted = scipy.stats.logistic(side, 0.05).logpdf(x[:, 0]).mean() - math.log(2)
    likelihood, _ = start(LogisticMixture(components=2, floor=1e-4), x)
    params = torch.zeros(1, 6, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([params], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = -likelihood(params).log_prob(x).mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    found = -closure().item()
    assert found == pytest.approx(wanted, abs=0.005)
    single = Gaussian(scale=x.std().item()).build(event_shape=(1,))
    assert found > single(torch.zeros(1, 1).double()).log_prob(x).mean() + 0.5
