"""Columns of numbers and counts: fitted in pieces, encoded, decoded, against NumPy and SciPy."""

import datetime
import decimal
import math

import numpy as np
import pyarrow as pa
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from vaekit.data.columns import Counts, Numeric, Positive, Values, ZeroInflated
from vaekit.errors import ConfigError, DataError
from vaekit.spec import from_json, to_json

BASES = [Numeric, Positive, ZeroInflated]
every = pytest.mark.parametrize("cls", [*BASES, Counts])


def values(array, **where):
    return Values("a", pa.array(array) if isinstance(array, list) else array, **where)


def fitted(cls, *pieces):
    summary = cls.summary("a", {})
    for piece in pieces:
        summary.add(values(piece))
    return summary.column()


def encoded(column, array):
    return column.encode(values(array))


def through(column, array):
    """What comes back after single precision."""
    return column.decode(encoded(column, array).astype(np.float32).astype(np.float64))


@given(
    st.lists(st.floats(1e-3, 1e6) | st.just(0.0) | st.none(), min_size=2, max_size=50),
    st.integers(0, 50),
)
def test_pieces_give_what_all_rows_at_once_give(rows, cut):
    there = np.array([row for row in rows if row is not None])
    assume(len(there))
    positive = there[there > 0]
    for cls, used in (
        (Numeric, there),
        (Positive, np.log(positive)),
        (ZeroInflated, np.log(positive)),
    ):
        if cls is Positive and len(positive) < len(there):
            continue
        one = fitted(cls, pa.array(rows, pa.float64()))
        two = fitted(cls, pa.array(rows[:cut], pa.float64()), pa.array(rows[cut:], pa.float64()))
        assert (one.rows, one.absent) == (len(rows), len(rows) - len(there))
        assert (two.rows, two.absent, two.spacing) == (one.rows, one.absent, one.spacing)
        for column in (one, two):
            np.testing.assert_allclose(column.loc, used.mean() if len(used) else 0, atol=1e-9)
            if len(used) and used.min() < used.max():
                np.testing.assert_allclose(column.scale, used.std(), rtol=1e-6, atol=1e-12)
            assert (column.low, column.high) == (there.min(), there.max())
        assert from_json(to_json(one)) == one


def test_fields_are_standardised_as_scipy_does():
    rng = np.random.default_rng(0)
    raw = rng.lognormal(3, 1, 400)
    np.testing.assert_allclose(encoded(fitted(Numeric, raw), raw)[:, 0], scipy.stats.zscore(raw))
    logs = scipy.stats.zscore(np.log(raw))
    np.testing.assert_allclose(encoded(fitted(Positive, raw), raw)[:, 0], logs)
    zeros = np.where(rng.random(400) < 0.5, 0.0, raw)
    bit, amount = encoded(fitted(ZeroInflated, zeros), zeros).T
    np.testing.assert_array_equal(bit, zeros > 0)
    np.testing.assert_array_equal(np.isnan(amount), zeros == 0)
    np.testing.assert_allclose(amount[zeros > 0], scipy.stats.zscore(np.log(zeros[zeros > 0])))


