"""Planar flows: invertible whatever the encoder says, normalised, and diagonal at the start."""

import pytest
import torch

from vaekit.latents import Diagonal, Planar


def built(n=3, steps=3, spread=0.5):
    module = Planar(steps=steps).build(features=8, latent_shape=(n,)).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += spread * torch.randn_like(parameter)
    return module


def features(rows=5):
    return torch.randn(rows, 8, dtype=torch.float64)


@pytest.mark.parametrize("n", [1, 3])
def test_the_log_determinant_is_that_of_the_jacobian(n):
    q = built(n)(features(1))
    eps, context = torch.randn(n).double(), q.context[0]
    square = torch.autograd.functional.jacobian(lambda e: q.flow(e, context)[0], eps)
    wanted = torch.linalg.slogdet(square)
    assert wanted[0] == 1
    torch.testing.assert_close(q.flow(eps, context)[1], wanted[1], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("spread", [0.5, 1.5])
def test_the_inverse_undoes_the_flow(spread):
    q = built(spread=spread, steps=2)(features())
    z, log_q = q.rsample_and_log_prob((7,))
    eps, log_det = q.flow(z, q.context, inverse=True)
    again, same = q.flow(eps, q.context)
    torch.testing.assert_close(again, z, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(log_det, same, rtol=1e-9, atol=1e-9)
    if spread < 1:
        torch.testing.assert_close(q.log_prob(z), log_q, rtol=1e-7, atol=1e-7)


def test_gradients_of_the_inverse_are_those_of_finite_differences():
    q = built(2, steps=2, spread=0.3)(features(1))
    z, context = torch.randn(1, 2).double().requires_grad_(), q.context.detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda z, h: q.flow(z, h, inverse=True), (z, context))


def test_two_dimensions_integrate_to_one():
    q = built(2, spread=0.3)(features(1))
    centre, width = q.mean[0].detach(), 14 * q.stddev[0].detach()
    line = torch.linspace(-1, 1, 401, dtype=torch.float64)
    points = torch.cartesian_prod(line, line) * width + centre
    with torch.no_grad():
        mass = q.log_prob(points.unsqueeze(1)).exp().sum() * (line[1] - line[0]) ** 2
    assert (mass * width.prod()).item() == pytest.approx(1, abs=1e-5)


def test_it_starts_as_the_diagonal_posterior():
    module, h = Planar().build(features=8, latent_shape=(4,)).double(), features()
    diagonal = Diagonal().build(features=8, latent_shape=(4,)).double()
    with torch.no_grad():
        diagonal.head.weight.copy_(module.head.weight[:8])
        diagonal.head.bias.copy_(module.head.bias[:8])
    z = torch.randn(9, 5, 4).double()
    torch.testing.assert_close(
        module(h).log_prob(z), diagonal(h).log_prob(z), rtol=1e-10, atol=1e-10
    )


def test_every_parameter_learns_and_a_detached_density_has_none():
    module = Planar(steps=2).build(features=8, latent_shape=(3,)).double()
    q = module(features())
    z, log_q = q.rsample_and_log_prob((3,))
    (log_q + z.square().sum(-1)).sum().backward()
    assert (module.head.weight.grad[6:9].abs().sum(1) > 0).all()
    assert not q.detach().log_prob(z.detach()).requires_grad
