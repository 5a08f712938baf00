"""The ordinal likelihood: cutpoints from frequencies, and what a regression makes of them."""

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import torch

from vaekit.likelihoods import Ordinal
from vaekit.models import initialise


def test_cutpoints_start_at_the_frequencies_of_the_levels():
    counts = [[100, 500, 200, 200], [1, 0, 998, 1]]
    columns = [np.random.default_rng(0).permutation(np.repeat(range(4), c)) for c in counts]
    x = torch.tensor(np.stack(columns, 1), dtype=torch.float32)
    x = torch.cat([x, torch.full((300, 2), torch.nan)])
    likelihood = Ordinal(levels=4).build(event_shape=(2,))
    initialise(likelihood, x)
    probs = likelihood(torch.zeros(1, 2)).probs[0].detach()
    wanted = (torch.tensor(counts).float() + 0.5).T / 1002
    torch.testing.assert_close(probs, wanted, rtol=1e-4, atol=1e-7)
    initialise(likelihood, torch.zeros(50, 2))
    torch.testing.assert_close(likelihood(torch.zeros(1, 2)).probs[0].detach(), probs)


@pytest.mark.parametrize("levels", [2, 3, 300])
def test_without_rows_all_levels_are_as_likely(levels):
    likelihood = Ordinal(levels=levels).build(event_shape=(1, 2, 2)).double()
    px = likelihood(torch.zeros(1, 1, 2, 2).double())
    torch.testing.assert_close(
        px.probs.detach(), torch.full((1, levels, 1, 2, 2), 1 / levels).double(), rtol=1e-4, atol=0
    )


def test_levels_never_seen_keep_a_mass():
    x = torch.tensor([0.0, 999.0]).repeat(1_000)[:, None]
    likelihood = Ordinal(levels=1_000).build(event_shape=(1,))
    initialise(likelihood, x)
    levels = torch.arange(1_000.0)[:, None]
    log_mass = likelihood(torch.zeros(1_000, 1)).log_prob(levels)
    assert log_mass.isfinite().all()
    assert log_mass.exp().sum().item() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("raw", [-1e4, 1e4])
def test_cutpoints_increase_whatever_is_learned(raw):
    likelihood = Ordinal(levels=5).build(event_shape=(2,))
    likelihood.raw_cutpoints.data[1:].fill_(raw)
    assert (likelihood.cutpoints.diff(dim=0) > 0).all()
    log_mass = likelihood(torch.zeros(5, 2)).log_prob(torch.arange(5.0)[:, None].expand(5, 2))
    (gradient,) = torch.autograd.grad(log_mass.sum(), likelihood.raw_cutpoints)
    assert gradient.isfinite().all()


def test_a_regression_finds_the_maximum_that_scipy_finds():
    """One slope and three cutpoints by LBFGS, and by SciPy from sigmoids written out."""
    rng = np.random.default_rng(0)
    predictor = rng.normal(size=400)
    draw = 1.5 * predictor + rng.logistic(size=400)
    y = np.searchsorted([-1.0, 0.0, 2.0], draw)

    def nll(v):
        theta = np.concatenate([[-np.inf], v[0] + np.concatenate([[0], np.exp(v[1:3]).cumsum()])])
        theta = np.concatenate([theta, [np.inf]])
        upper, lower = (scipy.special.expit(theta[y + k] - v[3] * predictor) for k in (1, 0))
        return -np.log(upper - lower).mean()

    wanted = scipy.optimize.minimize(nll, np.zeros(4), tol=1e-10)
    likelihood = Ordinal(levels=4).build(event_shape=(1,)).double()
    x, h = (torch.as_tensor(v, dtype=torch.float64).unsqueeze(-1) for v in (y, predictor))
    initialise(likelihood, x)
    slope = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [slope, likelihood.raw_cutpoints], max_iter=200, line_search_fn="strong_wolfe"
    )

    def closure():
        optimiser.zero_grad()
        loss = -likelihood(slope * h).log_prob(x).mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    assert closure().item() == pytest.approx(wanted.fun, abs=1e-6)
    assert slope.item() == pytest.approx(wanted.x[3], abs=1e-3)
    assert likelihood.cutpoints[0].item() == pytest.approx(wanted.x[0], abs=1e-3)
