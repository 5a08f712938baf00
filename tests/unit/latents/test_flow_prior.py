"""The flow prior: a density, whose draws it describes, that learns and reads the context."""

import math

import pytest
import torch
from torch.autograd.functional import jacobian

from vaekit.distributions import row_noise, shared_noise
from vaekit.errors import ConfigError
from vaekit.latents import FlowOfNormal, zuko_flow
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO

FAMILIES = ["nsf", "maf", "realnvp"]


@pytest.fixture(params=FAMILIES)
def spec(request):
    torch.manual_seed(0)
    return FlowOfNormal(family=request.param, transforms=2, hidden=(8,))


def built(spec, n=2, context_dim=0):
    prior = spec.build(latent_shape=(n,), context_dim=context_dim).double()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return prior


def test_it_integrates_to_one(spec):
    axis = torch.linspace(-10, 10, 501, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        total = built(spec)().log_prob(grid).exp().sum() * (axis[1] - axis[0]) ** 2
    assert total.item() == pytest.approx(1.0, abs=1e-3)


def test_the_density_of_a_draw_is_the_change_of_variables(spec):
    """log N(ε) − log |det ∂z/∂ε| with the determinant taken by automatic differentiation."""
    p = built(spec, n=3)()
    eps = torch.randn(3, dtype=torch.float64)
    z, _ = p.flow(eps)
    log_det = jacobian(lambda e: p.flow(e)[0], eps).slogdet().logabsdet
    wanted = torch.distributions.Normal(0, 1).log_prob(eps).sum() - log_det
    torch.testing.assert_close(p.log_prob(z), wanted, rtol=1e-6, atol=1e-6)


def test_draws_and_densities_agree(spec):
    p = built(spec, n=3)()
    z, log_p = p.rsample_and_log_prob((50,))
    torch.testing.assert_close(p.log_prob(z), log_p, rtol=1e-6, atol=1e-6)


def test_it_reads_the_context(spec):
    prior = built(spec, n=2, context_dim=3)
    c = torch.randn(5, 3, dtype=torch.float64)
    p, z = prior(c), torch.randn(4, 5, 2, dtype=torch.float64)
    assert p.batch_shape == (5,)
    assert p.sample((4,)).shape == (4, 5, 2)
    for row in range(5):
        alone = prior(c[row : row + 1]).log_prob(z[:, row : row + 1])
        torch.testing.assert_close(p.log_prob(z)[:, row : row + 1], alone)
    assert p.log_prob(z[:1, :1].expand(1, 5, 2)).unique().numel() == 5
    with pytest.raises(ConfigError, match="needs a context"):
        prior()


def test_draws_obey_the_noise_of_measurements(spec):
    prior = built(spec, context_dim=3)
    c = torch.ones(4, 3, dtype=torch.float64)
    with shared_noise(0):
        z = prior(c).sample((2,))
    torch.testing.assert_close(z[:, :1].expand_as(z), z)
    with row_noise(0, first=0, rows=4):
        together = prior(c).sample((2,))
    with row_noise(0, first=3, rows=1):
        torch.testing.assert_close(prior(c[3:]).sample((2,)), together[:, 3:])


@pytest.mark.parametrize("context_dim", [0, 3])
def test_in_a_model_everything_learns(spec, context_dim):
    model = FlatVAE(latent_dim=2, encoder=MLP(hidden=(8,)), prior=spec)
    model = model.build(event_shape=(6,), context_dim=context_dim)
    c = torch.randn(20, 3) if context_dim else None
    loss = ELBO()(model.evidence(torch.rand(20, 6), c, samples=2))
    loss.total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert model.sample(20, c).mean.shape == (20, 6)


def test_it_learns_a_density_that_no_normal_has():
    """Two bumps at ±2, of entropy log 2 + ½ log 2πe 0.3²; the best normal is 1.2 nats away."""
    torch.manual_seed(0)
    prior = FlowOfNormal(transforms=2, hidden=(16,)).build(latent_shape=(1,))
    sign = 2.0 * torch.randint(2, (2_000, 1)) - 1
    data = 2 * sign + 0.3 * torch.randn(2_000, 1)
    optimizer = torch.optim.Adam(prior.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        loss = -prior().log_prob(data).mean()
        loss.backward()
        optimizer.step()
    entropy = math.log(2) + 0.5 * math.log(2 * math.pi * math.e * 0.3**2)
    assert entropy - 0.05 < loss.item() < entropy + 0.2


def test_a_flow_that_would_fill_memory_is_refused():
    with pytest.raises(ConfigError, match=r"prior/flow: the flow is too large; .*67,108,864"):
        FlowOfNormal(hidden=(65_536, 65_536)).build(latent_shape=(2,))


def test_the_size_is_that_of_the_weights(spec):
    prior = FlowOfNormal(family=spec.family, transforms=1, hidden=(8,)).build(latent_shape=(2,))
    largest = max(p.numel() for p in prior.parameters())
    assert largest <= 8 * zuko_flow.OUTPUTS[spec.family] * 2
    assert largest >= 8 * zuko_flow.OUTPUTS[spec.family]
