"""The discrepancy against hand values, closed forms, and zero where nothing differs."""

import math

import pytest
import torch

from vaekit.distributions import Normal, StandardNormal
from vaekit.errors import ConfigError
from vaekit.latents import (
    ConditionalNormal,
    FlowOfNormal,
    MixtureOfNormals,
    Point,
    Standard,
    Vamp,
)
from vaekit.models import FlatVAE, Node, SemiSupervisedVAE
from vaekit.objectives import (
    DIP,
    ELBO,
    WAE,
    WAEGAN,
    Autoencoding,
    FactorVAE,
    ImportanceWeighted,
    InfoVAE,
    SemiSupervised,
    mmd,
)
from vaekit.objectives.mmd import prior_draws

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def as_double(rows):
    return torch.tensor(rows, dtype=torch.float64)


def kernel_by_hand(kernel, a, b, d):
    square = sum((x - y) ** 2 for x, y in zip(a, b, strict=True))
    if kernel == "gaussian":
        return math.exp(-square / (2 * d))
    return sum(2 * d * s / (2 * d * s + square) for s in SCALES)


@pytest.mark.parametrize("kernel", ["imq", "gaussian"])
def test_two_rows_by_hand(kernel):
    z, other = [[0.0, 1.0], [0.5, -1.0]], [[2.0, 0.3], [0.1, 0.1]]

    def k(a, b):
        return kernel_by_hand(kernel, a, b, 2)

    across = sum(k(a, b) for a in z for b in other) / 4
    expected = k(*z) + k(*other) - 2 * across
    got = mmd(as_double(z), as_double(other), kernel=kernel)
    assert got.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kernel", ["imq", "gaussian", "polynomial"])
def test_autocast_does_not_reach_the_products(kernel):
    z, other = 3 + torch.randn(6, 4), 3 + torch.randn(6, 4)
    wanted = mmd(z, other, kernel=kernel)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(mmd(z, other, kernel=kernel), wanted, rtol=0, atol=0)


def repeated(kernel, shift, scale, times=3_000, n=6, d=1):
    draws = [
        mmd(torch.randn(n, d).double(), shift + scale * torch.randn(n, d).double(), kernel=kernel)
        for _ in range(times)
    ]
    found = torch.stack(draws)
    return found.mean().item(), (found.std() / times**0.5).item()


@pytest.mark.parametrize("kernel", ["imq", "gaussian"])
def test_it_has_mean_zero_where_nothing_differs(kernel):
    mean, error = repeated(kernel, 0.0, 1.0)
    assert abs(mean) < 4 * error < 0.1


def test_between_two_normals_it_has_the_mean_of_the_closed_form():
    """E k(a, b) = (1 + s² + t²)^(-1/2) exp(-(μ - ν)² / 2(1 + s² + t²)) in one dimension."""

    def expectation(gap, s, t):
        total = 1 + s**2 + t**2
        return math.exp(-(gap**2) / (2 * total)) / math.sqrt(total)

    shift, scale = 1.5, 0.5
    expected = (
        expectation(0, 1, 1) + expectation(0, scale, scale) - 2 * expectation(shift, 1, scale)
    )
    mean, error = repeated("gaussian", shift, scale)
    assert abs(mean - expected) < 4 * error < 0.1 * expected


@pytest.mark.parametrize("kernel", ["imq", "gaussian", "polynomial"])
@pytest.mark.parametrize(("rows", "others"), [(1, 1), (1, 5), (5, 1)])
def test_where_a_sample_has_no_pairs_it_is_zero_and_pulls_nowhere(rows, others, kernel):
    z = torch.randn(rows, 2).requires_grad_()
    other = torch.randn(others, 2).requires_grad_()
    value = mmd(z, other, kernel=kernel)
    assert value == 0
    for gradient in torch.autograd.grad(value, [z, other]):
        assert not gradient.any()


def test_gradients_of_equal_rows_are_finite():
    z = torch.zeros(5, 2).requires_grad_()
    (gradient,) = torch.autograd.grad(mmd(z, torch.randn(5, 2)), z)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("samples", [1, 3])
def test_the_prior_is_drawn_once_for_each_code(samples):
    q = Normal(torch.zeros(4, 2), torch.ones(4, 2))
    z = q.rsample((samples,))
    rows = torch.arange(4.0)[:, None].expand(4, 2) * 100
    for p in (StandardNormal(torch.zeros(2)), Normal(rows, torch.ones(4, 2))):
        draws = prior_draws(Node(z, q, p))
        assert draws.shape == z.shape
    assert bool(((draws - rows).abs() < 20).all())  # each row from the prior of its own context


