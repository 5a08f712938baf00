"""Densities of rows against their parts, against sums over all rows, and against draws."""

import itertools
import math

import numpy as np
import pytest
import scipy.special
import torch

from vaekit.distributions import (
    Bernoulli,
    Categorical,
    NegativeBinomial,
    Normal,
    Ordinal,
    Poisson,
    TableDensity,
    VonMises,
)

NAN = torch.nan
ORDER = torch.tensor([3, 0, 4, 1, 5, 2])  # column 0 stands fourth among those of the groups


def parts(batch=(5,), dtype=torch.float32, grad=False):
    """Groups of 2, 1, 1 and 2 columns and their parameters."""
    params = [
        torch.randn(*batch, 2, dtype=dtype),
        torch.randn(*batch, 2, dtype=dtype),
        torch.randn(*batch, 1, dtype=dtype),
        torch.randn(*batch, 3, 1, dtype=dtype),
        torch.randn(*batch, 2, dtype=dtype),
    ]
    params = [p.requires_grad_(grad) for p in params]
    loc, log_scale, bit, code, log_mean = params
    groups = [
        Normal.from_log_scale(loc, log_scale),
        Bernoulli(bit),
        Categorical(code),
        Poisson(log_mean),
    ]
    return groups, params


def rows(n=5, dtype=torch.float32):
    """Values of the columns in the order of the table: see ORDER."""
    grouped = torch.stack(
        [
            *torch.randn(2, n, dtype=dtype),
            torch.randint(0, 2, (n,)).to(dtype),
            torch.randint(0, 3, (n,)).to(dtype),
            *torch.randint(0, 6, (2, n)).to(dtype),
        ],
        -1,
    )
    return grouped[:, ORDER]


def columns_of(order):
    """The columns of the table that each place of the groups goes to."""
    return order.argsort()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("batch", [(5,), (3, 5)])
def test_terms_are_those_of_the_parts_and_the_odds(batch, dtype):
    groups, _ = parts(batch, dtype)
    log_odds = torch.randn(*batch, 6, dtype=dtype)
    x = rows(dtype=dtype)
    gone = torch.rand(5, 6) < 0.4
    x = torch.where(gone, NAN, x)
    found = TableDensity(groups, ORDER, log_odds).log_prob_elements(x)
    assert found.shape == (*batch, 6)
    assert found.dtype == dtype
    at = columns_of(ORDER)
    held = torch.split(at, [2, 1, 1, 2])
    for group, place in zip(groups, held, strict=True):
        alone = group.log_prob_elements(x[:, place].nan_to_num(0.0)).numpy()
        odds = log_odds[..., place].double().numpy()
        there = alone + scipy.special.log_expit(-odds)
        wanted = np.where(gone[:, place].numpy(), scipy.special.log_expit(odds), there)
        np.testing.assert_allclose(found[..., place], wanted, rtol=1e-4, atol=1e-5)
    total = TableDensity(groups, ORDER, log_odds).log_prob(x)
    torch.testing.assert_close(total, found.sum(-1))


@pytest.mark.parametrize("odds", [None, torch.tensor([0.3, -2.0])])
def test_all_rows_of_codes_have_probability_one(odds):
    """A Bernoulli and a categorical column, each of which may be missing: 3 · 5 rows."""
    groups = [Categorical(torch.randn(4, 1).double()), Bernoulli(torch.randn(1).double())]
    odds = None if odds is None else odds.double()
    density = TableDensity(groups, torch.tensor([1, 0]), odds)
    bits, codes = [0.0, 1.0], [0.0, 1.0, 2.0, 3.0]
    if odds is not None:
        bits, codes = [*bits, NAN], [*codes, NAN]
    every = torch.tensor(list(itertools.product(bits, codes))).double()
    assert density.log_prob(every).exp().sum().item() == pytest.approx(1, abs=1e-12)


def test_a_void_column_adds_nothing_where_another_says_so():
    """A zero-inflated column: P(0), P(amount) and P(missing) sum and integrate to one."""
    bit, amount = Bernoulli(torch.tensor([[0.4]])), Normal(torch.ones(1, 1), torch.ones(1, 1))
    log_odds = torch.tensor([-1.0, 7.0])  # the odds of the amount count for nothing
    density = TableDensity(
        [bit, amount], torch.tensor([0, 1]), log_odds, torch.tensor([False, True])
    )
    grid = torch.linspace(-9, 11, 4_001)
    above = torch.stack([torch.ones_like(grid), grid], 1).unsqueeze(1)
    integral = torch.trapezoid(density.log_prob(above).exp().squeeze(1), grid)
    zero, missing = (density.log_prob(torch.tensor([[b, NAN]])).exp() for b in (0.0, NAN))
    assert (integral + zero + missing).item() == pytest.approx(1, abs=1e-5)
    assert missing.item() == pytest.approx(scipy.special.expit(-1.0))
    assert density.log_prob_elements(torch.tensor([[0.0, NAN]]))[0, 1] == 0
    without = TableDensity([bit, amount], torch.tensor([0, 1]), None, torch.tensor([False, True]))
    assert without.log_prob(torch.tensor([[1.0, NAN]])) == bit.log_prob(torch.ones(1, 1))


