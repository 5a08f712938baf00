"""Likelihood modules: layout of the decoder's output, scales, and the optimal σ."""

import math

import pytest
import scipy.stats
import torch

from vaekit.likelihoods import (
    Bernoulli,
    Categorical,
    Circular,
    ContinuousBernoulli,
    DiscretisedLogistic,
    Gaussian,
    Laplace,
    LogisticMixture,
    NegativeBinomial,
    Ordinal,
    Poisson,
    StudentT,
)
from vaekit.likelihoods.scaled import PACE
from vaekit.models import initialise

SCALED = [
    Gaussian(scale="shared"),
    Gaussian(scale="per-column"),
    Gaussian(scale="per-element"),
    Laplace(scale="shared"),
    Laplace(scale="per-column"),
    Laplace(scale="per-element"),
    DiscretisedLogistic(scale="shared"),
    DiscretisedLogistic(scale="per-element"),
    StudentT(scale="shared"),
    StudentT(scale="per-column"),
    StudentT(df=3, scale="per-element"),
]
EVERY = [
    Bernoulli(),
    Categorical(categories=5),
    Categorical(categories=5, scaled=True),
    Circular(),
    ContinuousBernoulli(),
    DiscretisedLogistic(scale=0.1),
    Gaussian(scale=0.3),
    Gaussian(),
    Laplace(scale=0.3),
    LogisticMixture(),
    LogisticMixture(components=1),
    NegativeBinomial(dispersion=0.5),
    NegativeBinomial(dispersion="shared"),
    NegativeBinomial(dispersion="per-column"),
    NegativeBinomial(dispersion="per-element"),
    Ordinal(levels=2),
    Ordinal(levels=5),
    Poisson(),
    StudentT(df=3, scale=0.3),
    *SCALED,
]


def name(spec):
    scale = getattr(spec, "scale", getattr(spec, "dispersion", ""))
    return f"{spec.kind.partition('/')[2]}-{scale}"


every = pytest.mark.parametrize("spec", EVERY, ids=name)


@every
@pytest.mark.parametrize("event_shape", [(3,), (2, 4, 4)])
def test_shapes(spec, event_shape):
    likelihood = spec.build(event_shape=event_shape).eval()
    px = likelihood(torch.randn(6, 5, *likelihood.params_shape))
    x = px.sample()
    assert x.shape == px.mean.shape == (6, 5, *event_shape)
    likelihood.check(x.flatten(0, 1))
    assert px.log_prob_elements(x).shape == (6, 5, *event_shape)
    assert px.log_prob(x[0]).shape == (6, 5)
    params = torch.randn(5, *likelihood.params_shape)
    torch.testing.assert_close(likelihood.mean(params), likelihood(params).mean)


@every
def test_rows_do_not_mix(spec):
    likelihood = spec.build(event_shape=(2, 3)).eval().double()
    params = torch.randn(4, *likelihood.params_shape, dtype=torch.float64)
    x = likelihood(params).sample()
    together = likelihood(params).log_prob(x)
    alone = [likelihood(params[i : i + 1]).log_prob(x[i : i + 1]) for i in range(4)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-14, atol=1e-14)


@every
@pytest.mark.parametrize("size", [1.0, 40.0])
def test_zeros_in_place_of_missing_values_leave_all_gradients_finite(spec, size):
    likelihood = spec.build(event_shape=(3,)).eval()
    params = (size * torch.randn(2, 5, *likelihood.params_shape)).requires_grad_()
    elements = likelihood(params).log_prob_elements(torch.zeros(5, 3))
    assert elements.shape == (2, 5, 3)
    seen = torch.rand(5, 3) > 0.5
    total = torch.where(seen, elements, 0.0).sum()
    given = [params, *likelihood.parameters()]
    gradients = torch.autograd.grad(total, given, allow_unused=True)
    assert all(g is None or bool(g.isfinite().all()) for g in (elements, *gradients))
    missing = gradients[0].view(2, 5, -1, 3).abs().sum((0, 2))[~seen]
    assert (missing == 0).all()


@every
def test_the_log_density_compiles_as_one_graph(spec):
    likelihood = spec.build(event_shape=(3,)).eval()
    params = torch.randn(2, 5, *likelihood.params_shape)
    x = likelihood(params).sample()

    def score(params, x):
        return likelihood(params, x=x).log_prob_elements(x)

    torch.compiler.reset()  # else the code of all parts counts as one that recompiles too often
    compiled = torch.compile(score, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(params, x), score(params, x))


