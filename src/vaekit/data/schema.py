"""Which kind each column of a table is: by its type, or as the user says; never by its values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from vaekit.data.codecs.table import TableCodec
from vaekit.data.columns import Coded, Column, Strays, Summary, Values
from vaekit.data.columns.values import is_number, is_text
from vaekit.data.frames import Frame, as_frame, has_names, names_of, values_of
from vaekit.errors import ConfigError, DataError, did_you_mean
from vaekit.spec import registered

if TYPE_CHECKING:
    import pyarrow

__all__ = ["ColumnTypes", "TableSummary", "fit_table", "holds_codes"]

ColumnTypes = Mapping[str, str]
"""Types of columns by name, such as ``{"amount": "zero-inflated"}``."""
SKIP = "skip"


def fit_table(X: Any, column_types: ColumnTypes | None = None, *, where: str = "X") -> TableCodec:
    """The codec of a table.

    Args:
        X: What :func:`vaekit.data.frames.as_frame` takes.
        column_types: The type of a column by its name, where its data type does not say it:
            ``numeric``, ``positive``, ``zero-inflated``, ``count``, ``boolean``, ``categorical``,
            ``ordinal``, ``datetime`` or ``skip``, with options as in
            ``"categorical:max_categories=50"``, ``"ordinal:levels=low,middle,high"`` or
            ``"datetime:later=extrapolate"``.
        where: Name of the data, for messages.

    Raises:
        DataError: If a column has no values, no usable type, or values that do not fit its type;
            or if its type is not declared, and a few words make a column of numbers text.
        ConfigError: If a type or its option is unknown, or names no column.

    Example:
        >>> import pandas
        >>> table = pandas.DataFrame({"age": [30, 41], "paid": [True, False], "n": [0, 3]})
        >>> [column.word for column in fit_table(table, {"n": "count"}).columns]
        ['numeric', 'Boolean', 'count']
    """
    summary = TableSummary(column_types, where=where)
    summary.add(as_frame(X, where=where))
    return summary.codec()


class TableSummary:
    """What must be known of a table to fit its codec, collected some rows at a time.

    Args:
        column_types: As of :func:`fit_table`.
        where: Name of the data, for messages.
    """

    def __init__(self, column_types: ColumnTypes | None = None, *, where: str = "X") -> None:
        self.types = {str(name): word for name, word in (column_types or {}).items()}
        self.where = where
        self.rows = 0
        self.names: list[str] = []
        self.named = True
        self._summaries: dict[str, Summary] = {}
        self._strays: dict[str, Strays] = {}

    def add(
        self, frame: Frame, *, where: str | None = None, rows: np.ndarray | None = None
    ) -> None:
        """Take in some rows; arguments as of :meth:`look`."""
        self.look(frame, where=where, rows=rows)
        for place, name in enumerate(self.names):
            if name in self._summaries:
                self._summaries[name].add(self._values(frame, place))
        self.rows += len(frame)

    def look(
        self, frame: Frame, *, where: str | None = None, rows: np.ndarray | None = None
    ) -> None:
        """Take in only whether the cells of some rows fit the type of their column.

        Args:
            frame: The rows.
            where: Name of the file that holds them, for messages.
            rows: Their numbers in it, for messages.
        """
        if not self._summaries:
            self._begin(frame)
        elif names_of(frame) != self.names:
            raise DataError(
                "these rows have other columns than those before",
                expected=", ".join(self.names[:5]),
                got=", ".join(names_of(frame)[:5]),
                where=self.where,
            )
        for name, strays in self._strays.items():
            strays.add(self._values(frame, self.names.index(name), where), rows)

    def _begin(self, frame: Frame) -> None:
        self.names, self.named = names_of(frame), has_names(frame)
        for name in self.types:
            if name not in self.names:
                raise ConfigError(
                    f"column_types names a column {name!r} that is not there",
                    where=self.where,
                    remedy=did_you_mean(name, self.names),
                )
        for place, name in enumerate(self.names):
            values = self._values(frame, place)
            word = self.types[name] if name in self.types else _type_of(values)
            if name not in self.types and is_text(values):
                self._strays[name] = Strays(name)
            if word != SKIP:
                self._summaries[name] = summary_of(name, word)
        if not self._summaries:
            raise DataError("every column is skipped", where=self.where)

    def _values(self, frame: Frame, place: int, where: str | None = None) -> Values:
        where, name = where or self.where, self.names[place]
        return values_of(frame, place, name=name, where=where, first=self.rows)

    def codec(self) -> TableCodec:
        """The codec that fits all rows so far."""
        for strays in self._strays.values():
            strays.refuse()
        columns = tuple(summary.column() for summary in self._summaries.values())
        skipped = tuple(name for name in self.names if name not in self._summaries)
        return TableCodec(columns=columns, named=self.named, skipped=skipped)


def summary_of(name: str, text: str) -> Summary:
    """What collects a column of the type that a text names, with its options."""
    if not isinstance(text, str):
        raise ConfigError(
            "not a column type",
            expected="text, for example 'categorical' or 'categorical:max_categories=50'",
            got=repr(text),
            where=f"column {name!r}",
        )
    word, *settings = text.split(":")
    known = registered("column")
    if word not in known:
        raise ConfigError(
            f"unknown column type {word!r}",
            where=f"column {name!r}",
            remedy=did_you_mean(word, [*known, SKIP]),
        )
    options = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise ConfigError(f"{setting!r} is not option=value", where=f"column {name!r}")
        options[key] = value
    kind = known[word]
    assert issubclass(kind, Column)
    return kind.summary(name, options)


def holds_codes(text: str) -> bool:
    """Whether a column type, with or without options, is one of values from a list.

    Example:
        >>> [holds_codes(word) for word in ("ordinal:levels=S,M,L", "count", "skip")]
        [True, False, False]
    """
    kind = registered("column").get(str(text).partition(":")[0])
    return kind is not None and issubclass(kind, Coded)


def _type_of(values: Values) -> str:
    """The column type that a data type stands for.

    Raises:
        DataError: If there is none.
    """
    if isinstance(values.array, np.ndarray):
        return "boolean" if values.array.dtype.kind == "b" else "numeric"
    import pyarrow as pa

    kind: pyarrow.DataType = values.array.type
    if pa.types.is_null(kind):
        raise DataError(
            "there are no values at all, so there is nothing to learn from",
            expected="at least one value that is not missing",
            got=f"{len(values):,} rows without one",
            where=values.place,
            remedy=f"leave the column out: column_types={{{values.name!r}: 'skip'}}",
        )
    tests = (
        ("boolean", pa.types.is_boolean(kind)),
        ("numeric", is_number(kind)),
        ("datetime", pa.types.is_timestamp(kind) or pa.types.is_date(kind)),
        ("ordinal", pa.types.is_dictionary(kind) and kind.ordered),
        ("categorical", pa.types.is_dictionary(kind)),
        ("categorical", is_text(values)),
    )
    for word, holds in tests:
        if holds:
            return word
    raise DataError(
        "no column type stands for this data type",
        got=str(kind),
        where=values.place,
        remedy="turn it into numbers, text or timestamps first, or leave it out: "
        f"column_types={{{values.name!r}: 'skip'}}",
    )
