"""Evidence and nodes: shapes, sums, and bounds against an exactly known log p(x)."""

import math

import pytest
import torch

from vaekit.distributions import (
    Delta,
    Density,
    JointDensity,
    Laplace,
    Normal,
    StandardNormal,
    TriangularNormal,
    register_kl,
)
from vaekit.errors import ConfigError
from vaekit.models import Evidence, Node


def close(got, wanted, tolerance=1e-12):
    torch.testing.assert_close(got, torch.as_tensor(wanted), rtol=tolerance, atol=tolerance)


def constant(value, *shape):
    return torch.full(shape, value, dtype=torch.float64)


def normal(*shape):
    return Normal.from_log_scale(torch.randn(shape).double(), 0.3 * torch.randn(shape).double())


def standard(n=2):
    return StandardNormal(torch.zeros(n).double())


def evidence(samples=3, rows=4, penalties=None):
    """Two nodes, the second of which depends on the first, and pixels (2, 5)."""
    q1, p1, q2 = normal(rows, 2), standard(), normal(rows, 3)
    z1, z2 = q1.rsample((samples,)), q2.rsample((samples,))
    p2 = Normal(z1.sum(-1, keepdim=True).expand(-1, -1, 3), torch.ones(3).double())
    px = Normal(z1[..., None, :1].expand(-1, -1, 2, 5), torch.ones(()).double(), event_dims=2)
    x = torch.randn(rows, 2, 5).double()
    nodes = [Node(z1, q1, p1), Node(z2, q2, p2)]
    return Evidence(px, px.log_prob_elements(x), nodes, penalties), x


# --- shapes and sums ---------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("rows", [1, 4])
def test_everything_has_samples_then_rows(samples, rows):
    e, _ = evidence(samples, rows)
    assert e.log_px_elements.shape == (samples, rows, 2, 5)
    assert e.nodes[0].kl_elements.shape == (samples, rows, 2)
    assert e.nodes[1].kl_elements.shape == (samples, rows, 3)
    for quantity in (e.log_px, e.distortion, e.rate, e.elbo, e.log_weight):
        assert quantity.shape == (samples, rows)
    for node in e.nodes:
        for quantity in (node.kl, node.log_p, node.log_q, node.log_q_stopped):
            assert quantity.shape == (samples, rows)


def test_sums_are_sums():
    e, x = evidence()
    close(e.log_px, e.px.log_prob(x))
    close(e.distortion, -e.log_px)
    close(e.rate, e.nodes[0].kl_elements.sum(-1) + e.nodes[1].kl_elements.sum(-1))
    close(e.elbo, e.log_px - e.rate)
    wanted = e.log_px
    for node in e.nodes:
        wanted = wanted + node.p.log_prob(node.z) - node.q.log_prob(node.z)
    close(e.log_weight, wanted)


def test_an_event_without_axes():
    q = Normal(torch.zeros(4), torch.ones(4), event_dims=0)
    node = Node(q.rsample((3,)), q, StandardNormal(torch.zeros(())))
    e = Evidence(q, q.log_prob_elements(torch.zeros(3, 4)), [node])
    assert e.elbo.shape == e.log_weight.shape == (3, 4)


def test_without_latents_the_rate_is_zero():
    px = normal(3, 4, 2)
    e = Evidence(px, px.log_prob_elements(torch.zeros(4, 2)), [])
    close(e.rate, torch.zeros(3, 4).double())
    close(e.log_weight, e.elbo)


def test_penalties_are_summed_and_stay_out_of_the_bound():
    e, _ = evidence(penalties={"commitment": torch.tensor(2.0), "other": torch.tensor(0.5)})
    assert e.penalty.item() == 2.5
    close(e.elbo, e.log_px - e.rate)
    assert evidence()[0].penalty.item() == 0


def test_the_mean_log_weight_is_the_mean_elbo():
    torch.manual_seed(1)
    e, _ = evidence(samples=100_000)
    gap = e.log_weight - e.elbo  # the Monte Carlo part of both nodes' KL
    error = gap.std(0) / len(gap) ** 0.5
    assert (gap.mean(0).abs() <= 4 * error).all()
    assert (error > 0).all()


# --- how a node finds its terms ----------------------------------------------------------------


def test_an_unregistered_pair_uses_the_sample():
    q = Laplace(torch.randn(4, 2).double(), torch.zeros(4, 2).double())
    node = Node(q.rsample((3,)), q, standard())
    close(node.kl_elements, q.log_prob_elements(node.z) - node.p.log_prob_elements(node.z))
    close(node.kl, node.log_q - node.log_p)


