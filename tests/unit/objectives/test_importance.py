"""The importance-weighted bound against exact answers, and its gradients against each other.

x | z ~ N(z, 1) and z ~ N(0, 1), so that log p(x) = log N(x; 0, 2) and p(z|x) = N(x/2, 1/2).
"""

import math

import pytest
import torch

from vaekit.distributions import Normal, StandardNormal
from vaekit.errors import ConfigError
from vaekit.models import Evidence, FlatVAE, Node
from vaekit.objectives import ELBO, ImportanceWeighted

X = 1.3
EXACT = -0.5 * math.log(2 * math.pi * 2) - X**2 / 4


def evidence(parameters, samples, rows):
    """q = N(loc, e^log_scale), p(z) = N(shift, 1), x | z ~ N(z, 1); float64."""
    loc, log_scale, shift = parameters
    q = Normal.from_log_scale(loc.expand(rows, 1), log_scale.expand(rows, 1))
    z = q.rsample((samples,))
    px = Normal(z, torch.ones(()).double())
    x = torch.full((rows, 1), X, dtype=torch.float64)
    p = Normal(shift.expand(1), torch.ones(1).double())
    return Evidence(px, None, [Node(z, q, p)], value=x)


def start(loc=0.2, log_scale=-0.1, shift=0.0):
    return [torch.tensor(v, dtype=torch.float64).requires_grad_() for v in (loc, log_scale, shift)]


def gradients(gradient, samples, *, rows, seed=0, **where):
    """One gradient for each row, shape (rows, 3)."""
    torch.manual_seed(seed)
    leaves = [p.detach().expand(rows, 1).clone().requires_grad_() for p in start(**where)]
    loc, log_scale, shift = leaves
    q = Normal.from_log_scale(loc, log_scale)
    z = q.rsample((samples,))
    px = Normal(z, torch.ones(()).double())
    x = torch.full((rows, 1), X, dtype=torch.float64)
    one = Evidence(px, None, [Node(z, q, Normal(shift, torch.ones(1).double()))], value=x)
    objective = ImportanceWeighted(samples=samples).replace(gradient=gradient)
    loss = objective(one).total * rows
    return torch.cat(torch.autograd.grad(loss, leaves), 1)


def test_the_bound_rises_to_log_p_with_the_samples():
    torch.manual_seed(0)
    bounds = []
    for samples in (1, 2, 8, 64, 512):
        loss = ImportanceWeighted(samples=samples)(evidence(start(), samples, 4_000))
        bounds.append(-loss.total.item())
    assert bounds == sorted(bounds)
    assert bounds[0] < EXACT - 0.1
    assert bounds[-1] == pytest.approx(EXACT, abs=5e-3)


def test_it_is_exact_when_q_is_the_posterior():
    where = start(loc=X / 2, log_scale=0.5 * math.log(0.5))
    for samples in (2, 5):
        loss = ImportanceWeighted(samples=samples)(evidence(where, samples, 10))
        assert -loss.total.item() == pytest.approx(EXACT, abs=1e-12)


@pytest.mark.parametrize("gradient", ["plain", "stl", "dreg"])
def test_the_loss_is_the_bound_whatever_the_gradient(gradient):
    torch.manual_seed(0)
    samples = 1 if gradient == "stl" else 7
    one = evidence(start(), samples, 5)
    loss = ImportanceWeighted(samples=samples, gradient=gradient)(one)
    expected = one.log_weight.exp().mean(0).log().mean()
    assert loss.total.item() == pytest.approx(-expected.item(), abs=1e-12)
    assert loss.terms["distortion"].item() == pytest.approx(one.distortion.mean().item())


def test_one_sample_is_the_elbo_in_value_and_gradient():
    x = torch.rand(6, 4).double()
    model = FlatVAE(latent_dim=3).build(event_shape=(4,)).double()
    results = []
    for objective in (ELBO(), ImportanceWeighted(samples=1)):
        torch.manual_seed(1)
        loss = objective(model.evidence(x)).total
        results.append([loss, *torch.autograd.grad(loss, list(model.parameters()))])
    for plain, weighted in zip(*results, strict=True):
        torch.testing.assert_close(plain, weighted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("gradient", "samples"), [("stl", 1), ("dreg", 1), ("dreg", 8)])
