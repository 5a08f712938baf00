"""Mixtures against SciPy in double precision, quadrature, and what they must reduce to."""

import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import norm

from vaekit.distributions import (
    JointDensity,
    Mixture,
    Normal,
    StandardNormal,
    TriangularNormal,
    row_noise,
    shared_noise,
)
from vaekit.errors import ConfigError


def normals(k=4, n=3, dtype=torch.float64, spread=2.0):
    loc = spread * torch.randn(k, n, dtype=dtype)
    return Normal.from_log_scale(loc, 0.5 * torch.randn(k, n, dtype=dtype))


def triangular(k=4, n=3):
    factor = torch.randn(k, n, n).tril(-1) + torch.diag_embed(torch.rand(k, n) + 0.3)
    return TriangularNormal(torch.randn(k, n).double(), factor.double())


def scipys(p, x):
    loc, scale = (t.double().numpy() for t in (p.components.loc, p.components.scale))
    each = norm.logpdf(x.double().numpy()[..., None, :], loc, scale).sum(-1)
    return logsumexp(each + p.log_weights.double().numpy(), axis=-1)


@pytest.mark.parametrize("shape", [(), (5,), (2, 5)])
def test_log_prob_is_scipys(shape):
    p = Mixture(normals(), torch.randn(4).double())
    x = 3 * torch.randn(*shape, 3).double()
    np.testing.assert_allclose(p.log_prob(x), scipys(p, x), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(p.log_weights.exp().sum(), 1.0, rtol=1e-12)


def test_single_precision_is_enough_far_from_the_origin():
    """Squares of 1e6 cancel to a few nats: a product of single-precision matrices loses them."""
    loc = 50 + torch.randn(20, 40)
    p = Mixture(Normal(loc, torch.full_like(loc, 0.05)), torch.zeros(20))
    x = loc[:7] + 0.05 * torch.randn(7, 40)
    np.testing.assert_allclose(p.log_prob(x), scipys(p, x), atol=1e-4)


def test_autocast_does_not_reach_the_products():
    p, x = Mixture(normals(dtype=torch.float32), torch.zeros(4)), torch.randn(5, 3)
    wanted = p.log_prob(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(p.log_prob(x), wanted, rtol=0, atol=0)


@pytest.mark.parametrize("components", [normals, triangular])
def test_terms_are_those_of_the_chain_rule(components):
    """The first i terms sum to log of the marginal density of the first i coordinates."""
    p = Mixture(components(), torch.randn(4).double())
    x = torch.randn(2, 5, 3).double()
    terms = p.log_prob_elements(x)
    assert terms.shape == x.shape
    torch.testing.assert_close(terms.sum(-1), p.log_prob(x), rtol=1e-10, atol=1e-10)
    for i in (1, 2):
        if isinstance(p.components, Normal):
            part = Normal(p.components.loc[:, :i], p.components.scale[:, :i])
        else:
            part = TriangularNormal(p.components.loc[:, :i], p.components.scale_tril[:, :i, :i])
        wanted = Mixture(part, p.log_weights).log_prob(x[..., :i])
        torch.testing.assert_close(terms[..., :i].sum(-1), wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("components", [normals, triangular])
def test_it_integrates_to_one(components):
    p = Mixture(components(n=2), torch.randn(4).double())
    axis = torch.linspace(-14, 14, 1401, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    total = p.log_prob(grid).exp().sum() * (axis[1] - axis[0]) ** 2
    assert total.item() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("components", [normals, triangular])
def test_moments_and_draws(components):
    torch.manual_seed(0)
    p = Mixture(components(), torch.randn(4).double())
    x = p.sample((200_000,))
    assert x.shape == (200_000, 3)
    error = p.stddev / math.sqrt(len(x))
    assert ((x.mean(0) - p.mean).abs() < 4 * error).all()
    np.testing.assert_allclose(x.std(0), p.stddev, rtol=0.02)
    entropy = -p.log_prob(p.sample((50_000,)))
    again = -p.log_prob(x)
    both = math.hypot(entropy.std() / 50_000**0.5, again.std() / 200_000**0.5)
    assert abs(entropy.mean() - again.mean()) < 4 * both


def test_each_component_is_drawn_as_often_as_its_weight_says():
    torch.manual_seed(0)
    loc = torch.arange(4.0).unsqueeze(-1) * 100
    weights = torch.tensor([0.5, 0.0, 0.2, 0.3])
    p = Mixture(Normal(loc, torch.ones(4, 1)), weights.log())
    chosen = (p.sample((100_000,)) / 100).round().long().flatten()
    np.testing.assert_allclose(chosen.bincount(minlength=4) / 1e5, weights, atol=0.006)


def test_a_batch_of_mixtures_is_each_of_them():
    loc, log_scale = torch.randn(2, 6, 4, 3).double()
    logits = torch.randn(6, 4).double()
    p = Mixture(Normal.from_log_scale(loc, log_scale), logits)
    x = torch.randn(5, 6, 3).double()
    for row in range(6):
        one = Mixture(Normal.from_log_scale(loc[row], log_scale[row]), logits[row])
        torch.testing.assert_close(p.log_prob(x)[:, row], one.log_prob(x[:, row]))
        torch.testing.assert_close(p.mean[row], one.mean)
        torch.testing.assert_close(p.stddev[row], one.stddev)
    assert p.batch_shape == (6,)
    assert p.sample((7,)).shape == (7, 6, 3)


def test_gradients_of_the_fast_sum_are_those_of_the_terms():
    x = torch.randn(5, 3).double()
    leaves = [torch.randn(4, 3), torch.randn(4, 3), torch.randn(4)]
    leaves = [leaf.double().requires_grad_() for leaf in leaves]
    p = Mixture(Normal.from_log_scale(leaves[0], leaves[1]), leaves[2])
    fast = torch.autograd.grad(p.log_prob(x).sum(), leaves, retain_graph=True)
    slow = torch.autograd.grad(p.log_prob_elements(x).sum(), leaves)
    for one, other in zip(fast, slow, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
        assert one.abs().sum() > 0


def test_detach_reaches_the_components():
    loc = torch.zeros(4, 3, requires_grad=True)
    p = Mixture(Normal(loc, torch.ones(4, 3)), torch.zeros(4, requires_grad=True)).detach()
    assert not p.log_prob(torch.zeros(3)).requires_grad


def test_one_component_is_that_component():
    q = Normal(torch.randn(5, 3).double(), torch.rand(5, 3).double() + 0.1)
    standard = StandardNormal(torch.zeros(3).double())
    p = Mixture(Normal(torch.zeros(1, 3).double(), torch.ones(1, 3).double()), torch.zeros(1))
    torch.testing.assert_close(q.kl_elements(p), q.kl_elements(standard))
    x = torch.randn(7, 3).double()
    torch.testing.assert_close(p.log_prob(x), standard.log_prob(x))
    assert q.kl_elements(Mixture(normals(), torch.zeros(4))) is None


def test_numbers_without_an_axis_are_refused():
    with pytest.raises(ConfigError, match="densities over vectors"):
        Mixture(Normal(torch.zeros(4), torch.ones(4), event_dims=0), torch.zeros(4))


class Blob(JointDensity):
    __slots__ = ("scale",)

    def __init__(self, scale):
        self.scale, self.event_dims = scale, 1

    def log_prob(self, value):
        return Normal(torch.zeros_like(value), self.scale.unsqueeze(-1)).log_prob(value)


def test_components_without_terms_make_a_mixture_without_terms():
    p = Mixture(Blob(torch.tensor([1.0, 2.0])), torch.zeros(2))
    x = torch.randn(5, 3)
    assert not p.has_terms
    assert p.log_prob_elements(x).shape == (5, 1)
    torch.testing.assert_close(p.log_prob_elements(x)[:, 0], p.log_prob(x))


@pytest.mark.parametrize("components", [normals, triangular])
def test_draws_obey_the_noise_of_measurements(components):
    p = Mixture(components(), torch.zeros(4).double())
    with row_noise(0, first=0, rows=7):
        one = p.sample((5,))
    with row_noise(0, first=3, rows=2):
        assert torch.equal(p.sample((5,)), one)  # rows are no part of an unconditional density
    loc = torch.zeros(6, 4, 3).double()
    by_row = Mixture(Normal(loc, torch.ones_like(loc)), torch.zeros(6, 4).double())
    with shared_noise(0):
        x = by_row.sample((5,))
    assert torch.equal(x[:, :1].expand_as(x), x)
