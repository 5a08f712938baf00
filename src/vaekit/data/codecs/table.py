"""Tables of mixed columns to tensors and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
from torch import Tensor

from vaekit.data.checks import rows_text
from vaekit.data.columns import Column, Field, Numeric
from vaekit.data.frames import Frame, as_frame, has_names, names_of, values_of
from vaekit.errors import ConfigError, DataError
from vaekit.spec import Role, Spec

if TYPE_CHECKING:
    import pyarrow

__all__ = ["TableCodec"]


class TableCodec(Spec, kind="codec/table"):
    r"""Mixed columns :math:`\leftrightarrow` float32 ``(n, F)``: one number for each field.

    A column has one field or several (see :class:`~vaekit.data.columns.Column`); NaN stands for a
    value that is missing. The spec, as JSON, is the schema. What is decoded is what was encoded to
    the 7 digits of single precision, counted from the standard deviation of the column.

    Args:
        columns: The columns in their order.
        named: Whether tables are read by the names of columns, or by their numbers.
        skipped: Names of columns that may be there and are not read.

    Example:
        >>> import pandas
        >>> from vaekit.data import fit_table
        >>> table = pandas.DataFrame({"a": [1.0, 3.0], "b": ["x", "x"]})
        >>> codec = fit_table(table)
        >>> codec.encode(table)
        tensor([[-1.,  0.],
                [ 1.,  0.]])
        >>> codec.decode(codec.encode(table)).to_pylist()
        [{'a': 1.0, 'b': 'x'}, {'a': 3.0, 'b': 'x'}]
    """

    columns: tuple[Annotated[Any, Role("column")], ...]
    named: bool = True
    skipped: tuple[str, ...] = ()

    def validate(self) -> None:
        """Check that there are columns, each with a name of its own."""
        wrong = [c for c in self.columns if not isinstance(c, Column)]
        names = [c.name for c in self.columns if isinstance(c, Column)]
        if not self.named:
            self._require_numbers([*names, *self.skipped])
        if wrong or not names or len(set(names)) < len(names):
            raise ConfigError(
                "not the columns of a table",
                expected="one column spec for each of at least one name",
                got=f"{len(wrong)} other values, names {names[:5]}",
                where=f"{self.kind}.columns",
            )

    def _require_numbers(self, names: Sequence[str]) -> None:
        if sorted(names) != sorted(map(str, range(len(names)))):
            raise ConfigError(
                "columns without names are numbered",
                expected=f"0 to {len(names) - 1}, each once",
                got=_listed(names),
                where=f"{self.kind}.columns",
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def fields(self) -> tuple[Field, ...]:
        """What the model sees, from all columns."""
        return tuple(field for column in self.columns for field in column.fields)

    @property
    def owners(self) -> np.ndarray:
        """Which column each field belongs to, int64 ``(F,)``."""
        widths = [len(column.fields) for column in self.columns]
        return np.repeat(np.arange(len(widths)), widths)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape ``(F,)`` of one row."""
        return (len(self.owners),)

    # --- rows to tensors -----------------------------------------------------------------------

    def encode(self, raw: Any, *, where: str = "X", first: int = 0) -> Tensor:
        """Rows as float32 ``(n, F)``, NaN where a value is missing.

        Args:
            raw: What :func:`vaekit.data.frames.as_frame` takes; named columns in any order.
            where: Name of the data, for messages.
            first: Number of the first row within the data, for messages.

        Raises:
            DataError: If a column is missing, renamed or unknown, or a value does not fit its
                column; the message names column and rows.
        """
        frame = as_frame(raw, where=where)
        places = self.places(frame, where=where)
        with np.errstate(over="ignore"):  # refused below, by name
            if isinstance(frame, np.ndarray) and self._is_plain:
                found = self._scaled(frame, places, where=where, first=first)
            else:
                found = self._by_column(frame, places, where=where, first=first)
        self._require_finite(found, where=where, first=first)
        return torch.from_numpy(found)

    def _by_column(
        self, frame: Frame, places: Sequence[int], *, where: str, first: int
    ) -> np.ndarray:
        found = np.empty((len(frame), len(self.owners)), np.float32)
        at = 0
        for column, place in zip(self.columns, places, strict=True):
            values = values_of(frame, place, name=column.name, where=where, first=first)
            fields = column.encode(values)
            found[:, at : at + fields.shape[1]] = fields
            at += fields.shape[1]
        return found

    @property
    def _is_plain(self) -> bool:
        return all(type(column) is Numeric for column in self.columns)

    def _scaled(
        self, array: np.ndarray, places: Sequence[int], *, where: str, first: int
    ) -> np.ndarray:
        """The same for an array of numbers, all at once."""
        values = array[:, places]
        for at in np.flatnonzero(np.isinf(values).any(0)):
            values_of(values, int(at), name=self.names[at], where=where, first=first).floats()
        loc = np.array([column.loc for column in self.columns])
        scale = np.array([column.scale for column in self.columns])
        return ((values - loc) / scale).astype(np.float32)

    def _require_finite(self, found: np.ndarray, *, where: str, first: int) -> None:
        far = np.isinf(found)
        if far.any():
            field = int(far.any(0).argmax())
            rows = np.flatnonzero(far[:, field])
            raise DataError(
                f"{len(rows)} value(s) are too far from those of the training rows to be computed "
                f"with, in {rows_text(rows + first, len(rows))}",
                expected="at most 1e38 standard deviations from their mean",
                where=f"{where}: column {self.names[self.owners[field]]!r}",
                remedy="look for a wrong unit or a placeholder among its values",
            )

    def places(self, frame: Frame, *, where: str = "X") -> list[int]:
        """Where each column stands in a table.

        Raises:
            DataError: If one is missing, renamed or unknown.
        """
        names = names_of(frame)
        if not (self.named and has_names(frame)):
            return self._by_number(len(names), where)
        known = {*self.names, *self.skipped}
        at = {name: place for place, name in enumerate(names)}
        lacking = [name for name in self.names if name not in at]
        extra = [name for name in names if name not in known]
        if lacking or extra:
            raise self._misfit(lacking, extra, where)
        return [at[name] for name in self.names]

    def _by_number(self, found: int, where: str) -> list[int]:
        expected = len(self.columns) + len(self.skipped)
        if self.named and self.skipped:
            raise DataError(
                "columns are read by name, and this table has no names",
                expected=_listed(self.names),
                where=where,
            )
        if found != expected:
            raise DataError("another number of columns", expected=expected, got=found, where=where)
        return [*range(expected)] if self.named else [int(name) for name in self.names]

    def _misfit(self, lacking: Sequence[str], extra: Sequence[str], where: str) -> DataError:
        said = []
        if lacking:
            said.append(f"lacks {_listed(lacking)}")
        if extra:
            said.append(f"has {_listed(extra)}, which the training table had not")
        remedy = "bring all columns of the training table"
        if lacking and extra:
            remedy = f"if {extra[0]!r} is a new name of {lacking[0]!r}, rename it"
        elif extra:
            remedy = f"leave out {_listed(extra)}"
        return DataError(f"the table {' and '.join(said)}", where=where, remedy=remedy)

    def to_model(self, stored: Tensor, *, train: bool = False) -> Tensor:
        """A batch for the model: what :meth:`encode` gave."""
        return stored

    # --- tensors to rows -----------------------------------------------------------------------

    def decode(self, x: Any) -> pyarrow.Table:
        """Rows in raw units as an Arrow table; ``to_pandas()`` makes a data frame of it."""
        return self._table(x, "decode")

    def typical(self, x: Any) -> pyarrow.Table:
        """The same for expectations: means are not rounded, rare categories have a name."""
        return self._table(x, "typical")

    def _table(self, x: Any, method: str) -> pyarrow.Table:
        import pyarrow as pa

        values = x.detach().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x)
        if values.ndim != 2 or values.shape[1:] != self.event_shape:
            raise DataError(
                "not rows of this codec", expected=("n", *self.event_shape), got=values.shape
            )
        values = values.astype(np.float64)
        owners = self.owners
        arrays = [
            getattr(column, method)(values[:, owners == place])
            for place, column in enumerate(self.columns)
        ]
        return pa.Table.from_arrays(arrays, names=list(self.names))

    def describe(self) -> str:
        """One line for people."""
        words = [column.word for column in self.columns]
        kinds = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
        return f"table of {len(words)} columns: {kinds}"

    def notes(self) -> list[str]:
        """What a user should know of the columns."""
        return [note for column in self.columns for note in column.notes()]

    def suggest(self) -> dict[str, str]:
        """Network that usually suits tables; the likelihood follows from the columns."""
        return {"likelihood": "table", "network": "mlp"}


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:5]))
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")
