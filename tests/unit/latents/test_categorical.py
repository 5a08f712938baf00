"""Discrete codes against enumeration: masses, KL, log p(x), and the bias of relaxed gradients."""

import itertools
import math

import pytest
import scipy.stats
import torch
from torch.nn import functional as F

from vaekit.distributions import OneHot
from vaekit.errors import ConfigError
from vaekit.latents import Categorical, Standard, UniformCategorical, Vamp
from vaekit.likelihoods import Bernoulli
from vaekit.metrics import score
from vaekit.models import FlatVAE, initialise
from vaekit.networks import MLP
from vaekit.objectives import ELBO, ImportanceWeighted

CLASSES, GROUPS = 3, 2


def codes(groups=GROUPS, classes=CLASSES):
    """All one-hot codes, shape (K^G, G K)."""
    every = torch.tensor(list(itertools.product(range(classes), repeat=groups)))
    return F.one_hot(every, classes).flatten(-2).double()


def model(*, classes=CLASSES, groups=GROUPS, spread=0.7, **settings):
    torch.manual_seed(0)
    made = FlatVAE(
        latent_dim=groups * classes,
        encoder=MLP(hidden=(8,)),
        likelihood=Bernoulli(),
        posterior=Categorical(classes=classes, **settings),
        prior=UniformCategorical(classes=classes),
    ).build(event_shape=(5,))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += spread * torch.randn_like(parameter)
    return made.double()


def data(n=6):
    return torch.rand(n, 5, dtype=torch.float64).round()


def exact_log_marginal(made, x):
    z = codes()
    log_joint = made.decode(z.unsqueeze(1).expand(-1, len(x), -1)).log_prob(x)
    return log_joint.logsumexp(0) - GROUPS * math.log(CLASSES)


def exact_elbo(made, x):
    q, z = made.encode(x), codes().unsqueeze(1).expand(-1, len(x), -1)
    log_q = q.log_prob(z)
    log_px = made.decode(z).log_prob(x)
    return (log_q.exp() * (log_px - log_q - GROUPS * math.log(CLASSES))).sum(0)


def test_masses_sum_to_one_and_are_products_of_softmaxes():
    logits = torch.randn(4, GROUPS * CLASSES).double()
    q = OneHot(logits, classes=CLASSES)
    log_masses = q.log_prob(codes().unsqueeze(1))
    torch.testing.assert_close(log_masses.exp().sum(0), torch.ones(4).double())
    reference = torch.distributions.OneHotCategorical(logits=logits.unflatten(-1, (-1, CLASSES)))
    wanted = reference.log_prob(codes().unsqueeze(1).unflatten(-1, (-1, CLASSES))).sum(-1)
    torch.testing.assert_close(log_masses, wanted)
    torch.testing.assert_close(q.mean, (log_masses.exp().unsqueeze(-1) * codes()[:, None]).sum(0))


def test_kl_is_one_exact_term_per_group():
    q = OneHot(torch.randn(4, 6).double(), classes=3)
    p = OneHot(torch.randn(4, 6).double(), classes=3)
    wanted = torch.distributions.kl_divergence(
        torch.distributions.Categorical(logits=q.log_probs),
        torch.distributions.Categorical(logits=p.log_probs),
    )
    torch.testing.assert_close(q.kl_elements(p), wanted)
    uniform = OneHot(torch.zeros(6).double(), classes=3)
    entropy = torch.distributions.Categorical(logits=q.log_probs).entropy()
    torch.testing.assert_close(q.kl_elements(uniform), math.log(3) - entropy)


@pytest.mark.parametrize("temperature", [None, 0.1, 5.0])
def test_exact_draws_have_the_masses(temperature):
    q = OneHot(torch.tensor([0.0, 1.0, -1.0, 2.0]).double(), classes=4, temperature=temperature)
    counts = q.sample((20_000,)).sum(0)
    assert scipy.stats.chisquare(counts, 20_000 * q.mean).pvalue > 1e-4


def test_relaxed_draws_are_soft_and_their_largest_has_the_masses():
    q = OneHot(torch.randn(4).double(), classes=4, temperature=0.5)
    z = q.rsample((20_000,))
    torch.testing.assert_close(z.sum(-1), torch.ones(20_000).double())
    assert (z.max(-1).values < 0.9).any()
    counts = F.one_hot(z.argmax(-1), 4).sum(0)
    assert scipy.stats.chisquare(counts, 20_000 * q.mean).pvalue > 1e-4


def test_hard_draws_are_one_hot_with_the_gradient_of_relaxed_ones():
    logits, weight = torch.randn(5, 6).double().requires_grad_(), torch.randn(6).double()
    gradients = []
    for hard in (True, False):
        torch.manual_seed(3)
        z = OneHot(logits, classes=3, temperature=0.7, hard=hard).rsample((9,))
        if hard:
            torch.testing.assert_close(z.sort(-1).values[..., -2:], torch.ones(9, 5, 2).double())
            torch.testing.assert_close(z.sum(-1), torch.full((9, 5), 2.0).double())
        gradients.append(torch.autograd.grad((z * weight).sum(), logits)[0])
    torch.testing.assert_close(*gradients)


