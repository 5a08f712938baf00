"""Every density against SciPy or torch.distributions, and its samples against its density."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch

from vaekit.distributions import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    Delta,
    DiscretisedLogistic,
    Laplace,
    Normal,
    StandardNormal,
    StudentT,
    TriangularNormal,
    sum_events,
)
from vaekit.errors import ConfigError

REFERENCE = torch.distributions
LOGITS = [-60.0, -9.0, -0.51, -0.49, -0.11, -0.09, -1e-4, 0.0, 1e-9, 0.3, 0.6, 4.0, 60.0]


def close(got, wanted, tolerance=1e-10):
    wanted = torch.as_tensor(wanted, dtype=got.dtype)
    torch.testing.assert_close(got, wanted, rtol=tolerance, atol=tolerance)


def truncated_exponential(logit):
    """The continuous Bernoulli of a negative logit, by SciPy."""
    return scipy.stats.truncexpon(b=-logit, scale=-1 / logit)


def f64(value):
    return torch.tensor(value, dtype=torch.float64)


def grid_64(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def full_covariance(*batch, n=3):
    factor = grid_64(*batch, n, n).tril(-1) + torch.diag_embed(grid_64(*batch, n).exp())
    return TriangularNormal(grid_64(*batch, n), factor)


# --- values ------------------------------------------------------------------------------------


def test_normal_is_scipys():
    loc, log_scale, x = grid_64(5, 3), grid_64(5, 3), 3 * grid_64(5, 3)
    wanted = scipy.stats.norm(loc.numpy(), log_scale.exp().numpy()).logpdf(x.numpy())
    close(Normal.from_log_scale(loc, log_scale).log_prob_elements(x), wanted)
    close(Normal(loc, log_scale.exp()).log_prob(x), wanted.sum(-1))


@pytest.mark.parametrize(
    "density", [Normal.from_log_scale, Laplace, lambda loc, s: StudentT(loc, s, torch.tensor(4.0))]
)
@pytest.mark.parametrize("log_scale", [-30.0, 0.0, 50.0, 100.0, 1e4])
def test_a_scale_beyond_float32_has_a_gradient(density, log_scale):
    """A decoder emits such scales for codes far from the prior, and the run must survive it.

    As s → ∞ the log density is −log s and a constant: its derivative by log s is −1.
    """
    loc, raw = torch.zeros(2, requires_grad=True), torch.full((2,), log_scale, requires_grad=True)
    density(loc, raw).log_prob_elements(torch.tensor([0.0, 1.0])).sum().backward()
    assert torch.isfinite(loc.grad).all()
    assert torch.isfinite(raw.grad).all()
    if log_scale >= 50:
        close(raw.grad, [-1.0, -1.0], 1e-6)


def test_standard_normal_is_scipys():
    x = 3 * grid_64(2, 5, 3)
    p = StandardNormal(torch.zeros(5, 3, dtype=torch.float64))
    close(p.log_prob(x), scipy.stats.norm.logpdf(x.numpy()).sum((-1, -2)))
    close(p.mean, np.zeros((5, 3)))
    close(p.stddev, np.ones((5, 3)))


def test_a_standard_deviation_without_a_closed_form_is_refused():
    with pytest.raises(ConfigError, match="Bernoulli has no standard deviation in closed form"):
        _ = Bernoulli(grid_64(3)).stddev


def test_laplace_is_scipys():
    loc, log_scale, x = grid_64(5, 3), grid_64(5, 3), 3 * grid_64(5, 3)
    p = Laplace(loc, log_scale)
    reference = scipy.stats.laplace(loc.numpy(), log_scale.exp().numpy())
    close(p.log_prob_elements(x), reference.logpdf(x.numpy()))
    close(p.stddev, reference.std())
    close(p.mean, reference.mean())


@pytest.mark.parametrize("logit", [*LOGITS, 25.0, -25.0])
@pytest.mark.parametrize("x", [0.0, 1.0])
def test_bernoulli_is_torchs(logit, x):
    logits, x = f64([logit]), f64([x])
    wanted = REFERENCE.Bernoulli(logits=logits).log_prob(x)
    close(Bernoulli(logits).log_prob_elements(x), wanted)
    close(Bernoulli(logits).mean, torch.sigmoid(logits))


def test_bernoulli_of_grey_values_is_the_expected_log_mass():
    logits, x = grid_64(7), torch.rand(7, dtype=torch.float64)
    p = Bernoulli(logits)
    one, zero = p.log_prob_elements(torch.ones(7)), p.log_prob_elements(torch.zeros(7))
    close(p.log_prob_elements(x), x * one + (1 - x) * zero)


@pytest.mark.parametrize("logit", LOGITS)
def test_continuous_bernoulli_is_a_truncated_exponential(logit):
    x = torch.linspace(0, 1, 11, dtype=torch.float64)
    p = ContinuousBernoulli(f64(logit), event_dims=0)
    if abs(logit) < 1e-8:
        close(p.log_prob_elements(x), (x - 0.5) * logit)
        close(p.mean, 0.5)
        return
    reference = truncated_exponential(-abs(logit))
    decreasing = x if logit < 0 else 1 - x
    close(p.log_prob_elements(x), reference.logpdf(decreasing.numpy()))
    mean = reference.mean() if logit < 0 else 1 - reference.mean()
    close(p.mean, mean, tolerance=1e-6 if abs(logit) < 1e-3 else 1e-10)


def test_continuous_bernoulli_is_torchs():
    logits, x = 5 * grid_64(50), torch.rand(50, dtype=torch.float64)
    reference = REFERENCE.ContinuousBernoulli(logits=logits)
    close(ContinuousBernoulli(logits).log_prob_elements(x), reference.log_prob(x))
    close(ContinuousBernoulli(logits).mean, reference.mean)


@pytest.mark.parametrize("number", [torch.float32, torch.float64])
def test_continuous_bernoulli_score_is_x_minus_the_mean(number):
    logits = torch.cat([torch.tensor(LOGITS), torch.linspace(-1, 1, 101)]).to(number)
    logits.requires_grad_()
    p = ContinuousBernoulli(logits)
    (gradient,) = torch.autograd.grad(p.log_prob(torch.full_like(logits, 0.7)), logits)
    close(gradient, 0.7 - p.mean.detach(), tolerance=1e-5 if number == torch.float32 else 1e-12)


def test_categorical_is_torchs():
    logits, codes = 3 * grid_64(5, 4, 2, 3), torch.randint(4, (6, 5, 2, 3))
    reference = REFERENCE.Categorical(logits=logits.movedim(1, -1))
    wanted = reference.log_prob(codes)
    close(Categorical(logits, event_dims=2).log_prob_elements(codes.double()), wanted)
    scaled = Categorical(logits, event_dims=2, scaled=True)
    close(scaled.log_prob(codes.double() / 3), wanted.sum((-1, -2)))
    codes = torch.arange(4, dtype=torch.float64)
    close(scaled.mean, (reference.probs * codes / 3).sum(-1))
    close(scaled.mode, reference.probs.argmax(-1).double() / 3)


@pytest.mark.parametrize("levels", [2, 3, 32, 256])
@pytest.mark.parametrize("scale", [1e-2, 0.1, 1.0])
def test_discretised_logistic_is_scipys(levels, scale):
    loc = torch.rand(50, dtype=torch.float64)
    code = torch.randint(levels, (50,)).double()
    reference = scipy.stats.logistic(loc.numpy(), scale)
    step = 1 / (levels - 1)
    upper = np.where(code == levels - 1, np.inf, (code + 0.5) * step)
    lower = np.where(code == 0, -np.inf, (code - 0.5) * step)
    wanted = np.where(
        lower > loc.numpy(),  # the difference of the smaller tails loses fewer digits
        reference.sf(lower) - reference.sf(upper),
        reference.cdf(upper) - reference.cdf(lower),
    )
    p = DiscretisedLogistic(loc, f64(scale).log(), levels=levels)
    close(p.log_prob_elements(code * step).exp(), wanted)


@pytest.mark.parametrize("levels", [2, 3, 32])
def test_discretised_logistic_mean_is_that_of_its_masses(levels):
    loc = torch.linspace(-0.5, 1.5, 9, dtype=torch.float64)
    values = torch.linspace(0, 1, levels, dtype=torch.float64)
    p = DiscretisedLogistic(loc, f64(0.07).log(), levels=levels, event_dims=0)
    close(p.mean, (p.log_prob_elements(values[:, None]).exp() * values[:, None]).sum(0))


def test_triangular_normal_is_torchs_and_its_elements_are_the_chain_rule():
    p = full_covariance(5)
    x = 2 * grid_64(7, 5, 3)
    covariance = p.scale_tril @ p.scale_tril.mT
    close(p.log_prob(x), REFERENCE.MultivariateNormal(p.loc, covariance).log_prob(x))
    close(p.stddev, covariance.diagonal(dim1=-2, dim2=-1).sqrt())
    marginals = [torch.zeros(7, 5).double()]
    for n in (1, 2, 3):
        first = REFERENCE.MultivariateNormal(p.loc[:, :n], covariance[:, :n, :n])
        marginals.append(first.log_prob(x[..., :n]))
    conditionals = [after - before for before, after in pairwise(marginals)]
    close(p.log_prob_elements(x), torch.stack(conditionals, -1))


# --- normalisation -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("density", "low", "high"),
    [
        (lambda: Normal(f64(0.3), f64(0.2)), -4, 4),
        (lambda: StandardNormal(f64(0.0)), -12, 12),
        (lambda: Laplace(f64(0.0), f64(-1.0)), -20, 20),
        (lambda: ContinuousBernoulli(f64(-7.0)), 0, 1),
        (lambda: ContinuousBernoulli(f64(0.2)), 0, 1),
        (lambda: ContinuousBernoulli(f64(80.0)), 0, 1),
    ],
)
def test_densities_integrate_to_one(density, low, high):
    def pdf(x):
        return density().log_prob_elements(f64(x)).exp().item()

    total, _ = scipy.integrate.quad(pdf, low, high, points=[0, 0.3, 0.9], limit=200)
    assert total == pytest.approx(1, abs=1e-9)


def test_triangular_normal_integrates_to_one():
    p = TriangularNormal(f64([0.5, -0.2]), f64([[1.0, 0.0], [-0.7, 0.4]]))
    axis = torch.linspace(-8, 8, 801, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    total = p.log_prob(grid).exp().sum() * (axis[1] - axis[0]) ** 2
    close(total, 1.0)


@pytest.mark.parametrize("levels", [256, 32, 2])
@pytest.mark.parametrize("loc", [-0.5, 0, 0.03, 0.5, 1, 1.7])
@pytest.mark.parametrize("scale", [1e-3, 1e-2, 0.1, 1.0])
@pytest.mark.parametrize(("number", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-12)])
def test_discretised_logistic_sums_to_one(levels, loc, scale, number, tolerance):
    values = torch.arange(levels, dtype=number)[:, None] / (levels - 1)
    log_scale = torch.tensor(scale, dtype=number).log().requires_grad_()
    loc = torch.tensor([loc], dtype=number, requires_grad=True)
    log_mass = DiscretisedLogistic(loc, log_scale, levels=levels).log_prob(values)
    close(log_mass.exp().sum(), torch.ones((), dtype=number), tolerance)
    assert log_mass.isfinite().all()
    gradients = torch.autograd.grad(log_mass.sum(), [loc, log_scale])
    assert all(g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("logit", LOGITS)
def test_bernoulli_sums_to_one(logit):
    p = Bernoulli(f64([logit]))
    close(p.log_prob(f64([[0.0], [1.0]])).exp().sum(), 1.0)


@pytest.mark.parametrize("scaled", [False, True])
def test_categorical_sums_to_one_over_all_observations(scaled):
    p = Categorical(2 * grid_64(3, 2), scaled=scaled)
    codes = torch.cartesian_prod(torch.arange(3.0), torch.arange(3.0)).double()
    close(p.log_prob(codes / (2 if scaled else 1)).exp().sum(), 1.0)


# --- samples -----------------------------------------------------------------------------------

N = 50_000


def within_four_errors(draws, mean, deviation):
    error = torch.as_tensor(deviation) / draws.shape[0] ** 0.5
    assert ((draws.mean(0) - torch.as_tensor(mean)).abs() <= 4 * error + 1e-12).all()


@pytest.mark.parametrize("logit", [-5.0, 0.0, 1.0])
def test_bernoulli_sample_frequencies(logit):
    p = Bernoulli(torch.full((2,), logit))
    draws = p.sample((N,))
    assert set(draws.unique().tolist()) == {0.0, 1.0}
    within_four_errors(draws, p.mean, (p.mean * (1 - p.mean)).sqrt())


def test_categorical_sample_frequencies():
    p = Categorical(grid_64(4, 2), scaled=True)
    indicator = torch.nn.functional.one_hot((p.sample((N,)) * 3).round().long(), 4).double()
    probs = p.probs.mT
    within_four_errors(indicator, probs, (probs * (1 - probs)).sqrt())


def test_categorical_never_draws_an_impossible_code():
    p = Categorical(torch.tensor([[0.0], [0.0], [-torch.inf]]))
    assert set(p.sample((N,)).unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("loc", [-0.2, 0.4, 1.1])
def test_discretised_logistic_sample_frequencies(loc):
    values = torch.linspace(0, 1, 4, dtype=torch.float64)
    p = DiscretisedLogistic(f64([loc]), f64(0.2).log(), levels=4)
    draws = (p.sample((N,)) * 3).round() / 3
    masses = p.log_prob(values[:, None]).exp()
    within_four_errors(
        (draws == torch.arange(4) / f64(3)).double(), masses, (masses * (1 - masses)).sqrt()
    )


@pytest.mark.parametrize(
    ("density", "cdf"),
    [
        (Normal(torch.tensor(0.3), torch.tensor(2.0), event_dims=0), scipy.stats.norm(0.3, 2).cdf),
        (StandardNormal(torch.tensor(0.0)), scipy.stats.norm.cdf),
        (
            Laplace(torch.tensor(0.3), torch.tensor(2.0).log(), event_dims=0),
            scipy.stats.laplace(0.3, 2).cdf,
        ),
        (ContinuousBernoulli(torch.tensor(-6.0), event_dims=0), truncated_exponential(-6).cdf),
        (
            ContinuousBernoulli(torch.tensor(6.0), event_dims=0),
            lambda x: 1 - truncated_exponential(-6).cdf(1 - x),
        ),
        (
            ContinuousBernoulli(torch.tensor(-0.05), event_dims=0),
            truncated_exponential(-0.05).cdf,
        ),
    ],
)
def test_samples_follow_the_distribution_function(density, cdf):
    draws = density.sample((20_000,)).double().numpy()
    assert scipy.stats.kstest(draws, cdf).pvalue > 1e-3


def test_triangular_normal_sample_moments():
    p = full_covariance()
    draws = p.sample((N,))
    covariance = p.scale_tril @ p.scale_tril.mT
    within_four_errors(draws, p.mean, p.stddev)
    close(draws.T.cov() / covariance.norm(), covariance / covariance.norm(), tolerance=0.03)


@pytest.mark.parametrize("logit", [-90.0, -6.0, -0.2, -0.05, 0.05, 0.2, 6.0, 90.0])
def test_continuous_bernoulli_sample_gradient_is_the_implicit_derivative(logit):
    """dx/dt = −(∂F/∂t) / p at fixed F(x; t); F(x; t) = (e^(tx) − 1) / (e^t − 1) by central
    differences."""
    t = torch.full((200,), logit).double().requires_grad_()
    x = ContinuousBernoulli(t, event_dims=0).rsample()
    (gradient,) = torch.autograd.grad(x.sum(), t)

    def distribution(t):
        return np.expm1(t * x.detach().numpy()) / np.expm1(t)

    slope = (distribution(logit + 1e-5) - distribution(logit - 1e-5)) / 2e-5
    density = ContinuousBernoulli(t, event_dims=0).log_prob(x).detach().exp()
    close(gradient * density, -slope, tolerance=1e-8)


@pytest.mark.parametrize("logit", [-200.0, -0.1, 0.0, 0.1, 200.0])
def test_continuous_bernoulli_extreme_draws_stay_finite(logit, monkeypatch):
    ends = torch.tensor([0.0, 2.0**-24, 0.5, 1 - 2.0**-24])
    monkeypatch.setattr(torch, "rand", lambda *args, **kwargs: ends)
    logits = torch.full((4,), logit, requires_grad=True)
    x = ContinuousBernoulli(logits).rsample()
    (gradient,) = torch.autograd.grad(x.sum(), logits)
    assert ((x >= 0) & (x <= 1)).all()
    assert (x.diff() >= 0).all()
    assert gradient.isfinite().all()


def test_location_scale_sample_gradients():
    loc, log_scale = grid_64(6, 2).requires_grad_(), grid_64(6, 2).requires_grad_()
    for density in (Laplace(loc, log_scale), Normal.from_log_scale(loc, log_scale)):
        x = density.rsample((5,))
        by_loc, by_log_scale = torch.autograd.grad(x.sum(), [loc, log_scale])
        close(by_loc, torch.full((6, 2), 5.0).double())
        close(by_log_scale, (x - loc).sum(0).detach())


def test_triangular_normal_sample_gradients():
    p = full_covariance()
    factor = p.scale_tril.requires_grad_()
    x = TriangularNormal(p.loc, factor).rsample()
    (gradient,) = torch.autograd.grad(x.sum(), factor)
    eps = torch.linalg.solve_triangular(factor, (x - p.loc)[:, None], upper=False)[:, 0].detach()
    close(gradient, eps.expand(3, 3))


def test_rsample_and_log_prob_agree():
    p = full_covariance(4)
    x, log_prob = p.rsample_and_log_prob((2,))
    assert x.shape == (2, 4, 3)
    close(log_prob, p.log_prob(x))


# --- the contract ------------------------------------------------------------------------------

EVERY = {
    "normal": lambda p: Normal(p, p.exp()),
    "triangular": lambda p: TriangularNormal(p, torch.diag_embed(p.exp())),
    "laplace": lambda p: Laplace(p, p),
    "bernoulli": lambda p: Bernoulli(p),
    "continuous-bernoulli": lambda p: ContinuousBernoulli(p),
    "discretised-logistic": lambda p: DiscretisedLogistic(p, p, levels=4),
    "categorical": lambda p: Categorical(torch.stack([p, -p, 2 * p], -2)),
}


@pytest.mark.parametrize("build", EVERY.values(), ids=EVERY)
def test_shapes_dtypes_and_detach(build):
    params = torch.randn(4, 2, requires_grad=True)
    p = build(params)
    value = p.sample((3,))
    assert value.shape == (3, 4, 2)
    assert value.dtype == torch.float32
    assert not value.requires_grad
    assert p.mean.shape == (4, 2)
    assert p.log_prob_elements(value).shape == (3, 4, 2)
    assert p.log_prob(value).shape == (3, 4)
    assert p.log_prob(value).requires_grad
    detached = p.detach()
    assert type(detached) is type(p)
    assert not detached.log_prob(value).requires_grad
    close(detached.log_prob(value), p.log_prob(value).detach())


@pytest.mark.parametrize("kind", [kind for kind in EVERY if kind != "triangular"])
def test_an_event_may_have_several_axes(kind):
    p = EVERY[kind](grid_64(4, 2))
    value = p.sample()
    wanted = p.log_prob(value).sum()
    p.event_dims = 2
    if isinstance(p, Categorical):
        p.logits = p.logits.movedim(1, 0)
    close(p.log_prob(value), wanted)


@pytest.mark.parametrize("kind", ["bernoulli", "categorical", "discretised-logistic"])
def test_discrete_values_have_no_reparametrised_samples(kind):
    p = EVERY[kind](torch.zeros(4, 2))
    with pytest.raises(ConfigError, match=r"no reparametrised samples. Use sample\(\) instead"):
        p.rsample()


def test_delta_has_samples_and_moments_but_no_density():
    q = Delta(torch.ones(4, 2))
    close(q.rsample((3,)), torch.ones(3, 4, 2))
    close(q.mean, torch.ones(4, 2))
    close(q.stddev, torch.zeros(4, 2))
    for score in (q.log_prob, q.log_prob_elements):
        with pytest.raises(
            ConfigError, match=r"Delta has no density\. Bounds and likelihoods need"
        ):
            score(torch.ones(4, 2))


def test_sum_events():
    x = torch.ones(2, 3, 4)
    assert sum_events(x, 0).shape == (2, 3, 4)
    close(sum_events(x, 2), torch.full((2,), 12.0))
