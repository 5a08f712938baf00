"""What a column of a table is: raw values on one side, numbers with known kinds on the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple, Protocol

import numpy as np

from vaekit.data.columns.values import Values
from vaekit.errors import ConfigError
from vaekit.spec import Spec, Within

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Column", "Count", "Field", "FieldKind", "Summary"]

FieldKind = Literal["real", "count", "bit", "code", "level", "circle"]
Count = Annotated[int, Within(0, 2**53)]


class Field(NamedTuple):
    """One number of a row as a model sees it; NaN where it is missing.

    Attributes:
        name: Of the column, with the part of it where it has several.
        kind: ``real`` (about mean 0 and deviation 1), ``count`` (0, 1, 2, …), ``bit`` (0 or 1),
            ``code`` (0 to size − 1, without order), ``level`` (the same, in order), or ``circle``
            (a fraction of a cycle, in [0, 1)).
        size: How many codes or levels there are.
        floor: The smallest scale that means something: the spacing of the values, for ``real``.
        missing: How often it was missing among how many training rows; None where NaN only says
            that another field of the column makes it void (the amount of a zero).
    """

    name: str
    kind: FieldKind
    size: int = 0
    floor: float = 0.0
    missing: tuple[int, int] | None = (0, 0)


class Column(Spec):
    """Base of columns: how raw values become fields and fields become raw values.

    Args:
        name: Of the column.
        rows: How many rows it was fitted to.
        absent: How many of them had no value here.
    """

    name: str
    rows: Count = 0
    absent: Count = 0

    word: ClassVar[str] = ""

    @property
    def fields(self) -> tuple[Field, ...]:
        """What the model sees of it."""
        raise NotImplementedError

    def validate(self) -> None:
        """Check that no more rows lack a value than there are."""
        absent, rows = self.missing
        if absent > rows:
            raise ConfigError(
                "more values are missing than there are rows",
                expected=f"at most {rows}",
                got=absent,
                where=f"column {self.name!r}",
            )

    def encode(self, values: Values) -> np.ndarray:
        """Fields of some rows, float64 ``(n, fields)``, NaN where there is no value.

        Raises:
            DataError: If a value is of another type or out of range; names the column and rows.
        """
        raise NotImplementedError

    def decode(self, fields: np.ndarray) -> pyarrow.Array:
        """The raw values of ``(n, fields)``; null where a field is NaN."""
        raise NotImplementedError

    def typical(self, fields: np.ndarray) -> pyarrow.Array:
        """What :meth:`decode` gives for expectations, which need not be values that exist."""
        return self.decode(fields)

    def notes(self) -> tuple[str, ...]:
        """What a user should know of this column."""
        return ()

    def describe(self) -> str:
        """A few words for people."""
        return self.word

    @classmethod
    def summary(cls, name: str, options: Mapping[str, str]) -> Summary:
        """What collects a column of this kind, some rows at a time.

        Args:
            name: Of the column.
            options: Of the column type, as text.

        Raises:
            ConfigError: If an option is unknown or wrong.
        """
        raise NotImplementedError

    @property
    def missing(self) -> tuple[int, int]:
        """How often it was missing, of how many rows."""
        return self.absent, self.rows


class Summary(Protocol):
    """What must be known of values to fit their column, in memory that does not grow with them."""

    def add(self, values: Values) -> None:
        """Take in some rows."""

    def column(self) -> Column:
        """The column that fits all rows so far.

        Raises:
            DataError: If there is no value at all.
        """
