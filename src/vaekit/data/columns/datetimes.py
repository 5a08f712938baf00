r"""Columns of dates and times.

A moment is a week, a day of the week and a time of day, and these are all of it: the three have
distributions of their own kinds (a number, one of seven, a circle), and an event at three o'clock
on a Sunday stands out in the parts that make it odd.

Rows are judged later than those that taught a model, whose weeks end with training: every new week
would be an anomaly for being new. So weeks after the last one of training count as that one;
earlier ones keep their distance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np

from vaekit.data.columns.column import Column, Field
from vaekit.data.columns.numeric import QUANTISED
from vaekit.data.columns.options import read_options
from vaekit.data.columns.spread import Spread
from vaekit.data.columns.values import PER_SECOND, Values, no_values
from vaekit.errors import DataError
from vaekit.spec import Spec, Within

if TYPE_CHECKING:
    import pyarrow

__all__ = ["DateTime", "DateTimeSummary"]

Later = Literal["last", "extrapolate"]

DAY = 86_400
"""Seconds of a day."""
MONDAY = 3
"""1970-01-01 was a Thursday, three days after a Monday."""
FIRST, LAST = -719_162, 2_932_896
"""The first day of year 1 and the last one of year 9999, beyond which Python has no dates."""


class DateTime(Column, kind="column/datetime"):
    """Moments: the week (scaled), the day of the week, and the time of day where there is one.

    Raw values come back to the second, as a fraction of a day in single precision tells no less.

    Args:
        loc: Mean week since 1970 over the training rows.
        scale: Its standard deviation, 1 where all are in the same week.
        timed: Whether there is a time of day.
        dated: Whether raw values are dates, not timestamps.
        zone: Time zone of the raw values, empty for none; the parts are those of its clocks.
        last: Week of the last training row, as which all later ones count; None where they are
            extrapolated, each as far away as it is.

    Example:
        >>> import pyarrow, datetime
        >>> moment = datetime.datetime(1970, 1, 4, 18, 0)
        >>> DateTime("t", loc=0.0).encode(Values("t", pyarrow.array([moment]))).tolist()
        [[0.0, 6.0, 0.75]]
    """

    loc: float = 0.0
    scale: Annotated[float, Within(5e-324)] = 1.0
    timed: bool = True
    dated: bool = False
    zone: str = ""
    last: float | None = None

    word: ClassVar[str] = "datetime"

    @property
    def fields(self) -> tuple[Field, ...]:
        """The week, the weekday and, where there is one, the time of day."""
        absent = self.missing
        parts = (
            Field(f"{self.name} (week)", "real", floor=QUANTISED / self.scale, missing=absent),
            Field(f"{self.name} (weekday)", "code", size=7, missing=None),
            Field(f"{self.name} (time of day)", "circle", missing=None),
        )
        return parts if self.timed else parts[:2]

    def encode(self, values: Values) -> np.ndarray:  # noqa: D102
        week, weekday, time = parts_of(values, self.zone)
        week = self._until_last(week)
        if not self.timed and (time > 0).any():
            values.refuse(
                time > 0,
                "moments within a day",
                expected="whole days, as all training rows were",
                remedy="round them to days, or fit to rows with a time of day",
            )
        fields = [(week - self.loc) / self.scale, weekday, time]
        return np.stack(fields if self.timed else fields[:2], 1)

    def _until_last(self, week: np.ndarray) -> np.ndarray:
        return week if self.last is None else np.minimum(week, self.last)

    def decode(self, fields: np.ndarray) -> pyarrow.Array:
        """Moments; those of a later week than the last are in the last one, as encoded ones."""
        import pyarrow as pa

        missing = np.isnan(fields[:, 0])
        fields = np.where(missing[:, None], 0.0, fields)
        week = self._until_last(np.rint(fields[:, 0] * self.scale + self.loc))
        days = week * 7 + np.rint(np.nan_to_num(fields[:, 1])) - MONDAY
        time = np.rint(np.nan_to_num(fields[:, 2]) * DAY) if self.timed else 0.0
        if self.dated:
            days = days.clip(FIRST, LAST).astype(np.int32)
            return pa.array(days, pa.int32(), mask=missing).cast(pa.date32())
        seconds = (days * DAY + time).clip((FIRST + 1) * DAY, LAST * DAY)  # a day for the zone
        moment = pa.array(seconds.astype(np.int64), mask=missing).cast(pa.timestamp("s"))
        return self._zoned(moment.cast(pa.timestamp("us")))

    def _zoned(self, moment: pyarrow.Array) -> pyarrow.Array:
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self.zone:
            return moment
        try:
            return pc.assume_timezone(
                moment, self.zone, ambiguous="earliest", nonexistent="earliest"
            )
        except pa.ArrowException as error:
            raise DataError(
                "no such time zone on this machine",
                got=repr(self.zone),
                where=f"column {self.name!r}",
                remedy="install the database of time zones (tzdata)",
            ) from error

    def describe(self) -> str:  # noqa: D102
        word = "date and time" if self.timed else "date"
        return word if self.last is None else f"{word}, later weeks count as the last"

    @classmethod
    def summary(cls, name: str, options: Mapping[str, str]) -> DateTimeSummary:  # noqa: D102
        return DateTimeSummary(name, read_options(DateTimeOptions, options, name))


class DateTimeOptions(Spec):
    """What a user may choose for moments.

    Args:
        later: What becomes of weeks after those of the training rows: ``"last"`` takes them for
            the last one, ``"extrapolate"`` leaves them as far away as they are.
    """

    later: Later = "last"


class DateTimeSummary:
    """What is collected of a column of moments; see :class:`Summary`."""

    def __init__(self, name: str, options: DateTimeOptions | None = None) -> None:
        self.name = name
        self.options = options or DateTimeOptions()
        self.rows = self.absent = 0
        self.timed = False
        self.dated = True
        self.zone: str | None = None
        self.weeks = Spread()

    def add(self, values: Values) -> None:
        """Take in some rows."""
        if self.zone is None:
            self.zone = getattr(_moments(values), "tz", None) or ""
        week, _, time = parts_of(values, self.zone)
        self.rows += len(week)
        self.absent += int(np.isnan(week).sum())
        self.weeks.add(week)
        self.timed |= bool((time > 0).any())
        self.dated &= not hasattr(_moments(values), "tz")

    def column(self) -> DateTime:
        """The column that fits all rows so far."""
        if not self.weeks.count:
            raise no_values(self.name)
        return DateTime(
            self.name,
            self.rows,
            self.absent,
            loc=self.weeks.mean,
            scale=self.weeks.deviation or 1.0,
            timed=self.timed,
            dated=self.dated,
            zone=self.zone or "",
            last=self.weeks.high if self.options.later == "last" else None,
        )


def _moments(values: Values) -> pyarrow.DataType:
    """The type of moments.

    Raises:
        DataError: If the values are no moments.
    """
    import pyarrow as pa

    kind = getattr(values.array, "type", None)
    if kind is None or not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        raise DataError(
            "the values are no dates or times",
            expected="a date or timestamp type",
            got=str(values.array.dtype if kind is None else kind),
            where=values.place,
            remedy="turn them into such a type first (pandas.to_datetime)",
        )
    return kind


def parts_of(values: Values, zone: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Week since 1970, day of the week from Monday = 0, fraction of the day; NaN where missing.

    Args:
        values: Dates or timestamps.
        zone: On whose clocks; empty for values without a zone.

    Raises:
        DataError: If the values are no moments, or have a zone where training rows had none.
    """
    import pyarrow as pa

    kind = _moments(values)
    found = getattr(kind, "tz", None) or ""
    if bool(found) != bool(zone):
        raise DataError(
            "moments with and without a time zone do not compare",
            expected=f"the time zone {zone!r}" if zone else "no time zone",
            got=f"the time zone {found!r}" if found else "none",
            where=values.place,
            remedy="say or drop the zone (pandas: dt.tz_localize)",
        )
    missing = values.missing()
    array, a_day = values.array, 1
    if pa.types.is_timestamp(kind):
        array, a_day = _local(array, kind, zone), DAY * PER_SECOND[kind.unit]
    elif pa.types.is_date64(kind):
        a_day = DAY * PER_SECOND["ms"]
    else:
        array = array.cast(pa.int32())
    raw = array.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    days, rest = np.divmod(raw, a_day)
    week, weekday = np.divmod(days + MONDAY, 7)
    parts = [part.astype(np.float64) for part in (week, weekday, rest / a_day)]
    for part in parts:
        part[missing] = np.nan
    return parts[0], parts[1], parts[2]


def _local(array: pyarrow.Array, kind: pyarrow.DataType, zone: str) -> pyarrow.Array:
    """What the clocks of the zone show."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not zone:
        return array
    return pc.local_timestamp(array.cast(pa.timestamp(kind.unit, tz=zone)))
