"""Columns of yes and no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from vaekit.data.columns.column import Column, Field
from vaekit.data.columns.options import NoOptions, read_options
from vaekit.data.columns.values import Values, no_values

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Boolean", "BooleanSummary"]

EXPECTED = "true, false, 1 or 0"


class Boolean(Column, kind="column/boolean"):
    """Yes or no, as 1 or 0.

    Example:
        >>> Boolean("b").encode(Values("b", np.array([1.0, 0.0, np.nan]))).tolist()
        [[1.0], [0.0], [nan]]
    """

    word: ClassVar[str] = "Boolean"

    @property
    def fields(self) -> tuple[Field, ...]:
        """One bit."""
        return (Field(self.name, "bit", missing=self.missing),)

    def encode(self, values: Values) -> np.ndarray:  # noqa: D102
        bits = values.floats(expected=EXPECTED)
        wrong = ~np.isin(bits, (0.0, 1.0)) & ~np.isnan(bits)
        if wrong.any():
            values.refuse(wrong, "neither true nor false", expected=EXPECTED)
        return bits[:, None]

    def decode(self, fields: np.ndarray) -> pyarrow.Array:  # noqa: D102
        import pyarrow as pa

        return pa.array(fields[:, 0] >= 0.5, mask=np.isnan(fields[:, 0]))

    @classmethod
    def summary(cls, name: str, options: Mapping[str, str]) -> BooleanSummary:  # noqa: D102
        read_options(NoOptions, options, name)
        return BooleanSummary(name)


class BooleanSummary:
    """What is collected of a column of yes and no; see :class:`Summary`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows = self.absent = 0

    def add(self, values: Values) -> None:
        """Take in some rows."""
        bits = Boolean(self.name).encode(values)
        self.rows += len(bits)
        self.absent += int(np.isnan(bits).sum())

    def column(self) -> Boolean:
        """The column that fits all rows so far."""
        if self.rows == self.absent:
            raise no_values(self.name)
        return Boolean(self.name, self.rows, self.absent)
