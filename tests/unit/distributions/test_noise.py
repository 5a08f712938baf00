"""Shared noise: one draw for all rows, determined by its seed alone."""

import pytest
import torch

from vaekit.distributions import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    DiscretisedLogistic,
    Laplace,
    Normal,
    StandardNormal,
    TriangularNormal,
    drawing_from,
    open_uniform,
    shared_noise,
    standard_normal,
    uniform,
)

EVERY = {
    "normal": lambda p: Normal(p, p.exp()),
    "triangular": lambda p: TriangularNormal(p, torch.diag_embed(p.exp())),
    "laplace": lambda p: Laplace(p, p),
    "bernoulli": lambda p: Bernoulli(p),
    "continuous-bernoulli": lambda p: ContinuousBernoulli(p),
    "discretised-logistic": lambda p: DiscretisedLogistic(p, p, levels=4),
    "categorical": lambda p: Categorical(torch.stack([p, -p, 2 * p], -2)),
}


@pytest.mark.parametrize("build", EVERY.values(), ids=EVERY)
def test_a_row_draws_the_same_whatever_its_batch(build):
    params = torch.randn(32, 3, dtype=torch.float64)
    with shared_noise(7):
        together = build(params).sample((5,))
    for i in (0, 17):
        with shared_noise(7):
            alone = build(params[i : i + 1]).sample((5,))
        torch.testing.assert_close(alone[:, 0], together[:, i], rtol=0, atol=1e-14)
    assert len(together[:, 0].unique(dim=0)) > 1


@pytest.mark.parametrize("draw", [standard_normal, uniform, open_uniform])
def test_rows_share_and_samples_and_elements_differ(draw):
    with shared_noise(0):
        u = draw((4,), like=torch.zeros(6, 3), event_dims=1)
        v = draw((4,), like=torch.zeros(6, 3), event_dims=1)
    assert u.shape == (4, 6, 3)
    assert (u == u[:, :1]).all()
    assert u[:, 0].unique().numel() == 12
    assert not (u == v).any()


@pytest.mark.parametrize("draw", [standard_normal, uniform, open_uniform])
def test_the_seed_decides_and_the_global_generator_is_left_alone(draw):
    def noise(seed):
        with shared_noise(seed):
            return draw((4,), like=torch.zeros(6, 3), event_dims=1)

    before = torch.get_rng_state()
    assert torch.equal(noise(3), noise(3))
    assert not torch.equal(noise(3), noise(4))
    assert torch.equal(torch.get_rng_state(), before)


def test_draws_of_a_density_without_rows_stay_independent():
    p = StandardNormal(torch.zeros(2))
    with shared_noise(0):
        z = p.sample((6,))
    assert z.unique(dim=0).shape == (6, 2)


def test_outside_the_block_rows_differ():
    with shared_noise(0):
        pass
    z = standard_normal((), like=torch.zeros(6, 2), event_dims=1)
    assert z.unique(dim=0).shape == (6, 2)


@pytest.mark.parametrize("number", [torch.float32, torch.float64])
def test_open_uniform_excludes_both_ends(number, monkeypatch):
    eps = torch.finfo(number).eps
    ends = torch.tensor([0.0, 1 - eps / 2], dtype=number)
    monkeypatch.setattr(torch, "rand", lambda *args, **kwargs: ends)
    u = open_uniform((), like=ends, event_dims=1)
    assert 0 < u[0] < eps / 2
    assert u[1] < 1
    assert torch.logit(u).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("draw", [uniform, open_uniform])
def test_uniform_noise_stays_below_one_where_it_is_rounded(draw, dtype):
    """Measurements draw in double precision, and 1 − 1e-12 is 1 in single."""
    like = torch.zeros(3, 2, dtype=dtype)
    with drawing_from(lambda _, size, *rest: torch.full(size, 1 - 1e-12, dtype=torch.float64)):
        u = draw((5,), like=like, event_dims=1)
    assert ((u > 0.999999) & (u < 1)).all()
    assert (-(-u.log()).log()).isfinite().all()
