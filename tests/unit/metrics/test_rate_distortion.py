"""Rates by dimension against torch.distributions, and active units on codes made by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vaekit.errors import ConfigError, DataError
from vaekit.latents import IAF, MixtureOfNormals, Point
from vaekit.metrics import (
    active_units,
    frontier,
    posterior_means,
    rate_by_dimension,
    rate_distortion,
    score,
)
from vaekit.models import FlatVAE
from vaekit.networks import MLP

F64 = torch.float64


class Data:
    """Rows in memory."""

    def __init__(self, x, y=None):
        self.x, self.y = x, y

    def batches(self, size, train=False):
        assert not train
        for start in range(0, len(self.x), size):
            rows = slice(start, start + size)
            y = None if self.y is None else self.y[rows]
            yield SimpleNamespace(x=self.x[rows], y=y, c=None)


@pytest.fixture
def x():
    return torch.randn(11, 6, dtype=F64)


@pytest.fixture
def model():
    return FlatVAE(latent_dim=3, encoder=MLP(hidden=(8,))).build(event_shape=(6,)).double()


def test_rate_by_dimension_equals_torch(model, x):
    q = model.encode(x)
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(q.mean, q.stddev),
        torch.distributions.Normal(torch.zeros(3, dtype=F64), torch.ones(3, dtype=F64)),
    ).mean(0)
    (found,) = rate_by_dimension(model, x)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-12, atol=1e-12)
    total = score(model, x, samples=2).rate.mean()
    torch.testing.assert_close(found.sum(), total, rtol=1e-12, atol=1e-12)


def test_rate_by_dimension_refuses_an_autoencoder(x):
    model = FlatVAE(posterior=Point(), encoder=MLP(hidden=(4,))).build(event_shape=(6,))
    with pytest.raises(ConfigError, match="no likelihood of the data"):
        rate_by_dimension(model, x)


def sampled(part):
    """An untrained model whose KL has no closed form, and rows for it."""
    parts = {
        "mixture": {"prior": MixtureOfNormals(components=5, spread=2.0)},
        "iaf": {"posterior": IAF()},
    }[part]
    torch.manual_seed(3)
    spec = FlatVAE(latent_dim=3, encoder=MLP(hidden=(8,)), **parts)
    return spec.build(event_shape=(6,)).double(), torch.randn(400, 6, dtype=F64)


@pytest.mark.parametrize("part", ["mixture", "iaf"])
def test_a_kl_without_closed_form_sums_to_the_rate(part):
    """The rate by 200 draws of the library's scores; that by dimension over many seeds."""
    model, x = sampled(part)
    exact = float(score(model, x, samples=200, first_row=0).rate.mean())
    found = [rate_by_dimension(model, x, seed=s) for s in range(12)]
    sums = torch.tensor([float(group.sum()) for (group,) in found], dtype=F64)
    alone = model.evidence(x, samples=50).rate.detach()
    error = float(alone.var(0).mean()) ** 0.5 / (400 * 4) ** 0.5  # of 4 draws for each row
    assert sums.std() == pytest.approx(error, rel=0.6)
    assert sums.mean() == pytest.approx(exact, abs=4 * error * (1 / 12 + 4 / 200) ** 0.5)
    assert len(set(sums.tolist())) == 12