def test_draws_have_the_frequencies_of_the_parts():
    groups = [Categorical(torch.tensor([[0.5], [-1.0], [0.0]])), Bernoulli(torch.tensor([1.0]))]
    log_odds = torch.tensor([-1.0, 0.5])
    void = torch.tensor([False, True])
    n = 40_000
    drawn = TableDensity(groups, torch.tensor([1, 0]), log_odds).sample((n,))
    assert drawn.shape == (n, 2)
    gone = drawn.isnan().float().mean(0)
    assert gone.tolist() == pytest.approx(torch.sigmoid(log_odds).tolist(), abs=0.01)
    there = drawn[:, 1][~drawn[:, 1].isnan()].long()
    frequency = torch.bincount(there, minlength=3) / len(there)
    wanted = scipy.special.softmax([0.5, -1.0, 0.0])
    assert frequency.tolist() == pytest.approx(wanted.tolist(), abs=0.015)
    bit = drawn[:, 0][~drawn[:, 0].isnan()]
    assert bit.mean().item() == pytest.approx(scipy.special.expit(1.0), abs=0.015)
    assert (
        not TableDensity(groups, torch.tensor([1, 0]), log_odds, void)
        .sample((9,))[:, 1]
        .isnan()
        .any()
    )
    assert not TableDensity(groups, torch.tensor([1, 0])).sample((9,)).isnan().any()


def test_draws_and_means_have_the_order_of_the_table():
    loc = torch.tensor([10.0, 20.0, 30.0])
    groups = [Normal(loc[:1], torch.full((1,), 1e-6)), Normal(loc[1:], torch.full((2,), 1e-6))]
    density = TableDensity(groups, torch.tensor([1, 2, 0]))
    assert density.mean.tolist() == [20.0, 30.0, 10.0]
    assert density.sample((4, 2)).round().unique(dim=0).tolist() == [[[20, 30, 10]] * 2]
    assert density.log_prob(torch.tensor([20.0, 30.0, 10.0])) > 30


def test_what_is_expected_of_codes_is_the_most_probable():
    groups = [
        Categorical(torch.tensor([[0.0], [2.0], [1.9]])),
        Ordinal(torch.zeros(1), torch.tensor([[-1.0], [1.0]])),
        Bernoulli(torch.zeros(1)),
    ]
    found = TableDensity(groups, torch.arange(3)).mean
    assert found[:1].tolist() == [1.0]
    assert found[1:].tolist() == pytest.approx([1.0, 0.5])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_missing_values_never_reach_gradients(dtype):
    groups, params = parts((5,), dtype, grad=True)
    more = [torch.randn(5, 2, dtype=dtype, requires_grad=True) for _ in range(4)]
    groups = [
        *groups,
        NegativeBinomial(more[0], more[1]),
        VonMises(more[2], more[3]),
    ]
    log_odds = torch.randn(5, 10, dtype=dtype, requires_grad=True)
    void = torch.arange(10) == 3
    x = torch.full((5, 10), NAN, dtype=dtype)
    x[1:3, :4] = 0.0
    density = TableDensity(groups, torch.arange(10), log_odds, void)
    density.log_prob(x).sum().backward()
    for param in (*params, *more):
        assert param.grad.isfinite().all()
        assert (param.grad[[0, 3, 4]] == 0).all()
    wanted = torch.sigmoid(-log_odds.detach())[0]  # the derivative of log σ
    torch.testing.assert_close(log_odds.grad[0], torch.where(void, 0.0, wanted))


def test_parts_can_be_cut_from_the_graph():
    groups, params = parts(grad=True)
    log_odds = torch.zeros(6, requires_grad=True)
    density = TableDensity(groups, ORDER, log_odds)
    x = torch.where(torch.rand(5, 6) < 0.5, NAN, rows())
    cut = density.detach()
    assert not cut.log_prob(x).requires_grad
    torch.testing.assert_close(cut.log_prob(x), density.log_prob(x))
    assert not density.sample().requires_grad
    assert density.batch_shape == (5,)
    assert params[0].requires_grad


def test_extreme_odds_stay_finite():
    density = TableDensity(
        [Bernoulli(torch.zeros(2))], torch.arange(2), torch.tensor([80.0, -80.0])
    )
    assert density.log_prob_elements(torch.tensor([0.0, NAN])).tolist() == pytest.approx(
        [-80 - math.log(2), -80.0]
    )


def test_it_compiles_without_graph_breaks():
    torch.compiler.reset()
    groups, _ = parts()
    x = torch.where(torch.rand(5, 6) < 0.5, NAN, rows())
    log_odds = torch.randn(5, 6)

    def score(loc, x):
        some = [Normal(loc, torch.ones_like(loc)), *groups[1:]]
        return TableDensity(some, ORDER, log_odds, places=PLACES).log_prob(x)

    compiled = torch.compile(score, fullgraph=True, backend="eager")
    loc = torch.randn(5, 2)
    torch.testing.assert_close(compiled(loc, x), score(loc, x))


PLACES = torch.split(columns_of(ORDER), [2, 1, 1, 2])
