"""Some values of one column as Arrow holds them, with what to say when they are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vaekit.data.checks import rows_text
from vaekit.errors import DataError

if TYPE_CHECKING:
    import pyarrow

__all__ = ["PER_SECOND", "Values", "is_number", "is_text", "no_values"]

PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
"""Units of Arrow's durations and timestamps."""


class Values:
    """One column of some rows.

    Args:
        name: Of the column.
        array: Its values, an Arrow array, chunked or not, or a numeric one of NumPy; null or NaN
            where there is none.
        where: Name of the data, for messages.
        first: Number of the first row within the data, for messages.

    Example:
        >>> import pyarrow
        >>> Values("a", pyarrow.array([1, None, 3])).floats()
        array([ 1., nan,  3.])
    """

    __slots__ = ("array", "first", "name", "where")

    def __init__(
        self,
        name: str,
        array: pyarrow.Array | pyarrow.ChunkedArray | np.ndarray,
        *,
        where: str = "table",
        first: int = 0,
    ) -> None:
        self.name = name
        self.array: Any = array  # whatever its library, which has no annotations
        self.where = where
        self.first = first

    def __len__(self) -> int:
        return len(self.array)

    def floats(self, *, expected: str = "numbers") -> np.ndarray:
        """The values as float64, NaN where there is none; durations in seconds.

        Args:
            expected: What they should be, for the message.

        Raises:
            DataError: If they are no numbers, or one is infinite.
        """
        numbers = self.array if isinstance(self.array, np.ndarray) else self._numbers(expected)
        found = np.asarray(numbers, np.float64)
        infinite = np.isinf(found)
        if infinite.any():
            self.refuse(infinite, "not finite", expected="finite numbers")
        return found

    def _numbers(self, expected: str) -> np.ndarray:
        import pyarrow as pa

        array, kind = self.array, self.array.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
            array = array.cast(kind)
        if not is_number(kind):
            raise DataError(
                "the values are not numbers" if expected == "numbers" else "wrong type of values",
                expected=expected,
                got=str(kind),
                where=self.place,
                remedy="say what the column holds, for example "
                f"column_types={{{self.name!r}: 'categorical'}}",
            )
        if pa.types.is_duration(kind):
            floats = array.cast(pa.int64()).cast(pa.float64(), safe=False)
            seconds: np.ndarray = floats.to_numpy(zero_copy_only=False) / PER_SECOND[kind.unit]
            return seconds
        if pa.types.is_boolean(kind):
            array = array.cast(pa.uint8())
        found: np.ndarray = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return found

    def missing(self) -> np.ndarray:
        """Where there is no value, Boolean."""
        if isinstance(self.array, np.ndarray):
            return np.isnan(self.array)
        found: np.ndarray = self.array.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
        return found

    @property
    def place(self) -> str:
        """The data and the column."""
        return f"{self.where}: column {self.name!r}"

    def refuse(
        self, wrong: np.ndarray, message: str, *, expected: str, got: Any = None, remedy: str = ""
    ) -> None:
        """Raise a :class:`DataError` that names the rows where ``wrong`` is True."""
        rows = np.flatnonzero(wrong)
        if got is None:
            one = self.array[int(rows[0])]
            got = repr(one.as_py() if hasattr(one, "as_py") else one.item())
        raise DataError(
            f"{len(rows)} value(s) are {message}, in {rows_text(rows + self.first, len(rows))}",
            expected=expected,
            got=got,
            where=self.place,
            remedy=remedy or "mend these cells or remove these rows first",
        )


def is_number(kind: pyarrow.DataType) -> bool:
    """Whether values of an Arrow type are read as numbers."""
    import pyarrow as pa

    tests = ("integer", "floating", "boolean", "decimal", "duration", "null")
    return any(getattr(pa.types, f"is_{test}")(kind) for test in tests)


def is_text(values: Values) -> bool:
    """Whether values are text, and not categories that their type lists."""
    import pyarrow as pa

    kind = getattr(values.array, "type", None)
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return kind is not None and any(test(kind) for test in tests)


def no_values(name: str) -> DataError:
    """The error of a column in which every row is missing."""
    return DataError(
        f"column {name!r} has no values at all, so there is nothing to learn from it",
        expected="at least one value that is not missing",
        where=f"column {name!r}",
        remedy=f"leave the column out: column_types={{{name!r}: 'skip'}}",
    )