def test_estimators_have_the_mean_of_the_plain_gradient(gradient, samples):
    rows = 60_000
    plain = gradients("plain", samples, rows=rows)
    other = gradients(gradient, samples, rows=rows, seed=1)
    error = ((plain.var(0) + other.var(0)) / rows).sqrt()
    assert bool(((plain.mean(0) - other.mean(0)).abs() < 4 * error).all())
    assert bool((error < 0.02).all())  # small enough to see a bias


def test_sticking_the_landing_with_more_samples_would_be_biased(monkeypatch):
    monkeypatch.setattr(ImportanceWeighted, "validate", lambda self: None)
    rows = 60_000
    plain = gradients("plain", 8, rows=rows)
    naive = gradients("stl", 8, rows=rows, seed=1)
    error = ((plain.var(0) + naive.var(0)) / rows).sqrt()
    assert bool(((plain.mean(0) - naive.mean(0)).abs() > 5 * error)[:2].any())


def test_and_is_refused():
    with pytest.raises(ConfigError, match=r"biased.*samples=2.*dreg"):
        ImportanceWeighted(samples=2, gradient="stl")


@pytest.mark.parametrize(("gradient", "samples"), [("stl", 1), ("dreg", 5)])
def test_nothing_varies_once_q_is_the_posterior(gradient, samples):
    where = {"loc": X / 2, "log_scale": 0.5 * math.log(0.5)}
    encoder = gradients(gradient, samples, rows=200, **where)[:, :2]
    torch.testing.assert_close(encoder, torch.zeros_like(encoder), rtol=0, atol=1e-12)
    plain = gradients("plain", samples, rows=200, **where)[:, :2]
    assert plain.std() > 0.1


def test_the_signal_does_not_drown_as_samples_grow():
    def signal_to_noise(gradient, samples):
        found = gradients(gradient, samples, rows=5_000)[:, 0]
        return (found.mean().abs() / found.std()).item()

    assert signal_to_noise("plain", 256) < 0.5 * signal_to_noise("plain", 4)
    assert signal_to_noise("dreg", 256) > signal_to_noise("dreg", 4)


def test_a_prior_that_shares_the_encoder_has_an_unbiased_gradient():
    """p(z) = N(2 loc, 1) and q(z|x) = N(loc, s²) share a parameter, as with pseudo-inputs."""

    def one_gradient(gradient, seed):
        torch.manual_seed(seed)
        rows = 60_000
        loc = torch.full((rows, 1), 0.2, dtype=torch.float64).requires_grad_()
        q = Normal(loc, torch.full((1,), 0.8).double())
        z = q.rsample((6,))
        p = Normal(2 * loc, torch.ones(1).double())
        x = torch.full((rows, 1), X, dtype=torch.float64)
        one = Evidence(Normal(z, torch.ones(()).double()), None, [Node(z, q, p)], value=x)
        loss = ImportanceWeighted(samples=6, gradient=gradient)(one).total * rows
        return torch.autograd.grad(loss, loc)[0]

    plain, other = one_gradient("plain", 0), one_gradient("dreg", 1)
    error = ((plain.var() + other.var()) / len(plain)).sqrt()
    assert abs(plain.mean() - other.mean()) < 4 * error < 0.05


def test_several_groups_are_refused():
    q = Normal(torch.zeros(2, 1, requires_grad=True), torch.ones(1))
    nodes = [Node(q.rsample((3,)), q, StandardNormal(torch.zeros(1))) for _ in range(2)]
    two = Evidence(Normal(nodes[0].z, torch.ones(())), None, nodes, value=torch.zeros(2, 1))
    with pytest.raises(ConfigError, match=r"single group.*2 latent groups"):
        ImportanceWeighted(samples=3, gradient="dreg")(two)


def test_codes_that_are_scored_by_an_index_have_no_path():
    q = Normal(torch.zeros(2, 1), torch.ones(1))
    z = q.rsample((3,))
    node = Node(z, q, StandardNormal(torch.zeros(1)), value=z.clone())
    one = Evidence(Normal(z, torch.ones(())), None, [node], value=torch.zeros(2, 1))
    with pytest.raises(ConfigError, match=r"continuous codes.*scored by their index"):
        ImportanceWeighted(samples=3, gradient="dreg")(one)


def test_penalties_are_paid():
    one = evidence(start(), 3, 4)
    paid = Evidence(one.px, None, one.nodes, {"commitment": torch.tensor(2.0)}, value=one.value)
    objective = ImportanceWeighted(samples=3)
    assert objective(paid).total.item() == pytest.approx(objective(one).total.item() + 2)