# --- priors that learn ------------------------------------------------------------------------

ALONE = [WAE(), InfoVAE(alpha=1.0)]


def evidence_of(prior, context_dim=0, **parts):
    spec = FlatVAE(latent_dim=2, prior=prior, **parts)
    model = spec.build(event_shape=(3,), context_dim=context_dim)
    c = torch.randn(6, context_dim) if context_dim else None
    return model, model.evidence(torch.rand(6, 3), c)


@pytest.mark.parametrize("objective", [*ALONE, WAEGAN()])
@pytest.mark.parametrize("prior", [MixtureOfNormals(components=3), Vamp(components=3)])
def test_a_prior_that_would_stay_untrained_is_refused(objective, prior):
    _, evidence = evidence_of(prior)
    with pytest.raises(ConfigError, match=r"(?s)would stay untrained.*'standard'.*fit-prior"):
        objective(evidence)


RATED = [
    ELBO(),
    ImportanceWeighted(samples=1),
    FactorVAE(),
    InfoVAE(alpha=0.5),
    DIP(of="means"),
]
UNTRAINED = [MixtureOfNormals(components=3), FlowOfNormal(hidden=(4,))]


@pytest.mark.parametrize("objective", [*RATED, Autoencoding()], ids=lambda o: o.kind)
@pytest.mark.parametrize("prior", UNTRAINED, ids=lambda p: p.kind)
def test_a_point_has_no_rate_that_could_train_the_prior(objective, prior):
    _, evidence = evidence_of(prior, posterior=Point())
    with pytest.raises(ConfigError, match=r"would stay untrained.*'standard'.*'diagonal'"):
        objective(evidence)
    assert objective(evidence_of(Standard(), posterior=Point())[1]).total.isfinite()


@pytest.mark.parametrize("objective", RATED, ids=lambda o: o.kind)
def test_a_rate_trains_the_prior(objective):
    model, evidence = evidence_of(MixtureOfNormals(components=3))
    gradients = torch.autograd.grad(objective(evidence).total, list(model.prior.parameters()))
    assert all(gradient.any() for gradient in gradients)


@pytest.mark.parametrize("prior", UNTRAINED, ids=lambda p: p.kind)
def test_an_autoencoder_has_no_term_in_the_prior(prior):
    with pytest.raises(ConfigError, match=r"would stay untrained: .* no term"):
        Autoencoding()(evidence_of(prior)[1])


def test_the_same_holds_for_codes_given_a_class():
    spec = SemiSupervisedVAE(prior=MixtureOfNormals(components=3), posterior=Point())
    model = spec.build(event_shape=(3,), context_dim=2)
    with pytest.raises(ConfigError, match="would stay untrained: a posterior without a density"):
        SemiSupervised(share=0.5)(model.evidence(torch.rand(6, 3)))


def test_draws_train_the_prior_of_points():
    model, evidence = evidence_of(ConditionalNormal(), context_dim=2, posterior=Point())
    total = InfoVAE(alpha=1.0)(evidence).total
    assert all(g.any() for g in torch.autograd.grad(total, list(model.prior.parameters())))


def test_a_critic_trains_no_prior():
    _, evidence = evidence_of(ConditionalNormal(), context_dim=2)
    with pytest.raises(ConfigError, match="would stay untrained"):
        WAEGAN()(evidence)


@pytest.mark.parametrize("objective", ALONE)
def test_draws_with_paths_train_the_prior(objective):
    model, evidence = evidence_of(ConditionalNormal(), context_dim=2)
    gradients = torch.autograd.grad(objective(evidence).total, list(model.prior.parameters()))
    assert all(gradient.abs().max() > 0 for gradient in gradients)


@pytest.mark.parametrize("objective", ALONE)
def test_a_fixed_or_frozen_prior_is_welcome(objective):
    assert objective(evidence_of(Standard())[1]).total.isfinite()
    with torch.no_grad():
        assert objective(evidence_of(MixtureOfNormals(components=3))[1]).total.isfinite()


def test_the_rate_trains_any_prior():
    model, evidence = evidence_of(MixtureOfNormals(components=3))
    gradients = torch.autograd.grad(
        InfoVAE(alpha=0.5)(evidence).total, list(model.prior.parameters())
    )
    assert all(gradient.abs().max() > 0 for gradient in gradients)
