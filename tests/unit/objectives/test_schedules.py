"""Schedules at points computed by hand, and their laws by random search."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaekit.errors import ConfigError
from vaekit.objectives import Cosine, Cyclic, Linear, Sigmoid, value_at

values = st.floats(0.0, 1e6, allow_nan=False)
fractions = st.floats(0.0, 1.0)
rising = {
    "linear": lambda start, end, over: Linear(start=start, end=end, over=over),
    "sigmoid": lambda start, end, over: Sigmoid(start=start, end=end, over=over),
    "cyclic": lambda start, end, over: Cyclic(start=start, end=end, ramp=over),
    "cosine": lambda start, end, over: Cosine(start=start, end=end, warm_up=min(over, 0.99)),
}


@pytest.mark.parametrize(
    ("fraction", "expected"), [(0.0, 0.2), (0.1, 0.4), (0.2, 0.6), (0.4, 1.0), (0.9, 1.0)]
)
def test_linear_at_hand_computed_points(fraction, expected):
    assert Linear(start=0.2, end=1.0, over=0.4)(fraction) == pytest.approx(expected, abs=1e-15)


def test_linear_over_nothing_is_constant():
    assert [Linear(start=0.0, end=3.0, over=0.0)(t) for t in (0.0, 0.5, 1.0)] == [3.0] * 3


def test_sigmoid_at_hand_computed_points():
    curve = Sigmoid(start=1.0, end=3.0, over=0.5, steepness=4.0)
    edge = 1 / (1 + math.exp(2.0))
    quarter = 1 / (1 + math.exp(1.0))
    expected = 1.0 + 2.0 * (quarter - edge) / (1 - 2 * edge)
    assert curve(0.125) == pytest.approx(expected, rel=1e-12)
    assert curve(0.25) == pytest.approx(2.0, rel=1e-12)
    assert curve(0.375) == pytest.approx(4.0 - expected, rel=1e-12)


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0.0, 0.0), (0.0625, 0.5), (0.125, 1.0), (0.2, 1.0), (0.25, 0.0), (0.3125, 0.5), (1.0, 1.0)],
)
def test_cyclic_at_hand_computed_points(fraction, expected):
    assert Cyclic(cycles=4, ramp=0.5)(fraction) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0.0, 0.0), (0.1, 1.0), (0.2, 2.0), (0.6, 1.25), (0.4, 0.5 + 0.75 * (1 + math.sqrt(0.5)))],
)
def test_cosine_at_hand_computed_points(fraction, expected):
    curve = Cosine(start=2.0, end=0.5, warm_up=0.2)
    assert curve(fraction) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", rising)
@given(start=values, end=values, over=fractions)
def test_the_end_of_the_run_has_the_end_value_exactly(name, start, end, over):
    """Not 'nearly', and whatever the warm-up: none can outlast the run."""
    assert rising[name](start, end, over)(1.0) == end


@pytest.mark.parametrize("name", ["linear", "sigmoid", "cyclic"])
@given(start=values, end=values, over=st.floats(0.01, 1.0))
def test_the_start_of_the_run_has_the_start_value_exactly(name, start, end, over):
    assert rising[name](start, end, over)(0.0) == start


@given(start=values, end=values)
def test_a_cosine_without_warm_up_starts_exactly(start, end):
    assert Cosine(start=start, end=end)(0.0) == start


@given(start=values, end=values, warm_up=st.floats(0.01, 0.99))
def test_a_cosine_rises_from_nothing_to_its_start(start, end, warm_up):
    curve = Cosine(start=start, end=end, warm_up=warm_up)
    assert curve(0.0) == 0.0
    assert curve(warm_up) == start


@pytest.mark.parametrize("name", ["linear", "sigmoid"])
@given(start=values, end=values, over=fractions, one=fractions, other=fractions)
def test_linear_and_sigmoid_are_monotone_and_stay_between_their_ends(
    name, start, end, over, one, other
):
    curve = rising[name](start, end, over)
    early, late = curve(min(one, other)), curve(max(one, other))
    low, high = sorted((start, end))
    slack = 1e-9 * (1 + high)
    assert low - slack <= early <= high + slack
    assert (late - early) * (1 if end >= start else -1) >= -slack


@given(one=st.floats(0.2, 1.0), other=st.floats(0.2, 1.0))
def test_a_cosine_falls_after_its_warm_up(one, other):
    curve = Cosine(start=1.0, end=0.1, warm_up=0.2)
    assert curve(min(one, other)) >= curve(max(one, other)) - 1e-15


@given(fraction=fractions, cycles=st.integers(1, 20), ramp=fractions)
def test_cycles_stay_between_their_ends(fraction, cycles, ramp):
    assert 0.5 <= Cyclic(start=0.5, end=2.0, cycles=cycles, ramp=ramp)(fraction) <= 2.0


def test_a_number_is_a_constant_schedule():
    assert value_at(0.7, 0.1) == 0.7
    assert value_at(Linear(over=0.5), 0.25) == 0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Linear(over=1.5), "over: out of bounds"),
        (lambda: Linear(start=-1.0), "start: out of bounds"),
        (lambda: Cyclic(cycles=0), "cycles: out of bounds"),
        (lambda: Sigmoid(steepness=0.0), "steepness: out of bounds"),
        (lambda: Cosine(warm_up=1.0), "the warm-up takes the whole run"),
    ],
)
def test_senseless_schedules_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
