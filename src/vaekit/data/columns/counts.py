"""Columns of counts, which are whole numbers from 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from vaekit.data.columns.column import Column, Field
from vaekit.data.columns.options import NoOptions, read_options
from vaekit.data.columns.spread import Spread
from vaekit.data.columns.values import Values, no_values
from vaekit.spec import Within

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Counts"]

LARGEST = 2**24
"""Counts beyond are not exact in single precision."""


class Counts(Column, kind="column/count"):
    """Whole numbers from 0, which the model sees as they are.

    Args:
        mean: Of the training rows.
        log_loc: Mean of log(1 + value) over the training rows, by which encoders scale it.
        log_scale: Its standard deviation, 1 where all values are the same.

    Example:
        >>> Counts("n").encode(Values("n", np.array([0, 3]))).tolist()
        [[0.0], [3.0]]
    """

    mean: Annotated[float, Within(0.0)] = 1.0
    log_loc: float = 0.0
    log_scale: Annotated[float, Within(5e-324)] = 1.0

    word: ClassVar[str] = "count"

    @property
    def fields(self) -> tuple[Field, ...]:
        """One count."""
        return (Field(self.name, "count", missing=self.missing),)

    def encode(self, values: Values) -> np.ndarray:  # noqa: D102
        return counts_of(values)[:, None]

    def decode(self, fields: np.ndarray) -> pyarrow.Array:  # noqa: D102
        import pyarrow as pa

        raw = fields[:, 0]
        missing = np.isnan(raw)
        return pa.array(np.where(missing, 0, np.rint(raw)).astype(np.int64), mask=missing)

    def typical(self, fields: np.ndarray) -> pyarrow.Array:
        """Expected counts, not rounded."""
        import pyarrow as pa

        return pa.array(fields[:, 0], mask=np.isnan(fields[:, 0]))

    @classmethod
    def summary(cls, name: str, options: Mapping[str, str]) -> CountsSummary:  # noqa: D102
        read_options(NoOptions, options, name)
        return CountsSummary(name)


class CountsSummary:
    """What is collected of a column of counts; see :class:`Summary`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows = self.absent = 0
        self.raw, self.logs = Spread(), Spread()

    def add(self, values: Values) -> None:
        """Take in some rows."""
        raw = counts_of(values)
        self.rows += len(raw)
        self.absent += int(np.isnan(raw).sum())
        self.raw.add(raw)
        self.logs.add(np.log1p(raw))

    def column(self) -> Counts:
        """The column that fits all rows so far."""
        if not self.raw.count:
            raise no_values(self.name)
        return Counts(
            name=self.name,
            rows=self.rows,
            absent=self.absent,
            mean=self.raw.mean,
            log_loc=self.logs.mean,
            log_scale=self.logs.deviation or 1.0,
        )


def counts_of(values: Values) -> np.ndarray:
    """Counts as float64, NaN where there is none.

    Raises:
        DataError: If a value is negative, fractional, or too large to be exact.
    """
    raw = values.floats()
    wrong = (raw < 0) | (raw != np.floor(raw)) | (raw > LARGEST)
    wrong &= ~np.isnan(raw)
    if wrong.any():
        values.refuse(
            wrong,
            "no counts",
            expected=f"whole numbers from 0 to {LARGEST:,}",
            remedy="choose 'numeric' for this column",
        )
    return raw