ARRAYS = {
    "int8": np.array([1, 5, 127], np.int8),
    "uint8": np.array([1, 5, 255], np.uint8),
    "int64": np.array([1, 5, 10**6]),
    "bool": np.array([True, True, True]),
    "float32": np.array([1.5, 2.25, 9.0], np.float32),
    "float64": np.array([0.01, 19.99, 1.0]),
    "nullable": pa.array([1, None, 7]),
    "missing": pa.array([1.5, None, float("nan")]),
    "chunked": pa.chunked_array([[1.5, 2.5], [None, 4.0]]),
    "decimal": pa.array([decimal.Decimal("1.23"), None, decimal.Decimal("99.90")]),
    "duration": pa.array(
        [datetime.timedelta(days=1, microseconds=7), None, datetime.timedelta(2)]
    ),
    "dictionary": pa.array([2.5, None, 7.0]).dictionary_encode(),
    "whole dictionary": pa.array([2, None, 7]).dictionary_encode(),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("cls", BASES)
def test_numbers_of_all_types_come_back(cls, name):
    array = ARRAYS[name]
    column = fitted(cls, array)
    back = through(column, array)
    wanted = (
        [None if value != value else value for value in pa.array(array).to_pylist()]
        if (isinstance(array, np.ndarray))
        else [None if value != value else value for value in array.to_pylist()]
    )
    whole = name in ("int8", "uint8", "int64", "nullable", "whole dictionary")
    assert pa.types.is_integer(back.type) == whole
    assert pa.types.is_duration(back.type) == (name == "duration")
    for got, want in zip(back.to_pylist(), wanted, strict=True):
        if want is None or whole:
            assert got == want
        elif name == "duration":
            assert abs(got - want) < datetime.timedelta(seconds=0.2)
        else:
            assert got == pytest.approx(float(want), rel=1e-6)
    assert column.fields[0].missing == (wanted.count(None), len(wanted))


@given(st.lists(st.integers(-10_000, 10_000), min_size=1, max_size=50), st.integers(0, 4))
def test_decimals_come_back_exactly(numerators, decimals):
    raw = np.array([float(decimal.Decimal(k).scaleb(-decimals)) for k in numerators])
    np.testing.assert_array_equal(through(fitted(Numeric, raw), raw).to_numpy(), raw)
    amounts = np.abs(raw)
    np.testing.assert_allclose(
        through(fitted(ZeroInflated, amounts), amounts).to_numpy(), amounts, rtol=1e-5
    )


@given(st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=20))
def test_any_numbers_come_back_to_single_precision_or_are_refused_by_name(rows):
    raw = np.array(rows)
    try:
        column = fitted(Numeric, raw)
    except DataError as error:
        assert "column 'a'" in str(error)  # noqa: PT017
        return
    code = encoded(column, raw)[:, 0].astype(np.float32)
    assert np.isfinite(code).all()
    back = column.decode(code[:, None].astype(np.float64)).to_numpy()
    allowed = 1e-6 * (np.abs(raw - column.loc) + column.scale) + column.spacing / 2
    assert (np.abs(back - raw) <= allowed + 1e-12 * np.abs(raw)).all()


def test_columns_fit_for_floats_are_whole_only_if_all_pieces_are():
    assert fitted(Numeric, pa.array([1, 2])).raw == "integer"
    assert fitted(Numeric, pa.array([1, 2]), pa.array([1.0])).raw == "number"
    assert fitted(Numeric, pa.array([None, None]), pa.array([1, 2])).raw == "integer"
    assert fitted(Numeric, pa.array([1, 2]), pa.array([None])).raw == "integer"
    assert fitted(Numeric, pa.array([True, False])).raw == "number"


def test_floors_are_the_deviation_of_rounding():
    """Simulated: the error of rounding to cents, in units of the column's deviation."""
    rng = np.random.default_rng(0)
    exact = rng.normal(5, 0.3, 100_000)
    cents = np.round(exact, 2)
    column = fitted(Numeric, cents)
    error = (encoded(column, cents) - encoded(column, exact)).std()
    assert column.fields[0].floor == pytest.approx(error, rel=0.01)
    amounts = np.round(np.exp(rng.normal(5, 0.01, 100_000)), 2)
    column = fitted(Positive, amounts)
    exact = amounts + rng.uniform(-0.005, 0.005, 100_000)
    error = (encoded(column, exact) - encoded(column, amounts)).std()
    assert column.fields[0].floor == pytest.approx(error, rel=0.02)
    assert fitted(Numeric, exact).fields[0].floor == 0.0


def test_constant_columns_are_told_and_scaled_by_their_spacing():
    for raw, scale in ((np.full(3, 7), 1.0), (np.full(3, 0.25), 0.01), (np.full(3, math.pi), 1.0)):
        column = fitted(Numeric, raw)
        assert column.scale == scale
        np.testing.assert_allclose(encoded(column, raw), 0, atol=1e-12)
        assert column.notes() == (
            f"column 'a' is constant ({raw[0]:g}): only other values will count",
        )
    assert fitted(Numeric, np.array([1, 2])).notes() == ()
    zeros = fitted(ZeroInflated, np.zeros(3))
    assert through(zeros, np.array([0.0, 5.0, np.nan])).to_pylist() == [0.0, 5.0, None]


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ([1e308, -1e308], r"column 'a': the values are too large to scale; .*1e\+308"),
        ([1e200, -1e200], r"too large to scale"),
        ([1e-300, 3e-300], r"too close together to scale.*Change their unit, or take their log"),
        ([np.nan, np.nan], r"column 'a' has no values at all"),
        ([1.0, np.inf], r"t: column 'a': 1 value\(s\) are not finite, in row 1; .*got inf"),
        ([-np.inf], r"1 value\(s\) are not finite, in row 0; expected finite numbers, got -inf"),
    ],
)
def test_numbers_that_cannot_be_scaled_are_refused(raw, says):
    summary = Numeric.summary("a", {})
    with pytest.raises(DataError, match=says):  # noqa: PT012 - either of the two refuses
        summary.add(values(np.array(raw), where="t"))
        summary.column()


