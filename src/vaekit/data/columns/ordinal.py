"""Columns of categories in order, such as sizes and grades."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from vaekit.data.columns.coded import Coded
from vaekit.data.columns.codes import (
    Scalar,
    coded,
    common_scalar,
    decoded,
    require_known,
    written,
)
from vaekit.data.columns.column import Field
from vaekit.data.columns.options import read_options
from vaekit.data.columns.values import Values, no_values
from vaekit.errors import ConfigError
from vaekit.spec import Spec

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Ordinal", "OrdinalSummary"]


class Ordinal(Coded, kind="column/ordinal"):
    """Categories in order, as their rank.

    Args:
        levels: As text, from the lowest to the highest.
        scalar: What the raw values are.
        unknown: What becomes of a level that is not known: ``"missing"`` or ``"error"``.

    Example:
        >>> import pyarrow
        >>> column = Ordinal("size", levels=("S", "M", "L"))
        >>> column.encode(Values("size", pyarrow.array(["L", "S"]))).tolist()
        [[2.0], [0.0]]
    """

    levels: tuple[str, ...] = ()
    unknown: Literal["missing", "error"] = "error"

    word: ClassVar[str] = "ordinal"
    plural: ClassVar[str] = "levels"

    @property
    def known(self) -> tuple[str, ...]:  # noqa: D102
        return self.levels

    @property
    def fields(self) -> tuple[Field, ...]:
        """One rank."""
        size = max(2, len(self.levels))
        return (Field(self.name, "level", size=size, missing=self.missing),)

    def encode(self, values: Values) -> np.ndarray:  # noqa: D102
        found = coded(values)
        place = found.among(self.levels)
        if self.unknown == "error":
            require_known(values, found, place, self.levels)
        return np.where(place < 0, np.nan, place)[:, None]

    def decode(self, fields: np.ndarray) -> pyarrow.Array:  # noqa: D102
        return decoded(fields[:, 0], self.levels, self.scalar)

    def describe(self) -> str:  # noqa: D102
        return f"ordinal, {' < '.join(self.levels[:4])}{' < …' if len(self.levels) > 4 else ''}"

    @classmethod
    def summary(cls, name: str, options: Mapping[str, str]) -> OrdinalSummary:  # noqa: D102
        return OrdinalSummary(name, read_options(OrdinalOptions, options, name))


class OrdinalOptions(Spec):
    """What a user may choose for levels.

    Args:
        levels: From the lowest to the highest; by default those of an ordered categorical type.
        unknown: As of :class:`Ordinal`.
    """

    levels: tuple[str, ...] = ()
    unknown: Literal["missing", "error"] = "error"


class OrdinalSummary:
    """Levels in their order; see :class:`Summary`."""

    def __init__(self, name: str, options: OrdinalOptions | None = None) -> None:
        self.name = name
        self.options = options or OrdinalOptions()
        self.levels: tuple[str, ...] = ()
        self.rows = self.absent = 0
        self.scalar: Scalar | None = None

    def add(self, values: Values) -> None:
        """Take in some rows."""
        found = coded(values)
        absent = int((found.place < 0).sum())
        if absent < len(values):
            self.scalar = common_scalar(self.scalar, found.scalar)
        if not self.levels:
            listed = self.options.levels or self._of_type(values)
            self.levels = written(listed, found.scalar, where=f"column {self.name!r}, levels")
        place = found.among(self.levels)
        if self.options.unknown == "error":
            require_known(values, found, place, self.levels)
        self.rows += len(values)
        self.absent += int((place < 0).sum())

    def _of_type(self, values: Values) -> tuple[str, ...]:
        import pyarrow as pa

        kind = getattr(values.array, "type", None)
        if kind is None or not (pa.types.is_dictionary(kind) and kind.ordered):
            raise ConfigError(
                "the order of these levels is not known",
                expected="levels, from the lowest to the highest",
                where=values.place,
                remedy=f"column_types={{{self.name!r}: 'ordinal:levels=low,middle,high'}}, or "
                "an ordered categorical type",
            )
        array = values.array
        array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        return tuple(coded(Values(self.name, array.dictionary)).texts.to_pylist())

    def column(self) -> Ordinal:
        """The column that fits all rows so far."""
        if self.rows == self.absent or not self.levels or self.scalar is None:
            raise no_values(self.name)
        return Ordinal(
            name=self.name,
            rows=self.rows,
            absent=self.absent,
            scalar=self.scalar,
            levels=self.levels,
            unknown=self.options.unknown,
        )