def test_evaluation_draws_are_exact_and_training_draws_relaxed():
    made, x = model(), data()
    assert ((made.train().evidence(x).nodes[0].z % 1) != 0).any()
    assert ((made.eval().evidence(x).nodes[0].z % 1) == 0).all()


def test_bounds_and_importance_sampling_are_those_of_enumeration():
    made, x = model(spread=0.3).eval(), data()
    scores = score(made, x, samples=4_000, first_row=0)
    with torch.no_grad():
        log_p, elbo = exact_log_marginal(made, x), exact_elbo(made, x)
        draws = made.evidence(x, samples=4_000).log_weight
    assert (log_p > elbo + 1e-3).all()
    error = draws.std(0) / math.sqrt(4_000)
    assert ((scores.elbo - elbo).abs() < 5 * error).all()
    weights = (draws - log_p).exp()
    assert ((scores.log_marginal - log_p).abs() < 5 * weights.std(0) / math.sqrt(4_000)).all()


@pytest.mark.parametrize("samples", [1, 3])
def test_the_rate_and_its_gradient_are_exact(samples):
    made, x = model().train(), data()
    evidence = made.evidence(x, samples=samples)
    assert evidence.nodes[0].kl_elements.shape == (samples, 6, GROUPS)
    log_q = made.encode(x).log_prob(codes().unsqueeze(1))
    wanted = (log_q.exp() * (log_q + GROUPS * math.log(CLASSES))).sum(0)
    torch.testing.assert_close(evidence.rate[0], wanted)
    weight = made.posterior.head.weight
    (got,) = torch.autograd.grad(evidence.rate.mean(), weight)
    torch.testing.assert_close(got, torch.autograd.grad(wanted.mean(), weight)[0])


def gradients(made, x, samples=3_000):
    """Of the negative bound in the head's weights: relaxed, and exact by enumeration."""
    weight = made.posterior.head.weight
    (relaxed,) = torch.autograd.grad(ELBO()(made.evidence(x, samples=samples)).total, weight)
    (exact,) = torch.autograd.grad(-exact_elbo(made, x).mean(), weight)
    return relaxed, exact


@pytest.mark.parametrize("hard", [False, True])
def test_the_relaxed_gradient_points_where_the_exact_one_does(hard):
    """It is biased: it is close, in direction and size, and not equal."""
    relaxed, exact = gradients(model(temperature=0.5, hard=hard).train(), data())
    assert F.cosine_similarity(relaxed.flatten(), exact.flatten(), dim=0) > 0.9
    assert relaxed.norm() == pytest.approx(exact.norm().item(), rel=0.5)


def test_the_bias_of_the_relaxed_gradient_grows_with_the_temperature():
    x, errors = data(), []
    for temperature in (0.2, 1.0, 5.0):
        relaxed, exact = gradients(model(temperature=temperature).train(), x)
        errors.append(((relaxed - exact).norm() / exact.norm()).item())
    assert errors[0] < errors[1] < errors[2]
    assert errors[2] > 0.3


def test_log_weights_of_relaxed_codes_are_refused():
    """z = (1/K, …) scores log q below log p whatever q is: the "bound" would exceed log p(x)."""
    made, x = model(temperature=100.0).train(), data()
    q = made.encode(x)
    assert (q.log_prob(q.rsample()) < -GROUPS * math.log(CLASSES)).any()
    evidence = made.evidence(x, samples=3)
    for ask in (
        lambda: evidence.log_weight,
        lambda: ImportanceWeighted(samples=3)(evidence),
        lambda: evidence.nodes[0].kl_elements_stopped,
    ):
        with pytest.raises(ConfigError, match=r"are no draws.*categorical:hard=true"):
            ask()
    assert made.eval().evidence(x, samples=3).log_weight.shape == (3, 6)
    shared = made.spec.replace(prior=Vamp(components=4)).build(event_shape=(5,)).double()
    initialise(shared, x)
    with pytest.raises(ConfigError, match="relaxed codes are no draws"):
        ELBO()(shared.train().evidence(x))
    assert ELBO()(shared.eval().evidence(x)).total.isfinite()


def test_hard_codes_have_log_weights_but_no_exact_paths():
    made, x = model(spread=0.2, hard=True).train(), data()
    evidence = made.evidence(x, samples=2_000)
    weights = (evidence.log_weight - exact_log_marginal(made, x)).exp()
    assert ((weights.mean(0) - 1).abs() < 5 * weights.std(0) / math.sqrt(2_000)).all()
    for objective in (ELBO(gradient="stl"), ImportanceWeighted(gradient="dreg")):
        with pytest.raises(ConfigError, match=r"continuous codes; got discrete codes"):
            objective(evidence)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match=r"latent_dim a multiple of classes = 10, got .* = 6"):
        Categorical().build(features=8, latent_shape=(6,))
    spec = FlatVAE(latent_dim=6, posterior=Categorical(classes=3), prior=Standard())
    with pytest.raises(ConfigError, match=r"a prior over one-hot vectors of 3 classes"):
        spec.build(event_shape=(5,))
    with pytest.raises(ConfigError, match=r"a prior over one-hot vectors of 3 classes"):
        spec.replace(prior=UniformCategorical(classes=2)).build(event_shape=(5,))
