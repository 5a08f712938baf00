"""Moments and spacing of numbers, collected in pieces, against NumPy and decimal arithmetic."""

import decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaekit.data.columns.spread import Spread


def collected(*pieces, single=False):
    spread = Spread()
    for piece in pieces:
        spread.add(np.asarray(piece, np.float64), single=single)
    return spread


@given(
    st.lists(
        st.floats(-1e6, 1e6, allow_subnormal=False) | st.just(float("nan")),
        min_size=1,
        max_size=60,
    ),
    st.integers(0, 60),
)
def test_pieces_give_what_numpy_gives_at_once(numbers, cut):
    values = np.array(numbers)
    spread = collected(values[:cut], values[cut:])
    there = values[~np.isnan(values)]
    assert spread.count == len(there)
    if len(there):
        np.testing.assert_allclose(spread.mean, there.mean(), rtol=1e-12, atol=1e-9)
        np.testing.assert_allclose(spread.deviation, there.std(), rtol=1e-9, atol=1e-8)
        assert (spread.low, spread.high) == (there.min(), there.max())
        assert spread.is_constant == (there.min() == there.max())


def test_a_large_offset_does_not_drown_the_deviation():
    values = 1e9 + np.random.default_rng(0).normal(size=9_000)
    spread = collected(*np.array_split(values, 7))
    assert spread.deviation == pytest.approx(values.std(), rel=1e-9)


@given(st.integers(0, 6), st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=40))
def test_the_spacing_is_what_decimal_arithmetic_says(decimals, numerators):
    exact = [decimal.Decimal(k).scaleb(-decimals) for k in numerators]
    needed = max(0, *(-int(d.normalize().as_tuple().exponent) for d in exact), 0)
    values = [float(d) for d in exact]
    half = len(values) // 2
    for spread in (collected(values), collected(values[:half], values[half:])):
        assert spread.spacing == 10.0**-needed


@pytest.mark.parametrize(
    ("values", "spacing"),
    [
        ([3, 70, -2], 1.0),
        ([5, 10, 2_500], 1.0),
        ([0.25, 1.5, 3.0], 0.01),
        ([19.99, 0.05, 1e6], 0.01),
        ([1e-6, 2.0], 1e-6),
        ([1e-7, 2.0], 0.0),
        ([1e-10, 3e-10], 0.0),
        ([1e-300, 2e-300], 0.0),
        ([0.0, 0.0], 1.0),
        ([0.0, 1e-10], 0.0),
        ([2.0**53, 1.7e12 + 1], 1.0),
        ([1_700_000_000_000.25, 3.0], 0.01),
        ([1e300, -1e300], 1.0),
        ([np.pi, 1.0], 0.0),
    ],
)
def test_spacings_of_known_numbers(values, spacing):
    assert collected(values).spacing == spacing
    assert collected(*[[value] for value in values]).spacing == spacing


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1.0, 1e5, 1e9])
@pytest.mark.parametrize("single", [False, True])
def test_continuous_numbers_have_no_spacing(scale, single):
    values = scale * np.random.default_rng(0).normal(size=500)
    if single:
        values = values.astype(np.float32).astype(np.float64)
        if scale >= 1e9:
            return  # single precision has no digits left after the point
    assert collected(values, single=single).spacing == 0.0


def test_single_precision_hides_no_cents():
    cents = np.random.default_rng(0).integers(0, 100_000, 2_000) / 100
    values = cents.astype(np.float32).astype(np.float64)
    assert collected(values, single=True).spacing == 0.01
    assert collected(values).spacing == 0.0


def test_no_values_have_no_spacing():
    assert collected([np.nan]).spacing == 0.0
    assert collected([np.nan]).is_constant
