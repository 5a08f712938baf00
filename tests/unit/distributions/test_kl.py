"""Closed-form KL divergences against torch.distributions and Monte Carlo."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import MultivariateNormal, kl_divergence

from vaekit.distributions import (
    Delta,
    Density,
    Laplace,
    Normal,
    StandardNormal,
    TriangularNormal,
    kl_elements,
    register_kl,
)


def normal():
    return Normal.from_log_scale(torch.randn(5, 3).double(), torch.randn(5, 3).double())


def standard():
    return StandardNormal(torch.zeros(3).double())


def triangular():
    factor = torch.randn(5, 3, 3).tril(-1) + torch.diag_embed(torch.rand(5, 3) + 0.2)
    return TriangularNormal(torch.randn(5, 3).double(), factor.double())


def as_torch(density):
    if isinstance(density, TriangularNormal):
        return MultivariateNormal(density.loc, scale_tril=density.scale_tril)
    if isinstance(density, Normal):
        return MultivariateNormal(density.loc, torch.diag_embed(density.scale.square()))
    return MultivariateNormal(density.mean, torch.eye(3).double())


PAIRS = [(normal, standard), (normal, normal), (triangular, standard), (triangular, normal)]


@pytest.mark.parametrize(("q", "p"), PAIRS)
def test_closed_form_is_torchs(q, p):
    q, p = q(), p()
    elements = q.kl_elements(p)
    assert elements.shape == (5, 3)
    wanted = kl_divergence(as_torch(q), as_torch(p)).expand(5)
    torch.testing.assert_close(elements.sum(-1), wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("q", "p"), PAIRS)
def test_closed_form_is_the_monte_carlo_mean(q, p):
    q, p = q(), p()
    z = q.sample((50_000,))
    terms = q.log_prob(z) - p.log_prob(z)
    error = terms.std(0) / len(terms) ** 0.5
    assert ((terms.mean(0) - q.kl_elements(p).sum(-1)).abs() <= 4 * error).all()


@pytest.mark.parametrize(("q", "p"), [(normal, standard), (normal, normal)])
def test_elements_of_factorised_densities_are_coordinates(q, p):
    q, p = q(), p()
    z = q.sample((50_000,))
    terms = q.log_prob_elements(z) - p.log_prob_elements(z)
    error = terms.std(0) / len(terms) ** 0.5
    assert ((terms.mean(0) - q.kl_elements(p)).abs() <= 4.5 * error).all()


numbers = st.floats(-3, 3)


@given(numbers, numbers, numbers, numbers)
def test_kl_is_never_negative(q_loc, q_log_scale, p_loc, p_log_scale):
    values = torch.tensor([q_loc, q_log_scale, p_loc, p_log_scale]).double()
    q = Normal.from_log_scale(values[:1], values[1:2])
    p = Normal.from_log_scale(values[2:3], values[3:])
    assert q.kl_elements(p).item() >= -1e-14
    assert q.kl_elements(StandardNormal(torch.zeros(1).double())).item() >= -1e-14
    full = TriangularNormal(q.loc, q.scale[:, None])
    torch.testing.assert_close(full.kl_elements(p), q.kl_elements(p), rtol=1e-12, atol=1e-12)


@given(numbers, numbers)
def test_kl_is_zero_at_equality(loc, log_scale):
    q = Normal.from_log_scale(*torch.tensor([[loc], [log_scale]]).double())
    assert abs(q.kl_elements(q).item()) <= 1e-14
    assert TriangularNormal(q.loc, q.scale[:, None]).kl_elements(q).item() == pytest.approx(
        0, abs=1e-13
    )


def test_kl_of_the_prior_itself_is_zero():
    zeros = torch.zeros(5, 3)
    standard = StandardNormal(torch.zeros(3))
    assert Normal.from_log_scale(zeros, zeros).kl_elements(standard).abs().max() == 0
    full = TriangularNormal(zeros, torch.eye(3).expand(5, 3, 3))
    assert full.kl_elements(standard).abs().max() == 0


@pytest.mark.parametrize(("q", "p"), PAIRS)
def test_kl_gradients_match_finite_differences(q, p):
    q, p = q(), p()
    parameters = [getattr(q, name).requires_grad_() for name in type(q).__slots__]

    def kl(*values):
        copy = q.detach()
        for name, value in zip(type(q).__slots__, values, strict=True):
            setattr(copy, name, value)
        return copy.kl_elements(p)

    assert torch.autograd.gradcheck(kl, parameters)


def test_an_unregistered_pair_has_no_closed_form():
    q = Laplace(torch.zeros(4, 2), torch.zeros(4, 2))
    assert q.kl_elements(Normal(torch.zeros(2), torch.ones(2))) is None
    assert kl_elements(StandardNormal(torch.zeros(2)), q) is None


def test_delta_has_rate_zero_by_convention():
    q = Delta(torch.randn(4, 2))
    assert q.kl_elements(StandardNormal(torch.zeros(2))).tolist() == torch.zeros(4, 2).tolist()


def test_the_most_specific_registered_pair_wins():
    class Base(Density):
        __slots__ = ()

    class Special(Base):
        __slots__ = ()

    @register_kl(Base, Density)
    def general(q, p):
        return "general"

    assert kl_elements(Special(), Base()) == "general"

    @register_kl(Special, Density)
    def special(q, p):
        return "special"

    assert kl_elements(Special(), Base()) == "special"
    assert kl_elements(Base(), Special()) == "general"
