"""Flow posteriors by zuko: normalised, exact, they see the features, and start diagonal."""

import pytest
import torch

from vaekit.errors import ConfigError
from vaekit.latents import Diagonal, FlowOfFeatures
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO, ImportanceWeighted

FAMILIES = ["nsf", "maf", "realnvp"]


@pytest.fixture(params=FAMILIES)
def spec(request):
    torch.manual_seed(0)
    return FlowOfFeatures(family=request.param, hidden=(8,), context=4)


def built(spec, n=3, spread=0.3):
    """A posterior whose weights are far from where they start."""
    module = spec.build(features=8, latent_shape=(n,)).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += spread * torch.randn_like(parameter)
    return module


def features(rows=5):
    return torch.randn(rows, 8, dtype=torch.float64)


@pytest.mark.parametrize("n", [1, 3])
def test_log_q_of_a_draw_is_the_change_of_variables(spec, n):
    """log N(ε; μ, σ²) − log |det ∂z/∂ε|, the determinant taken by automatic differentiation."""
    q = built(spec, n)(features(1))
    eps, context = torch.randn(n).double(), q.context[0]
    z, log_det = q.flow(eps, context)
    square = torch.autograd.functional.jacobian(lambda e: q.flow(e, context)[0], eps)
    wanted = square.slogdet().logabsdet
    torch.testing.assert_close(log_det, wanted, rtol=1e-9, atol=1e-10)
    normal = torch.distributions.Normal(q.base.loc[0], q.base.stddev[0])
    log_q = normal.log_prob(eps).sum() - wanted
    torch.testing.assert_close(q.log_prob(z.unsqueeze(0))[0], log_q, rtol=1e-7, atol=1e-7)


def test_the_density_of_given_codes_is_that_of_the_draws(spec):
    q = built(spec)(features())
    z, log_q = q.rsample_and_log_prob((7,))
    assert (z.shape, log_q.shape) == ((7, 5, 3), (7, 5))
    torch.testing.assert_close(q.log_prob(z), log_q, rtol=1e-7, atol=1e-7)


def test_two_dimensions_integrate_to_one(spec):
    q = built(spec, 2)(features(1))
    centre, width = q.mean[0].detach(), 9 * q.stddev[0].detach()
    line = torch.linspace(-1, 1, 241, dtype=torch.float64)
    points = torch.cartesian_prod(line, line) * width + centre
    with torch.no_grad():
        mass = q.log_prob(points.unsqueeze(1)).exp().sum() * (line[1] - line[0]) ** 2
    assert (mass * width.prod()).item() == pytest.approx(1, abs=1e-3)


def test_the_shape_depends_on_the_features(spec):
    """With one base for all rows, the flow alone makes them differ, each by its own features."""
    module, h = built(spec), features()
    with torch.no_grad():
        module.head.weight[:6] = 0
    z = torch.randn(4, 1, 3, dtype=torch.float64).expand(4, 5, 3)
    log_q = module(h).log_prob(z)
    assert (log_q.std(1) > 1e-3).all()
    for row in range(5):
        alone = module(h[row : row + 1]).log_prob(z[:, :1])
        torch.testing.assert_close(log_q[:, row : row + 1], alone)


def test_it_starts_as_the_diagonal_posterior(spec):
    module, h = spec.build(features=8, latent_shape=(4,)).double(), features()
    diagonal = Diagonal().build(features=8, latent_shape=(4,)).double()
    with torch.no_grad():
        diagonal.head.weight.copy_(module.head.weight[:8])
        diagonal.head.bias.copy_(module.head.bias[:8])
    q, wanted, z = module(h), diagonal(h), torch.randn(9, 5, 4).double()
    torch.testing.assert_close(q.log_prob(z), wanted.log_prob(z), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(q.mean, wanted.mean, rtol=1e-10, atol=1e-10)


def test_a_detached_density_reaches_its_value_alone(spec):
    module = built(spec)
    q = module(features())
    z = q.rsample((2,)).detach().requires_grad_()
    torch.testing.assert_close(q.detach().log_prob(z), q.log_prob(z))
    q.detach().log_prob(z).sum().backward()
    assert z.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in module.parameters())


@pytest.mark.parametrize("objective", [ELBO(), ImportanceWeighted(samples=2, gradient="dreg")])
def test_in_a_model_everything_learns(spec, objective):
    model = FlatVAE(latent_dim=2, encoder=MLP(hidden=(8,)), posterior=spec)
    model = model.build(event_shape=(6,))
    with torch.no_grad():
        for parameter in model.posterior.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    objective(model.evidence(torch.rand(20, 6), samples=2)).total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_a_flow_that_would_fill_memory_is_refused():
    with pytest.raises(ConfigError, match=r"posterior/flow: the flow is too large"):
        FlowOfFeatures(hidden=(65_536, 65_536)).build(features=8, latent_shape=(2,))