def test_tiny_numbers_are_fine_as_logarithms():
    raw = np.array([1e-300, 3e-300, 1e300])
    np.testing.assert_allclose(through(fitted(Positive, raw), raw).to_numpy(), raw, rtol=1e-3)
    least = fitted(ZeroInflated, np.array([0.0, 5e-324, 5e-324]))
    assert least.fields[1].floor == 0.0
    small = 1e-10 * np.array([1.0, 2.0, 4.5])
    np.testing.assert_allclose(through(fitted(Numeric, small), small).to_numpy(), small, rtol=1e-6)


def test_integers_beyond_all_bounds_are_cut_where_64_bits_end():
    column = Numeric("a", loc=0.0, scale=1e19, raw="integer")
    found = column.decode(np.array([[1.0], [-1.0], [np.nan]])).to_pylist()
    assert found == [2**63 - 1024, -(2**63) + 1024, None]
    assert Positive("a", raw="integer").decode(np.array([[1e4]])).to_pylist() == [2**63 - 1024]
    seconds = Numeric("a", scale=1e300, raw="duration").decode(np.array([[1e9]]))
    assert seconds.cast(pa.int64()).to_pylist() == [2**63 - 1024]


def test_what_is_above_zero_stays_there():
    column = fitted(Positive, np.array([0.01, 0.02, 5.0]))
    assert column.decode(np.array([[-50.0]])).to_pylist() == [0.01]
    amounts = fitted(ZeroInflated, np.array([0, 1, 2, 90]))
    assert amounts.decode(np.array([[1.0, -9.0], [0.0, 3.0]])).to_pylist() == [1, 0]


def test_values_out_of_range_are_refused_with_their_rows():
    with pytest.raises(DataError, match=r"2 value\(s\) are not above 0, in rows 0, 2; .*got 0\.0"):
        fitted(Positive, np.array([0.0, 1.0, -1.0]))
    with pytest.raises(DataError, match=r"1 value\(s\) are below 0, in row 2; .*Choose 'numeric'"):
        fitted(ZeroInflated, np.array([0.0, 1.0, -1.0]))
    for wrong in (-1.0, 0.5, 2.0**24 + 2):
        with pytest.raises(
            DataError, match=r"1 value\(s\) are no counts, in row 1; expected whole"
        ):
            fitted(Counts, np.array([1.0, wrong]))


def test_counts_come_back_with_the_moments_of_numpy():
    raw = np.random.default_rng(0).poisson(4, 300).astype(np.float64)
    raw[::7] = np.nan
    column = fitted(Counts, raw[:99], raw[99:])
    there = raw[~np.isnan(raw)]
    assert column.mean == pytest.approx(there.mean())
    assert column.log_loc == pytest.approx(np.log1p(there).mean())
    assert column.log_scale == pytest.approx(np.log1p(there).std())
    assert (column.rows, column.absent) == (300, 43)
    back = through(column, raw)
    assert back.type == pa.int64()
    np.testing.assert_array_equal(back.to_numpy(zero_copy_only=False), raw)
    assert column.typical(np.array([[1.25], [np.nan]])).to_pylist() == [1.25, None]
    assert fitted(Counts, np.array([2**24])).log_scale == 1.0
    assert from_json(to_json(column)) == column


@every
def test_columns_without_values_or_with_options_are_refused(cls):
    with pytest.raises(DataError, match=r"column 'a' has no values at all.*\{'a': 'skip'\}"):
        fitted(cls, pa.array([None, None]))
    with pytest.raises(ConfigError, match=r"column 'a': unknown option 'x' .*has no options"):
        cls.summary("a", {"x": "1"})


@every
@pytest.mark.parametrize(
    "changes",
    [
        {"scale": 0.0},
        {"scale": -1.0},
        {"scale": math.nan},
        {"loc": math.inf},
        {"loc": "0"},
        {"spacing": -1.0},
        {"raw": "text"},
        {"absent": 2, "rows": 1},
        {"rows": 1.5},
        {"log_scale": 0.0},
        {"log_loc": math.nan},
        {"mean": -1.0},
        {"whole": True},
    ],
)
def test_damaged_columns_are_refused(cls, changes):
    with pytest.raises(ConfigError):
        from_json({"kind": cls.kind, "name": "a", **changes})


def test_expectations_are_not_rounded():
    column = Numeric("a", spacing=1.0, raw="integer")
    assert column.typical(np.array([[1.25], [np.nan]])).to_pylist() == [1.25, None]
    seconds = Numeric("a", raw="duration").typical(np.array([[1.25], [np.nan]]))
    assert seconds.to_pylist() == [datetime.timedelta(seconds=1.25), None]
