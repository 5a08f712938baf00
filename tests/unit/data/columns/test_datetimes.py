"""Dates and times against Python's own calendar."""

import datetime as dt
import zoneinfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaekit.data.columns import DateTime, Values
from vaekit.errors import ConfigError, DataError
from vaekit.spec import from_json, to_json

MONDAY = dt.datetime(1969, 12, 29)
PARIS = zoneinfo.ZoneInfo("Europe/Paris")


def values(array, **where):
    return Values("t", pa.array(array) if isinstance(array, list) else array, **where)


def fitted(*pieces, **options):
    summary = DateTime.summary("t", options)
    for piece in pieces:
        summary.add(values(piece))
    return summary.column()


def through(column, array):
    fields = column.encode(values(array)).astype(np.float32).astype(np.float64)
    return column.decode(fields).to_pylist()


moments = st.datetimes(dt.datetime(1, 1, 3), dt.datetime(9999, 12, 30)).map(
    lambda moment: moment.replace(microsecond=0)
)


@given(st.lists(moments | st.none(), min_size=1, max_size=20), st.integers(0, 20))
def test_parts_are_those_of_pythons_calendar(rows, cut):
    array = pa.array(rows, pa.timestamp("us"))
    there = [row for row in rows if row is not None]
    if not there:
        with pytest.raises(DataError, match=r"column 't' has no values at all"):
            fitted(array)
        return
    column = fitted(array[:cut], array[cut:])
    fields = column.encode(values(array))
    weeks = [(row - MONDAY) // dt.timedelta(days=7) for row in there]
    assert column.loc == pytest.approx(np.mean(weeks), abs=1e-9)
    for row, found in zip(rows, fields, strict=True):
        if row is None:
            assert np.isnan(found).all()
            continue
        day = dt.timedelta(days=1)
        week, rest = divmod(row - MONDAY, 7 * day)
        assert found[0] * column.scale + column.loc == pytest.approx(week, abs=1e-6)
        assert found[1] == row.weekday() == rest // day
        if column.timed:
            assert found[2] == pytest.approx((rest % day) / day, abs=1e-12)
    assert through(column, array) == rows
    assert from_json(to_json(column)) == column


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Paris", "+05:30"])
def test_timestamps_of_all_units_and_zones_come_back(unit, zone):
    rows = [dt.datetime(1960, 2, 29, 23, 59, 59), None, dt.datetime(2024, 7, 1, 12, 0)]
    array = pa.array(rows, pa.timestamp(unit, tz=zone))
    column = fitted(array)
    assert column.zone == (zone or "")
    assert through(column, array) == array.cast(pa.timestamp("us", tz=zone)).to_pylist()


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64()])
def test_dates_come_back_as_dates(kind):
    rows = [dt.date(1, 1, 1), None, dt.date(1969, 12, 31), dt.date(9999, 12, 31)]
    column = fitted(pa.array(rows, kind))
    assert (column.dated, column.timed, len(column.fields)) == (True, False, 2)
    assert through(column, pa.array(rows, kind)) == rows


def test_midnights_stay_timestamps():
    for zone in (None, PARIS):
        rows = [dt.datetime(2024, 1, 5, tzinfo=zone), dt.datetime(2024, 7, 9, tzinfo=zone)]
        column = fitted(rows)
        assert (column.dated, column.timed) == (False, False)
        assert through(column, rows) == rows


def test_frames_of_pandas_come_back():
    days = pd.Series(pd.to_datetime(["2024-01-05 10:30:00", None, "1950-03-01 00:00:00"]))
    for series in (days, days.dt.tz_localize("America/New_York")):
        array = pa.array(series, from_pandas=True)
        found = pd.Series(fitted(array).decode(fitted(array).encode(values(array))).to_pandas())
        assert (found.isna() == series.isna()).all()
        assert (found.dropna() == series.dropna()).all()


def test_clocks_are_those_of_the_training_rows():
    """Noon in Paris is a moment that other clocks show otherwise."""
    noon = dt.datetime(2024, 7, 1, 12, tzinfo=PARIS)
    column = fitted([noon, noon + dt.timedelta(hours=1)])
    utc = pa.array([noon.astimezone(dt.UTC)], pa.timestamp("us", tz="UTC"))
    assert column.encode(values(utc))[0, 2] == 0.5
    assert through(column, utc) == [noon]
    mixed = fitted(pa.array([noon, noon.astimezone(dt.UTC)]))
    np.testing.assert_array_equal(mixed.encode(values(utc)), mixed.encode(values([noon])))


def test_summaries_keep_the_clock_of_the_first_rows():
    noon = dt.datetime(2024, 7, 1, 12, 30, tzinfo=PARIS)
    utc = pa.array([noon.astimezone(dt.UTC)], pa.timestamp("us", tz="UTC"))
    assert fitted(pa.array([noon]), utc) == fitted(pa.array([noon, noon]))