@pytest.mark.parametrize("part", ["mixture", "iaf"])
def test_the_rate_by_dimension_does_not_depend_on_batches(part):
    model, x = sampled(part)
    (whole,) = rate_by_dimension(model, x[:30], samples=3, seed=1)
    (first,) = rate_by_dimension(model, x[:7], samples=3, seed=1)
    (rest,) = rate_by_dimension(model, x[7:30], samples=3, seed=1, first_row=7)
    torch.testing.assert_close((7 * first + 23 * rest) / 30, whole, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("part", ["mixture", "standard"])
def test_errors_are_the_spread_over_rows_and_seeds(part):
    """60 fresh sets of 40 rows, each with a seed of its own."""
    model, _ = sampled("mixture")
    if part == "standard":
        model = FlatVAE(latent_dim=3, encoder=MLP(hidden=(8,))).build(event_shape=(6,)).double()
    found = [
        rate_distortion(model, Data(torch.randn(40, 6, dtype=F64)), samples=4, seed=s)
        for s in range(60)
    ]
    for name in ("rate", "distortion"):
        spread = np.std([getattr(f, name) for f in found], ddof=1)
        errors = np.array([getattr(f, f"{name}_error") for f in found])
        assert np.sqrt(np.mean(errors**2)) == pytest.approx(spread, rel=0.3), name


def test_no_draws_and_no_rows_are_refused(model, x):
    with pytest.raises(ConfigError, match="samples: too few samples; expected at least 1, got 0"):
        rate_by_dimension(model, x, samples=0)
    with pytest.raises(DataError, match="no rows to measure"):
        rate_by_dimension(model, x[:0])


def test_active_units_by_hand():
    """Variances 0.04, 0.0081, 0.0121 and 0: two lie above 0.01."""
    sign = torch.tensor([[1.0], [-1.0]]).repeat(5, 1)
    means = 7 + sign * torch.tensor([0.2, 0.09, 0.11, 0.0])
    assert active_units(means) == 2
    assert active_units(means, threshold=0.008) == 3
    assert active_units(means.reshape(10, 2, 2)) == 2


@pytest.mark.parametrize("n", [0, 1])
def test_active_units_need_rows_that_could_vary(n):
    with pytest.raises(
        DataError, match=f"no variance over rows; expected at least 2 rows, got {n}"
    ):
        active_units(torch.zeros(n, 3))


def test_active_units_of_codes_that_are_not_finite():
    means = torch.zeros(5, 3)
    means[3, 1] = torch.nan
    with pytest.raises(DataError, match="codes that are not finite; got 1 of 5 rows"):
        active_units(means)


def test_a_single_row_has_no_active_units(model, x):
    found = rate_distortion(model, Data(x[:1]))
    assert found.active_units is None
    assert found.n == 1


def test_posterior_means_are_float64(model, x):
    found = posterior_means(model.float(), x)
    assert found.dtype == F64
    torch.testing.assert_close(found, model.encode(x.float()).mean.detach().double())


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_averages_do_not_depend_on_batches(model, x, batch_size):
    found = rate_distortion(model, Data(x), samples=20, batch_size=batch_size)
    scores = score(model, x, samples=20, first_row=0)
    assert found.n == 11
    assert found.rate == pytest.approx(float(scores.rate.mean()), abs=1e-12)
    assert found.distortion == pytest.approx(float(scores.distortion.mean()), abs=1e-12)
    expected = float(scores.distortion.std()) / 11**0.5
    assert found.distortion_error == pytest.approx(expected, abs=1e-12)
    torch.testing.assert_close(found.by_dimension[0], rate_by_dimension(model, x)[0])
    assert float(found.by_dimension[0].sum()) == pytest.approx(found.rate, abs=1e-12)
    assert found.active_units == active_units(posterior_means(model, x))


def test_no_rows_are_refused(model, x):
    with pytest.raises(DataError, match="no rows to measure"):
        rate_distortion(model, Data(x[:0]))


def test_the_frontier_holds_the_best_model_of_every_weight():
    generator = np.random.default_rng(0)
    rates, distortions = generator.exponential(10, 60), generator.normal(100, 20, 60)
    found = frontier(rates, distortions)
    weights = np.concatenate([[0.0], np.logspace(-4, 4, 20_001)])
    best = (distortions[:, None] + weights * rates[:, None]).argmin(0)
    assert sorted(found) == sorted(set(best.tolist()))
    assert list(rates[found]) == sorted(rates[found])


def test_a_frontier_of_one_model_or_of_equal_ones():
    assert frontier([3.0], [7.0]) == [0]
    assert frontier([3.0, 3.0, 3.0], [7.0, 6.0, 6.0]) == [1]
    with pytest.raises(DataError, match="one rate and one distortion for each model; got 2, 1"):
        frontier([1.0, 2.0], [1.0])
    with pytest.raises(DataError, match="finite"):
        frontier([1.0], [float("nan")])