def test_a_carried_log_q_is_used_as_it_is():
    class Slow(Laplace):
        __slots__ = ()

        def log_prob_elements(self, value):
            raise AssertionError("recomputed")

    q = Slow(torch.randn(4, 2).double(), torch.zeros(4, 2).double())
    z, carried = q.rsample((3,)), torch.randn(3, 4).double()
    node = Node(z, q, standard(), log_q=carried)
    close(node.log_q, carried)
    assert node.kl_elements.shape == (3, 4, 1)
    close(node.kl, carried - standard().log_prob(z))


def test_value_is_scored_in_place_of_z():
    """A quantised code: z is an embedding, q and p score its index."""

    class Index(Density):
        __slots__ = ("log_mass",)

        def __init__(self, log_mass):
            self.log_mass, self.event_dims = log_mass, 0

        def log_prob_elements(self, value):
            return self.log_mass.gather(-1, value.movedim(0, -1)).movedim(-1, 0)

    codebook, index = torch.randn(5, 2).double(), torch.randint(5, (3, 4))
    q = Index(torch.randn(4, 5).double().log_softmax(-1))
    p = Index(torch.zeros(4, 5).double().log_softmax(-1))
    node = Node(codebook[index], q, p, value=index)
    assert node.z.shape == (3, 4, 2)
    close(node.log_p, constant(-math.log(5), 3, 4))
    close(node.log_q, torch.stack([q.log_mass[torch.arange(4), row] for row in index]))
    close(node.kl, node.log_q - node.log_p)


@pytest.mark.parametrize("family", [Normal, TriangularNormal])
def test_stopped_log_q_reaches_z_but_not_the_parameters_of_q(family):
    loc = torch.randn(4, 2).double().requires_grad_()
    spread = torch.rand(4, 2).double().add(0.5)
    spread = (spread if family is Normal else torch.diag_embed(spread)).requires_grad_()
    q = family(loc, spread)
    z = q.sample((3,)).requires_grad_()
    node = Node(z, q, standard())
    close(node.log_q_stopped, node.log_q)
    by_z, by_loc, by_spread = torch.autograd.grad(
        node.log_q_stopped.sum(), [z, loc, spread], allow_unused=True, retain_graph=True
    )
    assert by_loc is None
    assert by_spread is None
    (wanted,) = torch.autograd.grad(node.log_q.sum(), z)
    close(by_z, wanted)
    assert (by_z != 0).all()


def test_a_point_has_rate_zero_and_refuses_importance_weights():
    q = Delta(torch.randn(4, 2))
    node = Node(q.rsample((3,)), q, StandardNormal(torch.zeros(2)))
    close(node.kl, torch.zeros(3, 4))
    px = Normal(node.z, torch.ones(()))
    e = Evidence(px, px.log_prob_elements(torch.zeros(4, 2)), [node])
    with pytest.raises(ConfigError, match="Delta has no density"):
        _ = e.log_weight
    with pytest.raises(ConfigError, match="Delta has no density"):
        _ = node.log_q_stopped


# --- against an exact answer: z ~ N(0, 1), x|z ~ N(z, 1), so log p(x) = log N(x; 0, 2) -----------

X = 1.3
LOG_PX = -0.25 * X**2 - 0.5 * math.log(4 * math.pi)
LOC, SCALE = 0.2, 0.9  # of a q that is not the posterior N(x/2, 1/2)


def conjugate(loc, scale, samples, rows=1):
    loc, log_scale = constant(loc, rows, 1), constant(math.log(scale), rows, 1)
    loc.requires_grad_(), log_scale.requires_grad_()
    q = Normal.from_log_scale(loc, log_scale)
    z = q.rsample((samples,))
    px = Normal(z, torch.ones(()).double())
    elements = px.log_prob_elements(constant(X, rows, 1))
    return Evidence(px, elements, [Node(z, q, standard(1))]), (loc, log_scale)


def within_four_errors(draws, wanted):
    error = draws.std() / draws.numel() ** 0.5
    assert abs(draws.mean() - wanted) <= 4 * error


def exact_elbo(loc, scale):
    distortion = 0.5 * math.log(2 * math.pi) + 0.5 * ((X - loc) ** 2 + scale**2)
    rate = 0.5 * (loc**2 + scale**2 - 1) - math.log(scale)
    return -distortion - rate


def test_the_exact_posterior_has_constant_weights_and_a_tight_bound():
    e, _ = conjugate(X / 2, math.sqrt(0.5), samples=50)
    close(e.log_weight, constant(LOG_PX, 50, 1))
    assert exact_elbo(X / 2, math.sqrt(0.5)) == pytest.approx(LOG_PX, abs=1e-12)


