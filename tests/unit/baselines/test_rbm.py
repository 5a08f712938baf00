"""Restricted Boltzmann machines against enumeration of every state, quadrature and autograd."""

import itertools

import pytest
import torch

from vaekit.baselines.rbm import BINARY, NORMAL, RBM
from vaekit.errors import NumericalError

V, H = 4, 3
STATES = {n: torch.tensor(list(itertools.product((0.0, 1.0), repeat=n))) for n in (V, H)}
STATES = {n: states.double() for n, states in STATES.items()}


def machine(visible=BINARY, hidden=BINARY, *, scale=1.0, seed=0):
    """A machine of 4 × 3 units with weights and biases of order ``scale``."""
    generator = torch.Generator().manual_seed(seed)
    made = RBM(STATES[V], H, visible=visible, hidden=hidden, generator=generator)
    for tensor in made.parameters:
        tensor.normal_(std=scale, generator=generator)
    return made


def log_weights(made):
    """−E(v, h) of every state of binary units, shape (16, 8)."""
    v, h = STATES[V], STATES[H]
    return (v @ made.visible_bias)[:, None] + v @ made.weight @ h.T + h @ made.hidden_bias


def test_free_energy_sums_over_hidden_states():
    made = machine()
    expected = -log_weights(made).logsumexp(1)
    torch.testing.assert_close(made.free_energy(STATES[V]), expected)


def test_conditionals_are_those_of_the_enumerated_joint():
    made = machine()
    joint = log_weights(made).flatten().softmax(0).view(16, 8)
    torch.testing.assert_close(made.up(STATES[V]), joint @ STATES[H] / joint.sum(1)[:, None])
    torch.testing.assert_close(made.down(STATES[H]), joint.T @ STATES[V] / joint.sum(0)[:, None])


def test_normal_hidden_units_are_integrated_out():
    made = machine(hidden=NORMAL, scale=0.3)
    grid = torch.linspace(-12, 12, 1201, dtype=torch.float64)
    natural = made.hidden_bias + STATES[V] @ made.weight
    log_each = natural[..., None] * grid - 0.5 * grid.square()
    integral = (log_each.exp().sum(-1) * (grid[1] - grid[0])).log()
    gap = made.free_energy(STATES[V]) + STATES[V] @ made.visible_bias + integral.sum(1)
    torch.testing.assert_close(gap, gap[:1].expand(16))
    density = log_each.exp() / log_each.exp().sum(-1, keepdim=True)
    torch.testing.assert_close(made.up(STATES[V]), (density * grid).sum(-1))


def test_normal_visible_units_are_a_mixture_of_normals():
    made = machine(visible=NORMAL)
    v = torch.randn(6, V, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    energy = 0.5 * v.square().sum(1)[:, None] - (v @ made.visible_bias)[:, None]
    energy = energy - v @ made.weight @ STATES[H].T - STATES[H] @ made.hidden_bias
    torch.testing.assert_close(made.free_energy(v), -(-energy).logsumexp(1))
    mean = made.down(STATES[H]).requires_grad_()
    normal = torch.distributions.Normal(mean, 1.0)
    slope = torch.autograd.grad(normal.log_prob(v[:, None]).sum(0).sum(), mean)[0]
    expected = v.sum(0) - 6 * (made.visible_bias + STATES[H] @ made.weight.T)
    torch.testing.assert_close(slope, expected)


@pytest.mark.parametrize("units", [BINARY, NORMAL], ids=["binary", "normal"])
def test_units_are_exponential_families(units):
    natural = torch.linspace(-3, 3, 7, dtype=torch.float64, requires_grad=True)
    slope = torch.autograd.grad(units.log_partition(natural).sum(), natural)[0]
    torch.testing.assert_close(units.mean(natural), slope)
    torch.testing.assert_close(units.natural(units.mean(natural)), natural)
    generator = torch.Generator().manual_seed(0)
    draws = units.draw(natural.detach().expand(40_000, 7), generator)
    torch.testing.assert_close(draws.mean(0), slope, atol=0.02, rtol=0)
    variance = torch.autograd.functional.hessian(lambda n: units.log_partition(n).sum(), natural)
    torch.testing.assert_close(draws.var(0), variance.diagonal(), atol=0.03, rtol=0)


def exact_gradient(made, rows):
    """Of the mean log p(v) over rows, by autograd through the enumerated partition function."""
    leaves = [tensor.clone().requires_grad_() for tensor in made.parameters]
    made.weight, made.visible_bias, made.hidden_bias = leaves
    log_z = (-made.free_energy(STATES[V])).logsumexp(0)
    gradient = torch.autograd.grad((-made.free_energy(rows)).mean() - log_z, leaves)
    made.weight, made.visible_bias, made.hidden_bias = (leaf.detach() for leaf in leaves)
    return gradient


@pytest.mark.parametrize("seed", range(3))
def test_contrastive_divergence_points_uphill(seed):
    made = machine(seed=seed)
    rows = STATES[V][[3, 3, 12, 5]].repeat(5_000, 1)
    exact = torch.cat([g.flatten() for g in exact_gradient(made, rows)])
    one = torch.cat([g.flatten() for g in made.contrast(rows)])
    assert torch.cosine_similarity(one, exact, dim=0) > 0.5


def test_a_long_chain_has_the_exact_gradient():
    made = machine(scale=0.5)
    rows = STATES[V][[3, 3, 12, 5]].repeat(10_000, 1)
    for estimate, exact in zip(
        made.contrast(rows, steps=30), exact_gradient(made, rows), strict=True
    ):
        torch.testing.assert_close(estimate, exact, atol=0.015, rtol=0)


def test_fitting_raises_the_exact_likelihood():
    rows = STATES[V][[3, 3, 12, 5]].repeat(50, 1)
    made = RBM(rows, H, generator=torch.Generator().manual_seed(0))

    def likelihood():
        log_z = (-made.free_energy(STATES[V])).logsumexp(0)
        return float(-made.free_energy(rows).mean() - log_z)

    before = likelihood()
    made.fit(rows, epochs=100, batch_size=20, rate=0.02)
    entropy = 1.5 * torch.tensor(2.0).log()  # of the data: no model is better
    assert before < -2 < likelihood() < -entropy


def test_weights_that_leave_the_numbers():
    made = machine(visible=NORMAL, hidden=NORMAL)
    with pytest.raises(NumericalError, match="no longer finite"):
        made.fit(1e30 * STATES[V].float().double() ** 2 * 1e300, epochs=3, batch_size=4, rate=1.0)