def test_categorical_layout_is_one_block_of_channels_per_code():
    likelihood = Categorical(categories=3).build(event_shape=(2, 1, 1))
    params = torch.arange(6.0).view(1, 6, 1, 1).requires_grad_()
    code_two_of_channel_one = likelihood(params).logits[0, 2, 1].sum()
    (gradient,) = torch.autograd.grad(code_two_of_channel_one, params)
    assert gradient.flatten().tolist() == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("number", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("spec", "reference"),
    [(Gaussian(scale=0.1), scipy.stats.norm), (Laplace(scale=0.1), scipy.stats.laplace)],
)
def test_a_fixed_scale_is_exact_in_every_precision(spec, reference, number):
    likelihood = spec.build(event_shape=(3,)).to(number)
    x, loc = torch.randn(2, 5, 3, dtype=number)
    wanted = torch.as_tensor(reference.logpdf(x.double().numpy(), loc.double().numpy(), 0.1))
    got = likelihood(loc).log_prob_elements(x)
    assert got.dtype == number
    tolerance = 1e-12 if number == torch.float64 else 1e-5
    torch.testing.assert_close(got, wanted.to(number), rtol=tolerance, atol=tolerance)
    assert not likelihood.state_dict()


@pytest.mark.parametrize("spec", SCALED, ids=name)
def test_learned_scales_approach_their_floor_smoothly(spec):
    likelihood = spec.build(event_shape=(2,))
    for raw in (-1e4, 0.0, 2.0):
        params = torch.full((1, *likelihood.params_shape), raw)
        if spec.scale != "per-element":
            likelihood.set_raw_log_scale(raw)
        log_scale = likelihood(params).log_scale
        assert (log_scale >= math.log(spec.floor) - 1e-6).all()
        start = likelihood.start if spec.scale == "per-element" else 0
        if raw >= 0:
            torch.testing.assert_close(
                log_scale, torch.full_like(log_scale, raw + start), rtol=0, atol=0.02
            )


@pytest.mark.parametrize("start", [5.0, 30.0])
def test_a_shared_number_of_degrees_of_freedom_finds_that_of_the_data(start):
    """Quantiles of a t with ν = 5 and scale 2 are best described by about that."""
    x = 2 * torch.as_tensor(scipy.stats.t(5).ppf([(i + 0.5) / 4000 for i in range(4000)]))
    likelihood = StudentT().build(event_shape=(1,)).double()
    likelihood.raw_df.data.fill_(start)
    optimiser = torch.optim.LBFGS(
        likelihood.parameters(), max_iter=100, line_search_fn="strong_wolfe"
    )

    def closure():
        optimiser.zero_grad()
        nll = -likelihood(torch.zeros(4000, 1).double()).log_prob(x.unsqueeze(-1)).mean()
        nll.backward()
        return nll

    optimiser.step(closure)
    px = likelihood(torch.zeros(1, 1).double())
    assert px.df.item() == pytest.approx(5, rel=0.03)
    assert px.log_scale.exp().item() == pytest.approx(2, rel=0.01)


@pytest.mark.parametrize("spec", [s for s in SCALED if s.scale == "shared"], ids=name)
def test_a_scale_at_its_floor_is_noticed(spec):
    likelihood = spec.build(event_shape=(2,))
    assert not likelihood.at_floor
    likelihood.set_raw_log_scale(math.log(spec.floor) - 10)
    assert likelihood.at_floor


def test_the_optimal_scale_at_its_floor_is_noticed():
    likelihood = Gaussian().build(event_shape=(2,))
    assert not likelihood.at_floor
    likelihood.freeze(Gaussian().floor ** 2)
    assert likelihood.at_floor
    assert not Gaussian(scale=1e-6).build(event_shape=(2,)).at_floor


@pytest.mark.parametrize("spec", [s for s in SCALED if s.scale == "shared"], ids=name)
def test_a_shared_scale_starts_at_the_spread_of_the_rows_once(spec):
    x = 3.0 + torch.tensor([5.0, -1.0]) + 0.3 * torch.randn(5_000, 2)
    likelihood = spec.build(event_shape=(2,))
    params = torch.zeros(1, 2)
    initialise(likelihood, x)
    # The floor is approached smoothly, so the scale is a little above.
    assert likelihood(params).log_scale.exp().item() == pytest.approx(0.3, rel=0.05)
    initialise(likelihood, 7 * x)
    assert likelihood(params).log_scale.exp().item() == pytest.approx(0.3, rel=0.05)
    initialise(constant := spec.build(event_shape=(2,)), torch.ones(10, 2))
    assert math.isfinite(constant(params).log_scale.item())


def test_a_dispersion_is_no_spread_of_the_rows():
    likelihood = NegativeBinomial(dispersion="shared").build(event_shape=(2,))
    initialise(likelihood, torch.tensor([[0.0, 900.0], [50.0, 3.0]]))
    assert likelihood.raw_log_scale.item() == 0.0


