r"""Columns of numbers, and what columns that are scaled have in common.

A scale :math:`\sigma` that is learned for a column must not fall below what the values can tell
apart, or a column that takes a few values only has unbounded density and drowns all others. Values
that are multiples of r are known to within r, which as a uniform error has the deviation
:math:`r / \sqrt{12}`: that is the floor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np

from vaekit.data.columns.column import Column, Field
from vaekit.data.columns.options import NoOptions, read_options
from vaekit.data.columns.spread import Spread
from vaekit.data.columns.values import PER_SECOND, Values, no_values
from vaekit.errors import DataError
from vaekit.spec import Within

if TYPE_CHECKING:
    import pyarrow

__all__ = ["QUANTISED", "Numeric", "Raw", "Scaled", "ScaledSummary"]

Raw = Literal["number", "integer", "duration"]
LARGEST = 2.0**63 - 1024
"""The largest number in double precision that 64 bits hold as an integer."""

QUANTISED = 1 / math.sqrt(12)
"""Deviation of a uniform rounding error of one unit."""
Scale = Annotated[float, Within(5e-324)]


class Scaled(Column):
    """Base of columns with a real field, ``(f(value) − loc) / scale``.

    Args:
        loc: Mean of f(value) over the training rows.
        scale: Their standard deviation, or the spacing where they are all the same.
        spacing: What all values are multiples of, 0 for continuous numbers.
        low: Smallest value of the training rows.
        high: Largest value.
        raw: What the raw values are; durations are read in seconds.
    """

    loc: float = 0.0
    scale: Scale = 1.0
    spacing: Annotated[float, Within(0.0)] = 0.0
    low: float = 0.0
    high: float = 0.0
    raw: Raw = "number"

    @classmethod
    def transform(cls, values: Values, raw: np.ndarray) -> np.ndarray:
        """f(value), NaN where there is none.

        Args:
            values: The values, for messages.
            raw: The same as numbers.

        Raises:
            DataError: If f is not defined for a value.
        """
        raise NotImplementedError

    def _round(self, raw: np.ndarray) -> np.ndarray:
        """To the spacing of the training values."""
        if not self.spacing:
            return raw
        digits = max(0, round(-math.log10(self.spacing)))
        with np.errstate(over="ignore", invalid="ignore"):  # NumPy multiplies by 10^digits
            rounded = np.round(raw, digits)
        return np.where(np.isfinite(rounded), rounded, raw)

    def _array(self, raw: np.ndarray) -> pyarrow.Array:
        import pyarrow as pa

        missing = np.isnan(raw)
        if self.raw == "number":
            return pa.array(raw, mask=missing)
        unit = PER_SECOND["us"] if self.raw == "duration" else 1
        with np.errstate(over="ignore"):
            whole = np.rint(np.where(missing, 0, raw) * unit).clip(-LARGEST, LARGEST)
        kind = pa.duration("us") if self.raw == "duration" else pa.int64()
        return pa.array(whole.astype(np.int64), mask=missing).cast(kind)

    def typical(self, fields: np.ndarray) -> pyarrow.Array:
        """Expected values, not rounded."""
        import pyarrow as pa

        raw = self._unscaled(fields)
        return self._array(raw) if self.raw == "duration" else pa.array(raw, mask=np.isnan(raw))

    def decode(self, fields: np.ndarray) -> pyarrow.Array:  # noqa: D102
        return self._array(self._round(self._unscaled(fields)))

    def _unscaled(self, fields: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def notes(self) -> tuple[str, ...]:
        """That it is constant, where it is."""
        if self.low < self.high:
            return ()
        return (f"column {self.name!r} is constant ({self.low:g}): only other values will count",)

    @property
    def floor(self) -> float:
        """The smallest scale of the real field that means something."""
        return QUANTISED * self.spacing / self.scale


class Numeric(Scaled, kind="column/numeric"):
    r"""Numbers of any sign, :math:`(v - loc) / scale`.

    Example:
        >>> column = Numeric("a", loc=2.0, scale=4.0)
        >>> column.encode(Values("a", np.array([6.0, np.nan]))).tolist()
        [[1.0], [nan]]
    """

    word: ClassVar[str] = "numeric"

    @property
    def fields(self) -> tuple[Field, ...]:
        """One real number."""
        return (Field(self.name, "real", floor=self.floor, missing=self.missing),)

    def encode(self, values: Values) -> np.ndarray:  # noqa: D102
        return ((values.floats() - self.loc) / self.scale)[:, None]

    def _unscaled(self, fields: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return fields[:, 0] * self.scale + self.loc

    @classmethod
    def summary(cls, name: str, options: Mapping[str, str]) -> ScaledSummary:  # noqa: D102
        read_options(NoOptions, options, name)
        return ScaledSummary(cls, name)

    @classmethod
    def transform(cls, values: Values, raw: np.ndarray) -> np.ndarray:
        """The numbers as they are."""
        return raw


class ScaledSummary:
    """What is collected of a column that is scaled; see :class:`Summary`."""

    def __init__(self, cls: type[Scaled], name: str) -> None:
        self.cls = cls
        self.name = name
        self.rows = self.absent = 0
        self.kind: Raw | None = None
        self.values, self.scaled = Spread(), Spread()

    def add(self, values: Values) -> None:
        """Take in some rows."""
        raw = values.floats()
        kind, single = _kind_of(values)
        absent = int(np.isnan(raw).sum())
        if absent < len(raw):
            self.kind = kind if self.kind in (None, kind) else "number"
        self.rows += len(raw)
        self.absent += absent
        self.values.add(raw, single=single)
        if self.cls is not Numeric:
            self.scaled.add(self.cls.transform(values, raw))

    def column(self) -> Scaled:
        """The column that fits all rows so far."""
        if not self.values.count or self.kind is None:
            raise no_values(self.name)
        spread = self.values if self.cls is Numeric else self.scaled
        spacing = self.values.spacing
        scale = (spacing or 1.0) if spread.is_constant else spread.deviation
        if not (math.isfinite(scale) and scale > 0 and math.isfinite(spread.mean)):
            raise DataError(
                f"the values are too {'close together' if scale == 0 else 'large'} to scale",
                expected="a standard deviation that is a number in double precision",
                got=f"numbers from {self.values.low:g} to {self.values.high:g}",
                where=f"column {self.name!r}",
                remedy="change their unit, or take their logarithm (column type 'positive')",
            )
        return self.cls(
            name=self.name,
            rows=self.rows,
            absent=self.absent,
            loc=spread.mean,
            scale=scale,
            spacing=spacing,
            low=self.values.low,
            high=self.values.high,
            raw=self.kind,
        )


def _kind_of(values: Values) -> tuple[Raw, bool]:
    """What the raw values are, and whether they have single precision or less."""
    import pyarrow as pa

    if isinstance(values.array, np.ndarray):
        kind = values.array.dtype
        return (
            "integer" if kind.kind in "iu" else "number"
        ), kind.kind == "f" and kind.itemsize < 8
    kind = values.array.type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_integer(kind) or pa.types.is_duration(kind):
        return ("integer" if pa.types.is_integer(kind) else "duration"), False
    return "number", kind in (pa.float16(), pa.float32())
