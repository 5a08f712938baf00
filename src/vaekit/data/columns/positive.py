r"""Columns of skewed numbers: as logarithms, or as zeros and logarithms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from vaekit.data.columns.column import Field
from vaekit.data.columns.numeric import QUANTISED, Scaled, ScaledSummary
from vaekit.data.columns.options import NoOptions, read_options
from vaekit.data.columns.values import Values

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Positive", "ZeroInflated"]


LARGEST_LOG = 700.0
"""Whose exponential is still a number in double precision."""


class Logarithmic(Scaled):
    """Base of columns whose real field is a logarithm."""

    @property
    def floor(self) -> float:
        """The spacing as a share of a typical value, in units of the scale."""
        if not self.spacing:
            return 0.0
        relative = math.exp(min(LARGEST_LOG, math.log(self.spacing) - self.loc))
        return QUANTISED * relative / self.scale

    def _amount(self, field: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.exp(field * self.scale + self.loc)

    def _above_0(self, raw: np.ndarray) -> np.ndarray:
        """Rounded, but not to 0: what is above 0 stays there."""
        rounded = self._round(raw)
        return np.where((rounded <= 0) & (raw > 0), self.spacing, rounded)

    @classmethod
    def summary(cls, name: str, options: Mapping[str, str]) -> ScaledSummary:
        """What collects the logarithms."""
        read_options(NoOptions, options, name)
        return ScaledSummary(cls, name)


class Positive(Logarithmic, kind="column/positive"):
    r"""Skewed numbers above 0, :math:`(\ln v - loc) / scale`: a Gaussian field is log-normal.

    Example:
        >>> column = Positive("a", loc=0.0, scale=2.0)
        >>> column.encode(Values("a", np.array([1.0, math.e**2]))).tolist()
        [[0.0], [1.0]]
    """

    word: ClassVar[str] = "positive"

    @property
    def fields(self) -> tuple[Field, ...]:
        """One real number, the scaled logarithm."""
        return (Field(self.name, "real", floor=self.floor, missing=self.missing),)

    def encode(self, values: Values) -> np.ndarray:  # noqa: D102
        return ((self.transform(values, values.floats()) - self.loc) / self.scale)[:, None]

    def decode(self, fields: np.ndarray) -> pyarrow.Array:  # noqa: D102
        return self._array(self._above_0(self._unscaled(fields)))

    def _unscaled(self, fields: np.ndarray) -> np.ndarray:
        return self._amount(fields[:, 0])

    @classmethod
    def transform(cls, values: Values, raw: np.ndarray) -> np.ndarray:
        """The logarithms."""
        wrong = raw <= 0
        if wrong.any():
            values.refuse(
                wrong,
                "not above 0",
                expected="numbers above 0 in a 'positive' column",
                remedy="choose 'zero-inflated' for a column with zeros, or 'numeric'",
            )
        return np.log(raw)


class ZeroInflated(Logarithmic, kind="column/zero-inflated"):
    r"""Amounts that are often exactly 0: a bit (is it above 0?) and the logarithm where it is.

    Example:
        >>> column = ZeroInflated("a", loc=0.0, scale=1.0)
        >>> column.encode(Values("a", np.array([0.0, 1.0, np.nan]))).tolist()
        [[0.0, nan], [1.0, 0.0], [nan, nan]]
    """

    word: ClassVar[str] = "zero-inflated"

    @property
    def fields(self) -> tuple[Field, ...]:
        """Whether it is above 0, and the scaled logarithm, void where it is not."""
        real = Field(f"{self.name} (amount)", "real", floor=self.floor, missing=None)
        return Field(f"{self.name} (above 0)", "bit", missing=self.missing), real

    def encode(self, values: Values) -> np.ndarray:  # noqa: D102
        raw = values.floats()
        logs = self.transform(values, raw)
        bit = np.where(np.isnan(raw), np.nan, raw > 0)
        return np.stack([bit, (logs - self.loc) / self.scale], 1)

    def decode(self, fields: np.ndarray) -> pyarrow.Array:  # noqa: D102
        return self._array(self._above_0(self._unscaled(fields)))

    def _unscaled(self, fields: np.ndarray) -> np.ndarray:
        found = np.where(fields[:, 0] >= 0.5, self._amount(fields[:, 1]), 0.0)
        return np.where(np.isnan(fields[:, 0]), np.nan, found)

    @classmethod
    def transform(cls, values: Values, raw: np.ndarray) -> np.ndarray:
        """The logarithms of what is above 0, NaN elsewhere."""
        wrong = raw < 0
        if wrong.any():
            values.refuse(
                wrong,
                "below 0",
                expected="0 or more in a 'zero-inflated' column",
                remedy="choose 'numeric'",
            )
        return np.log(np.where(raw > 0, raw, np.nan))
