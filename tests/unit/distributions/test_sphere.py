"""Bessel functions, von Mises-Fisher densities and draws against SciPy and quadrature."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import torch
from torch.nn import functional as F

from vaekit.distributions import UniformSphere, VonMisesFisher, row_noise, shared_noise
from vaekit.distributions.bessel import log_bessel
from vaekit.distributions.sphere import log_area

DIMENSIONS = [2, 3, 4, 5, 10, 33, 128]
KAPPAS = [1e-3, 0.1, 1.0, 7.0, 100.0, 1e4]
every = pytest.mark.parametrize("n", DIMENSIONS)


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def vmf(n, kappa, *, rows=1):
    loc = F.normalize(torch.randn(rows, n, dtype=torch.float64), dim=-1)
    return VonMisesFisher(loc, torch.full((rows,), kappa, dtype=torch.float64))


NODES = np.polynomial.legendre.leggauss(400)


def reach(n, kappa):
    """An angle beyond which there is no mass."""
    return min(math.pi, 14 * math.sqrt(n / kappa))


def expected(n, kappa, function):
    """E[function(w)] by quadrature over the angle, and the log of its normaliser."""
    half = reach(n, kappa) / 2
    angle, weight = (NODES[0] + 1) * half, NODES[1] * half
    w = np.cos(angle)
    log_density = kappa * (w - 1) + (n - 2) * np.log(np.sin(angle))
    density = weight * np.exp(log_density - log_density.max())
    log_normaliser = math.log(density.sum()) + log_density.max()
    return (density * function(w)).sum() / density.sum(), log_normaliser


def resultant(n, kappa):
    return expected(n, kappa, lambda w: w)[0]


# --- Bessel functions ---------------------------------------------------------------------------


@pytest.mark.parametrize("order", [0.0, 0.5, 1.0, 4.0, 15.5, 63.0])
def test_bessel_functions_are_scipys(order):
    x = torch.logspace(-3, 4, 60, dtype=torch.float64)
    log_i, ratio = log_bessel(order, x)
    scaled = scipy.special.ive([[order], [order + 1]], x.numpy())
    usable = torch.as_tensor(scaled.min(0) > 1e-290)
    assert usable.sum() > 30
    wanted = torch.as_tensor(np.log(scaled[0])) + x
    torch.testing.assert_close(log_i[usable], wanted[usable], rtol=1e-11, atol=1e-9)
    wanted = torch.as_tensor(scaled[1] / scaled[0])
    torch.testing.assert_close(ratio[usable], wanted[usable], rtol=1e-9, atol=0)


def test_bessel_functions_of_small_arguments_are_their_first_term():
    x = f64(1e-3, 1e-5)
    log_i, ratio = log_bessel(63.0, x)
    wanted = 63 * (x / 2).log() - math.lgamma(64)
    torch.testing.assert_close(log_i, wanted, rtol=1e-9, atol=0)
    torch.testing.assert_close(ratio, x / 128, rtol=1e-8, atol=0)


def test_bessel_gradients():
    x = f64(1e-2, 0.7, 20.0, 900.0).requires_grad_()
    for order in (0.0, 1.5, 40.0):
        log_i, ratio = log_bessel(order, x)
        (slope,) = torch.autograd.grad(log_i.sum(), x, retain_graph=True)
        torch.testing.assert_close(slope, ratio + order / x, rtol=1e-8, atol=1e-9)
        (slope,) = torch.autograd.grad(ratio.sum(), x)
        wanted = 1 - ratio.square() - (2 * order + 1) / x * ratio
        torch.testing.assert_close(slope, wanted, rtol=1e-5, atol=1e-9)


# --- densities -----------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("kappa", KAPPAS)
def test_the_density_is_scipys(n, kappa):
    q = vmf(n, kappa)
    z = F.normalize(q.loc + torch.randn(20, n).double() / math.sqrt(kappa + n), dim=-1)
    reference = scipy.stats.vonmises_fisher(q.loc[0].numpy(), kappa)
    wanted = reference.logpdf(z.numpy())
    if np.isfinite(wanted).all():  # SciPy's own Bessel functions underflow for large n, small κ
        torch.testing.assert_close(q.log_prob(z), torch.as_tensor(wanted), rtol=1e-9, atol=1e-8)
    else:
        assert (n, kappa) == (128, 1e-3)
        uniform = UniformSphere(q.loc[0]).log_prob(z)
        torch.testing.assert_close(
            q.log_prob(z) - kappa * (z @ q.loc[0]), uniform, atol=1e-8, rtol=0
        )


@every
@pytest.mark.parametrize("kappa", KAPPAS)
def test_kl_is_that_of_quadrature(n, kappa):
    q = vmf(n, kappa)
    (kl,) = q.kl_elements(UniformSphere(q.loc[0])).squeeze(0)
    first, log_normaliser = expected(n, kappa, lambda w: w)
    log_whole = 0.5 * math.log(math.pi) + math.lgamma((n - 1) / 2) - math.lgamma(n / 2)
    wanted = kappa * (first - 1) - log_normaliser + log_whole
    assert kl.item() == pytest.approx(wanted, rel=1e-8, abs=1e-9)


@every
def test_the_uniform_density_has_the_area_of_the_sphere(n):
    wanted = 2 * math.pi ** (n / 2) / scipy.special.gamma(n / 2)
    assert log_area(n) == pytest.approx(math.log(wanted), rel=1e-12)
    z = UniformSphere(torch.zeros(n).double()).rsample((50_000,))
    torch.testing.assert_close(z.norm(dim=-1), torch.ones(50_000).double())
    assert z.mean(0).abs().max() < 5 / math.sqrt(50_000 * n)
    torch.testing.assert_close(
        z.std(0), UniformSphere(torch.zeros(n).double()).stddev, rtol=0.03, atol=0
    )


@every
@pytest.mark.parametrize("kappa", KAPPAS)
def test_mean_and_deviation_are_those_of_quadrature(n, kappa):
    q = vmf(n, kappa)
    a = resultant(n, kappa)
    torch.testing.assert_close(q.mean, a * q.loc, rtol=1e-7, atol=1e-9)
    second, _ = expected(n, kappa, np.square)
    along, across = second - a**2, (1 - second) / (n - 1)
    wanted = (along * q.loc.square() + across * (1 - q.loc.square())).sqrt()
    torch.testing.assert_close(q.stddev, wanted, rtol=1e-4, atol=1e-6)


# --- draws ---------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("kappa", KAPPAS)
def test_the_inverse_distribution_function_of_w(n, kappa):
    """The mass of smaller angles than that of u is u: by quadrature in the angle."""
    q = vmf(n, kappa)
    u = torch.linspace(0.01, 0.99, 23, dtype=torch.float64).unsqueeze(-1)
    w, sine = q._polar(u)
    torch.testing.assert_close(w.square() + sine.square(), torch.ones_like(w), rtol=1e-12, atol=0)
    angle = np.linspace(0, reach(n, kappa), 100_001)
    with np.errstate(divide="ignore"):
        log_density = kappa * (np.cos(angle) - 1) + scipy.special.xlogy(n - 2, np.sin(angle))
    density = np.exp(log_density - log_density.max())
    below = scipy.integrate.cumulative_trapezoid(density, angle, initial=0)
    theta = torch.atan2(sine, w).squeeze(-1).numpy()
    got = np.interp(theta, angle, below / below[-1])
    np.testing.assert_allclose(got, u.squeeze(-1).numpy(), atol=3e-7)


@every
@pytest.mark.parametrize("kappa", [0.1, 7.0, 1e4])
def test_draws_have_the_mean_resultant_length(n, kappa):
    q = vmf(n, kappa)
    z = q.rsample((20_000,)).squeeze(1)
    torch.testing.assert_close(z.norm(dim=-1), torch.ones(20_000).double())
    along = (z * q.loc).sum(-1)
    error = along.std() / math.sqrt(len(along))
    assert abs(along.mean() - resultant(n, kappa)) < 4 * error
    across = z - along.unsqueeze(-1) * q.loc
    assert (across.mean(0).abs() < 5 * across.std(0) / math.sqrt(len(z)) + 1e-12).all()


@pytest.mark.parametrize("n", [2, 3, 10])
@pytest.mark.parametrize("kappa", [0.5, 20.0])
def test_draws_carry_the_gradient_of_expectations(n, kappa):
    """∂/∂κ E[w²] and ∂/∂κ E[w³]: draws at evenly spaced u against differences of quadrature."""
    q = vmf(n, kappa)
    concentration = q.concentration.clone().requires_grad_()
    u = ((torch.arange(4_000, dtype=torch.float64) + 0.5) / 4_000).unsqueeze(-1)
    w, _ = VonMisesFisher(q.loc, concentration)._polar(u)
    for power in (2, 3):
        (got,) = torch.autograd.grad((w**power).mean(), concentration, retain_graph=True)
        step = 1e-4 * kappa
        high, low = (
            expected(n, k, lambda w: w**power)[0]  # noqa: B023
            for k in (kappa + step, kappa - step)
        )
        assert got.item() == pytest.approx((high - low) / (2 * step), rel=2e-3, abs=1e-7)


def test_draws_carry_the_gradient_of_the_direction():
    """E[aᵀz] = A aᵀμ, so its gradient in the head's raw direction is known."""
    raw = torch.randn(1, 5, dtype=torch.float64, requires_grad=True)
    a, kappa = torch.randn(5, dtype=torch.float64), f64(3.0)
    wanted = VonMisesFisher(F.normalize(raw, dim=-1), kappa).mean @ a
    (wanted,) = torch.autograd.grad(wanted.sum(), raw)
    many = raw.detach().expand(6_000, 5).clone().requires_grad_()
    z = VonMisesFisher(F.normalize(many, dim=-1), kappa.expand(6_000)).rsample()
    (each,) = torch.autograd.grad((z @ a).sum(), many)
    assert ((each.mean(0) - wanted[0]).abs() < 4 * each.std(0) / math.sqrt(6_000)).all()