def test_moments_with_and_without_a_zone_do_not_mix():
    plain, zoned = dt.datetime(2024, 7, 1, 12), dt.datetime(2024, 7, 1, 12, tzinfo=PARIS)
    says = r"t: column 't': moments with and without a time zone do not compare; expected "
    with pytest.raises(DataError, match=says + r"no time zone, got the time zone 'Europe/Paris'"):
        fitted([plain]).encode(values([zoned], where="t"))
    with pytest.raises(DataError, match=says + r"the time zone 'Europe/Paris', got none"):
        fitted([zoned]).encode(values([plain], where="t"))
    with pytest.raises(DataError, match=r"with and without a time zone"):
        fitted([zoned]).encode(values([plain.date()]))


def test_a_time_of_day_in_a_column_of_days_is_refused():
    column = fitted([dt.datetime(2024, 1, 5)])
    says = r"1 value\(s\) are moments within a day, in row 3; expected whole days"
    with pytest.raises(DataError, match=says):
        column.encode(values([dt.datetime(2024, 1, 5), dt.datetime(2024, 1, 5, 1)], first=2))


@pytest.mark.parametrize(
    "array", [["2024-01-01"], [20240101], np.array([1.0]), pa.array([1], pa.duration("s"))]
)
def test_what_is_no_moment_is_refused(array):
    with pytest.raises(DataError, match=r"column 't': the values are no dates or times; expected"):
        fitted(array)


def test_draws_far_away_stay_within_the_calendar():
    for column in (
        DateTime("t"),
        DateTime("t", zone="UTC"),
        DateTime("t", timed=False, dated=True),
    ):
        width = len(column.fields)
        fields = np.array([[1e30, 6.0, 0.999], [-1e30, 0.0, 0.0], [np.nan, 1.0, 0.5]])[:, :width]
        late, early, none = column.decode(fields).to_pylist()
        assert (late.year, early.year, none) == (9999, 1, None)


def test_an_unknown_zone_is_refused():
    column = from_json({"kind": "column/datetime", "name": "t", "zone": "Europe/Atlantis"})
    with pytest.raises(DataError, match=r"no such time zone on this machine; got 'Europe/Atl"):
        column.decode(np.zeros((1, 3)))


def test_weeks_have_the_spacing_of_one_week():
    rows = [dt.datetime(2024, 1, 1) + dt.timedelta(days=k) for k in range(700)]
    week, weekday = fitted(rows).fields
    assert week.floor == pytest.approx(1 / np.sqrt(12) / np.std(np.arange(100)), rel=1e-6)
    assert (weekday.kind, weekday.size, weekday.missing) == ("code", 7, None)


WEEK = dt.timedelta(days=7)
TRAINED = [dt.datetime(2024, 1, 1, 9) + k * dt.timedelta(days=1) for k in range(91)]


@pytest.mark.parametrize("zone", [None, PARIS])
@pytest.mark.parametrize("weeks", [1, 8, 12, 52, 300])
def test_weeks_after_the_last_of_training_count_as_it(zone, weeks):
    trained = [moment.replace(tzinfo=zone) for moment in TRAINED]
    column = fitted(trained[:50], trained[50:])
    later = [moment.replace(tzinfo=zone) + weeks * WEEK for moment in TRAINED[-7:]]
    fields = column.encode(values(later))
    np.testing.assert_array_equal(fields, column.encode(values(trained[-7:])))
    assert fields[:, 1].tolist() == [*range(7)]
    assert column.decode(fields).to_pylist() == trained[-7:]
    assert through(column, trained) == trained


def test_earlier_weeks_keep_their_distance():
    column = fitted(TRAINED)
    early = column.encode(values([dt.datetime(1970, 1, 1), None, TRAINED[0] - WEEK]))
    assert early[0, 0] < -500
    assert np.isnan(early[1]).all()
    assert early[2, 0] == pytest.approx(column.encode(values(TRAINED))[0, 0] - 1 / column.scale)


def test_expectations_do_not_pass_the_last_week():
    expected = fitted(TRAINED).typical(np.array([[9.0, 2.0, 0.5]])).to_pylist()
    assert expected == [dt.datetime(2024, 3, 27, 12)]


def test_later_weeks_are_extrapolated_where_asked():
    column = fitted(TRAINED, later="extrapolate")
    later = [moment + 12 * WEEK for moment in TRAINED]
    step = (column.encode(values(later)) - column.encode(values(TRAINED)))[:, 0]
    assert step == pytest.approx(12 / column.scale)
    assert through(column, later) == later
    assert column == fitted(TRAINED).replace(last=None)
    with pytest.raises(ConfigError, match=r"column 't', option later: not one of the choices"):
        fitted(TRAINED, later="first")


def test_the_schema_says_it_and_one_without_extrapolates():
    column = fitted(TRAINED)
    written = to_json(column)
    assert written["last"] == (TRAINED[-1] - MONDAY) // WEEK
    assert from_json(written) == column
    assert column.describe() == "date and time, later weeks count as the last"
    del written["last"]
    old = from_json(written)
    assert old == fitted(TRAINED, later="extrapolate")
    assert old.describe() == "date and time"