def test_a_shared_scale_is_learned_within_a_short_run():
    x = 0.05 * torch.randn(2_000, 1)
    likelihood = Gaussian(scale="shared").build(event_shape=(1,))
    optimizer = torch.optim.Adam(likelihood.parameters(), lr=1e-3)
    for _ in range(500):
        optimizer.zero_grad()
        (-likelihood(torch.zeros(2_000, 1)).log_prob(x).mean()).backward()
        optimizer.step()
    found = likelihood(torch.zeros(1, 1)).stddev.item()
    assert found == pytest.approx(x.square().mean().sqrt().item(), rel=0.02)


# --- optimal σ ---------------------------------------------------------------------------------


@pytest.fixture
def regression():
    """Observations (4, 50, 3) and locations that depend on a weight."""
    x = torch.randn(50, 3, dtype=torch.float64)
    weight = torch.tensor([0.3, -0.2, 0.9], dtype=torch.float64, requires_grad=True)
    return x, (0.5 * x.expand(4, 50, 3) + weight), weight


def test_optimal_scale_gives_the_profile_likelihood(regression):
    x, loc, _ = regression
    likelihood = Gaussian(scale="optimal").build(event_shape=(3,))
    nll = -likelihood(loc, x=x).log_prob(x).mean()
    mse = (x - loc).square().mean()
    wanted = 1.5 * (2 * math.pi * math.e * mse).log()
    torch.testing.assert_close(nll, wanted, rtol=1e-13, atol=1e-13)


def test_optimal_scale_is_the_minimum_over_all_scales(regression):
    x, loc, _ = regression
    rmse = (x - loc.detach()).square().mean().sqrt().item()
    likelihood = Gaussian(scale="shared", floor=1e-8).build(event_shape=(3,)).double()
    likelihood.set_raw_log_scale(math.log(rmse))
    nll = -likelihood(loc.detach()).log_prob(x).mean()
    (slope,) = torch.autograd.grad(nll, likelihood.paced_log_scale)
    assert abs(slope.item() / PACE) < 1e-6
    optimal = Gaussian(scale="optimal").build(event_shape=(3,))
    torch.testing.assert_close(optimal(loc, x=x).scale.item(), rmse, rtol=1e-13, atol=0)
    for other in (0.9 * rmse, 1.1 * rmse):
        worse = Gaussian(scale=other).build(event_shape=(3,))(loc.detach())
        assert -worse.log_prob(x).mean() > nll + 1e-3


def test_gradient_through_the_optimal_scale(regression):
    x, loc, weight = regression
    likelihood = Gaussian(scale="optimal").build(event_shape=(3,))
    nll = -likelihood(loc, x=x).log_prob(x).mean()
    (got,) = torch.autograd.grad(nll, weight, retain_graph=True)
    (wanted,) = torch.autograd.grad(1.5 * (x - loc).square().mean().log(), weight)
    torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("spec", "best"),
    [
        (Gaussian(scale="shared"), lambda e: e.square().mean().sqrt()),
        (Laplace(scale="shared"), lambda e: e.abs().mean()),
    ],
)
def test_a_shared_scale_converges_to_the_best(spec, best, regression):
    x, loc, _ = regression
    likelihood = spec.build(event_shape=(3,)).double()
    optimiser = torch.optim.LBFGS(
        likelihood.parameters(), tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure():
        optimiser.zero_grad()
        nll = -likelihood(loc.detach()).log_prob(x).mean()
        nll.backward()
        return nll

    optimiser.step(closure)
    scale = likelihood(loc).log_scale.exp()
    torch.testing.assert_close(scale, best((x - loc).detach()), rtol=1e-6, atol=0)


def test_a_frozen_optimal_scale_is_used_outside_training(regression):
    x, loc, _ = regression
    likelihood = Gaussian(scale="optimal").build(event_shape=(3,)).double()
    likelihood.freeze(0.25)
    likelihood.eval()
    assert likelihood(loc, x=x).scale.item() == pytest.approx(0.5)
    likelihood.train()
    assert likelihood(loc).scale.item() == pytest.approx(0.5)
    mse = (x - loc).square().mean().item()
    assert likelihood(loc, x=x).scale.item() == pytest.approx(math.sqrt(mse))
    assert likelihood.mean_square.item() == 0.25


def test_the_optimal_scale_has_a_floor():
    likelihood = Gaussian(scale="optimal", floor=0.1).build(event_shape=(3,))
    x = torch.randn(5, 3)
    assert likelihood(x, x=x).scale.item() == pytest.approx(0.1)