@pytest.mark.parametrize("n", [2, 3, 10])
def test_draws_turn_with_the_direction(n):
    """Moving μ by a tangent t turns the sphere: dz = (z·μ) t − (z·t) μ, whatever the noise."""
    q = vmf(n, 3.0)
    (mu,) = q.loc
    tangent = torch.randn(n, dtype=torch.float64)
    tangent = tangent - (tangent @ mu) * mu
    torch.manual_seed(1)
    z = q.rsample((2_000,)).squeeze(1)

    def draws(loc):
        torch.manual_seed(1)
        return VonMisesFisher(loc.unsqueeze(0), q.concentration).rsample((2_000,)).squeeze(1)

    _, moved = torch.autograd.functional.jvp(draws, mu, tangent)
    wanted = (z @ mu).unsqueeze(1) * tangent - (z @ tangent).unsqueeze(1) * mu
    torch.testing.assert_close(moved, wanted, rtol=1e-9, atol=1e-9)


def test_draws_go_through_the_noise_of_the_package():
    q = vmf(4, 3.0, rows=3)
    with row_noise(0, first=0, rows=3):
        together = q.rsample((2,))
    with row_noise(0, first=2, rows=1):
        alone = VonMisesFisher(q.loc[2:], q.concentration[2:]).rsample((2,))
    torch.testing.assert_close(together[:, 2:], alone, rtol=1e-12, atol=1e-12)
    same = VonMisesFisher(q.loc[:1].expand(3, 4), q.concentration)
    with shared_noise(0):
        z = same.rsample()
    torch.testing.assert_close(z[0], z[2], rtol=0, atol=0)
