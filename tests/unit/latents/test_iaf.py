"""Inverse autoregressive flows: triangular, invertible, normalised, and better than diagonal."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import MultivariateNormal

from vaekit.distributions import StandardNormal
from vaekit.latents import IAF, Diagonal
from vaekit.models import FlatVAE
from vaekit.networks import MLP

FORMS = ["affine", "gated", "shift"]
SPECS = [IAF(steps=2, hidden=(12,), context=3, form=form) for form in FORMS]
SPECS.append(IAF(steps=3, hidden=(), context=3))
SPECS.append(IAF(steps=1, hidden=(7, 9), context=3))
every = pytest.mark.parametrize("spec", SPECS, ids=lambda s: f"{s.form}-{s.steps}-{s.hidden}")


def built(spec, n=4, spread=0.5):
    """A posterior whose weights are far from where they start."""
    module = spec.build(features=8, latent_shape=(n,)).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += spread * torch.randn_like(parameter)
    return module


def features(rows=5):
    return torch.randn(rows, 8, dtype=torch.float64)


def jacobian(function, at):
    return torch.autograd.functional.jacobian(function, at, vectorize=True)


@every
@pytest.mark.parametrize("n", [1, 4])
def test_each_step_is_triangular_in_its_order(spec, n):
    module, context = built(spec, n), torch.randn(3, dtype=torch.float64)
    for t, step in enumerate(module.flow.steps):
        square = jacobian(lambda e, step=step: step(e, context)[0], torch.randn(n).double())
        order = list(range(n)) if t % 2 == 0 else list(reversed(range(n)))
        assert list(step.net.order) == order
        square = square[order][:, order]
        assert square.triu(1).abs().max() == 0
        below = square[torch.tril_indices(n, n, -1).unbind()]
        assert (below != 0).all()
        outputs = jacobian(lambda e, step=step: step.net(e, context), torch.randn(n).double())
        assert outputs[:, order][..., order].triu().abs().max() == 0


@every
def test_the_log_determinant_is_that_of_the_jacobian(spec):
    module = built(spec)
    eps, context = torch.randn(4).double(), torch.randn(3).double()
    wanted = torch.linalg.slogdet(jacobian(lambda e: module.flow(e, context)[0], eps))[1]
    torch.testing.assert_close(module.flow(eps, context)[1], wanted, rtol=1e-10, atol=1e-11)


def test_shifts_preserve_volume():
    _, log_det = built(SPECS[2]).flow(torch.randn(6, 4).double(), torch.randn(6, 3).double())
    assert (log_det == 0).all()


@every
def test_the_inverse_undoes_the_flow(spec):
    q = built(spec)(features())
    z, log_q = q.rsample_and_log_prob((7,))
    torch.testing.assert_close(q.log_prob(z), log_q, rtol=1e-9, atol=1e-9)
    eps, log_det = q.flow(z, q.context, inverse=True)
    again, same = q.flow(eps, q.context)
    torch.testing.assert_close(again, z, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(log_det, same, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("spec", SPECS[:3], ids=FORMS)
def test_two_dimensions_integrate_to_one(spec):
    q = built(spec, 2, spread=0.3)(features(1))
    centre, width = q.mean[0].detach(), 14 * q.stddev[0].detach()
    line = torch.linspace(-1, 1, 401, dtype=torch.float64)
    points = torch.cartesian_prod(line, line) * width + centre
    with torch.no_grad():
        mass = q.log_prob(points.unsqueeze(1)).exp().sum() * (line[1] - line[0]) ** 2
    assert (mass * width.prod()).item() == pytest.approx(1, abs=1e-5)


def test_it_starts_as_the_diagonal_posterior():
    torch.manual_seed(1)
    spec = IAF(steps=3, hidden=(6,), context=3)
    module, h = spec.build(features=8, latent_shape=(4,)).double(), features()
    diagonal = Diagonal().build(features=8, latent_shape=(4,)).double()
    with torch.no_grad():
        diagonal.head.weight.copy_(module.head.weight[:8])
        diagonal.head.bias.copy_(module.head.bias[:8])
    z = torch.randn(9, 5, 4).double()
    q, wanted = module(h), diagonal(h)
    torch.testing.assert_close(q.log_prob(z), wanted.log_prob(z), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(q.mean, wanted.mean, rtol=1e-12, atol=1e-12)


def test_the_context_reaches_every_coordinate():
    module = built(IAF(steps=1, hidden=(12,), context=3))
    context = torch.randn(3).double()
    square = jacobian(lambda c: module.flow(torch.ones(4).double(), c)[0], context)
    assert (square.abs().sum(1) > 0).all()


def test_rows_do_not_mix_in_the_mean():
    module, h = built(SPECS[0]), features()
    q, alone = module(h), module(h[2:3])
    torch.testing.assert_close(q.mean[2:3], alone.mean, rtol=0, atol=1e-12)
    torch.testing.assert_close(q.stddev[2:3], alone.stddev, rtol=0, atol=1e-12)
    assert torch.equal(q.mean, q.mean)


def test_the_mean_is_that_of_many_draws():
    q = built(SPECS[0], spread=0.2)(features(2))
    with torch.no_grad():
        draws = q.rsample((40_000,))
    error = (q.mean - draws.mean(0)) / q.stddev
    assert error.abs().max() < 4 / math.sqrt(64)
    torch.testing.assert_close(q.stddev, draws.std(0), rtol=0.35, atol=0)


def test_the_mean_of_a_linear_flow_is_exact():
    module = built(IAF(steps=2, hidden=(), context=3, form="shift"))
    q = module(features())
    wanted, _ = module.flow(q.base.loc, q.context)
    torch.testing.assert_close(q.mean, wanted, rtol=1e-12, atol=1e-12)


def test_detached_only_the_value_has_a_path():
    """∇_φ log q(z_φ) with φ cut in log q is what STL and DReG use: ∂log q/∂z · ∂z/∂φ."""
    module, h = built(SPECS[0]), features()
    q = module(h)
    z = q.rsample((3,))
    leaf = z.detach().requires_grad_()
    q.detach().log_prob(leaf).sum().backward()
    assert all(p.grad is None for p in module.parameters())
    plain = leaf.detach().requires_grad_()
    (wanted,) = torch.autograd.grad(q.log_prob(plain).sum(), plain)
    torch.testing.assert_close(leaf.grad, wanted, rtol=1e-12, atol=1e-12)
    step = module.flow.steps[0].net.layers[0].weight
    stopped = torch.autograd.grad(q.detach().log_prob(z).sum(), step, retain_graph=True)[0]
    (whole,) = torch.autograd.grad(q.log_prob(z).sum(), step, retain_graph=True)
    (path,) = torch.autograd.grad(z, step, grad_outputs=leaf.grad)
    torch.testing.assert_close(stopped, path, rtol=1e-9, atol=1e-10)
    assert not torch.allclose(stopped, whole)


def test_score_of_the_density_has_mean_zero():
    """E_q[∂ log q(z)/∂φ] = 0: the log density knows every parameter of the draws."""
    module = built(SPECS[0], 2, spread=0.2)
    q = module(features(1))
    z = q.rsample((4_000,)).detach()
    bias = module.flow.steps[1].net.layers[-1].bias
    pieces = [
        torch.autograd.grad(part.mean(), bias, retain_graph=True)[0]
        for part in q.log_prob(z).split(100)
    ]
    scores = torch.stack(pieces)
    assert (scores.mean(0).abs() < 4 * scores.std(0) / math.sqrt(len(scores))).all()
    assert scores.std(0).min() > 0


def test_one_linear_step_closes_the_gap_on_a_correlated_normal():
    """The best diagonal q of N(0, [[1, ρ], [ρ, 1]]) has KL −½ log(1 − ρ²); one step has 0."""
    rho = 0.8
    covariance = torch.tensor([[1, rho], [rho, 1]]).double()
    target = MultivariateNormal(torch.zeros(2).double(), covariance)
    module = IAF(steps=1, hidden=(), context=1).build(features=1, latent_shape=(2,)).double()
    h = torch.ones(1, 1).double()
    nodes, weights = gauss_hermite()
    optimiser = torch.optim.LBFGS(
        module.parameters(), max_iter=300, tolerance_grad=1e-11, line_search_fn="strong_wolfe"
    )

    def kl():
        q = module(h)
        z, log_det = q.flow(q.base.loc + q.base.scale * nodes, q.context)
        log_q = StandardNormal(nodes[0]).log_prob(nodes) - q.base.log_scale.sum() - log_det
        return (weights * (log_q - target.log_prob(z))).sum()

    start = kl().item()
    optimiser.step(lambda: (optimiser.zero_grad(), loss := kl(), loss.backward())[1])
    assert start > -0.5 * math.log(1 - rho**2)
    assert kl().item() == pytest.approx(0, abs=1e-8)


def gauss_hermite():
    """Nodes (n², 2) and weights of the expectation under N(0, I) in two dimensions."""
    line, weight = map(torch.as_tensor, np.polynomial.hermite_e.hermegauss(12))
    weight = weight / weight.sum()
    return torch.cartesian_prod(line, line), torch.outer(weight, weight).flatten()


def test_its_rate_is_the_mean_of_log_q_minus_log_p_and_every_parameter_learns():
    model = FlatVAE(latent_dim=3, encoder=MLP(hidden=(6,)), posterior=SPECS[0]).build(
        event_shape=(5,)
    )
    x = torch.randn(4, 5)
    evidence = model.evidence(x, samples=2)
    (node,) = evidence.nodes
    assert node.kl_elements.shape == (2, 4, 1)
    torch.testing.assert_close(node.kl, node.log_q - node.log_p)
    again = model.evidence(x, given=[node.z])
    torch.testing.assert_close(again.log_weight, evidence.log_weight, rtol=1e-5, atol=1e-5)
    (-evidence.elbo.mean()).backward()
    for name, parameter in model.posterior.named_parameters():
        assert parameter.grad is not None, name