def test_elbo_has_its_exact_mean():
    e, _ = conjugate(LOC, SCALE, samples=100_000)
    within_four_errors(e.elbo, exact_elbo(LOC, SCALE))
    within_four_errors(e.log_weight, exact_elbo(LOC, SCALE))
    gap = 0.5 * ((SCALE**2 + (LOC - X / 2) ** 2) / 0.5 - 1) - math.log(SCALE / math.sqrt(0.5))
    assert exact_elbo(LOC, SCALE) == pytest.approx(LOG_PX - gap, abs=1e-12)


def test_importance_weighted_bounds_rise_to_log_p():
    weights = conjugate(LOC, SCALE, samples=256, rows=2_000)[0].log_weight.detach()
    bounds = []
    for k in (1, 2, 4, 16, 64, 256):
        groups = weights.unflatten(0, (256 // k, k)).logsumexp(1) - math.log(k)
        bounds.append((groups.mean().item(), groups.std().item() / groups.numel() ** 0.5))
    means = [mean for mean, _ in bounds]
    assert means == sorted(means)
    assert means[0] == pytest.approx(exact_elbo(LOC, SCALE), abs=4 * bounds[0][1])
    assert all(mean <= LOG_PX + 4 * error for mean, error in bounds)
    assert means[-1] == pytest.approx(LOG_PX, abs=1e-2)
    within_four_errors((weights - LOG_PX).exp(), 1)


def test_with_one_sample_the_importance_weighted_bound_is_the_elbo():
    """In value and in gradient: both against the derivatives of the exact ELBO."""
    e, parameters = conjugate(LOC, SCALE, samples=1, rows=100_000)
    iwae = e.log_weight.logsumexp(0)
    close(iwae, e.log_weight[0])
    wanted = (X - 2 * LOC, 1 - 2 * SCALE**2)
    for bound in (iwae, e.elbo[0]):
        within_four_errors(bound.detach(), exact_elbo(LOC, SCALE))
        gradients = torch.autograd.grad(bound.sum(), parameters, retain_graph=True)
        for gradient, slope in zip(gradients, wanted, strict=True):
            within_four_errors(gradient, slope)


def test_the_path_derivative_has_no_variance_at_the_posterior():
    e, parameters = conjugate(X / 2, math.sqrt(0.5), samples=1, rows=100)
    node = e.nodes[0]
    bound = e.log_px + node.log_p - node.log_q_stopped
    for gradient in torch.autograd.grad(bound.sum(), parameters):
        close(gradient, torch.zeros(100, 1).double())


# --- densities without terms, and draws that carry their density ------------------------------


class Whole(JointDensity):
    """A normal that pretends not to know its terms."""

    __slots__ = ("inner",)

    def __init__(self, inner):
        self.inner = inner
        self.event_dims = inner.event_dims

    def log_prob(self, value):
        return self.inner.log_prob(value)

    def rsample(self, shape=()):
        return self.inner.rsample(shape)


@pytest.mark.parametrize("side", ["q", "p", "both"])
def test_a_density_without_terms_has_one_term(side):
    q, p = normal(4, 2), Laplace(torch.zeros(2).double(), torch.zeros(2).double())
    z = q.rsample((3,))
    expected = Node(z, q, p)
    hidden_q = Whole(q) if side != "p" else q
    hidden_p = Whole(p) if side != "q" else p
    node = Node(z, hidden_q, hidden_p)
    assert node.kl_elements.shape == (3, 4, 1)
    close(node.kl, expected.kl)
    close(node.log_p - node.log_q, expected.log_p - expected.log_q)


@register_kl(Whole, Normal)
def _(q, p):
    return q.inner.kl_elements(p).sum(-1, keepdim=True)


@pytest.mark.parametrize("samples", [1, 3])
def test_a_closed_form_without_terms_is_counted_once(samples):
    q, p = normal(4, 2), normal(4, 2)
    node = Node(q.rsample((samples,)), Whole(q), p)
    assert node.kl_elements.shape == (samples, 4, 1)
    close(node.kl, Node(node.z, q, p).kl)


def test_a_carried_log_q_is_used_and_not_recomputed():
    q, p = normal(4, 2), Laplace(torch.zeros(2).double(), torch.zeros(2).double())
    z = q.rsample((3,))
    node = Node(z, q, p, log_q=torch.zeros(3, 4).double())
    close(node.kl, -p.log_prob(z))
