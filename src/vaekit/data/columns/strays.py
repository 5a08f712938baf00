"""Text among numbers: a few such cells make a column text, and so categories, unasked."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import numpy as np

from vaekit.data.columns.codes import coded
from vaekit.data.columns.values import Values
from vaekit.errors import DataError

__all__ = ["Strays"]

DIGITS = "[0-9](_?[0-9])*"
PLACES = rf"(0|[1-9](_?[0-9])*)(\.({DIGITS})?)?|\.{DIGITS}"
NUMBER = rf"^[+-]?(?i:inf|infinity|nan|({PLACES})(e[+-]?{DIGITS})?)$"
"""What Python's ``float`` reads, but for 0123."""
CODE = r"^0[0-9]+$"
"""Leading zeros are those of codes: where one value has them, all are meant as text."""
TENTHS = 9
"""Of a column's values are numbers where the others are taken for mistakes."""
SHOWN = 3
LOOKED = 1_000


class Strays:
    """Counts the values of a text column that are no numbers, unless they are codes.

    Args:
        name: Of the column.

    Example:
        >>> import pyarrow
        >>> strays = Strays("age")
        >>> strays.add(Values("age", pyarrow.array(["30", " 41", "n/k", None])))
        >>> strays.count, strays.seen, strays.shown
        (1, 3, ['n/k'])
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = self.seen = self.row = 0
        self.codes = False
        self.place = ""
        self.shown: list[str] = []

    def add(self, values: Values, rows: Sequence[int] | np.ndarray | None = None) -> None:
        """Take in some values.

        Args:
            values: Text; null where there is none.
            rows: Numbers of their rows, for messages; by default they follow ``values.first``.
        """
        import pyarrow.compute as pc

        found = coded(values)
        texts = pc.utf8_trim_whitespace(found.texts)
        self.codes |= pc.any(pc.match_substring_regex(texts, CODE), min_count=0).as_py()
        numbers = pc.match_substring_regex(texts, NUMBER)
        no_number = ~numbers.fill_null(True).to_numpy(zero_copy_only=False)
        places = np.flatnonzero(np.append(no_number, False)[found.place])
        self.seen += int((found.place >= 0).sum())
        if not len(places):
            return
        if not self.count:
            first = int(places[0])
            self.place = values.place
            self.row = values.first + first if rows is None else int(rows[first])
        self.count += len(places)
        for code in dict.fromkeys(found.place[places[:LOOKED]].tolist()):
            text = found.texts[code].as_py()
            if len(self.shown) < SHOWN and text not in self.shown:
                self.shown.append(text)

    def refuse(self) -> None:
        """Raise :class:`DataError` where most values are numbers and some are not."""
        if self.codes or not self.count or 10 * (self.seen - self.count) < TENTHS * self.seen:
            return
        words = "values are not numbers" if self.count > 1 else "values is not a number"
        first, *others = [repr(text[:40]) for text in self.shown]
        declared = shlex.quote(f"{self.name}=categorical")
        raise DataError(
            f"{self.count:,} of {self.seen:,} {words}, and all others are",
            expected="numbers, or a type that is declared",
            got=", ".join([f"{first} in row {self.row}", *others]),
            where=self.place,
            remedy="clean these cells, or declare the type: "
            f"column_types={{{self.name!r}: 'categorical'}}, on the command line "
            f"--types {declared}",
        )
