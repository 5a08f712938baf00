"""Windows of time series: consecutive rows of a numeric table as one observation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaekit.data.codecs.table import TableCodec
from vaekit.data.columns import Field
from vaekit.errors import ConfigError, DataError
from vaekit.spec import Role, Spec, Within

if TYPE_CHECKING:
    import pyarrow

__all__ = ["WindowCodec", "over_windows"]

Floats = NDArray[np.float64]


class WindowCodec(Spec, kind="codec/windows"):
    """T rows in the order of time as the T − L + 1 windows of L consecutive rows.

    A window is a vector of L·F numbers, the fields of its oldest row first.

    Args:
        table: The codec of the rows, all of whose columns are numbers.
        length: Rows of a window, L.

    Example:
        >>> from vaekit.data import fit_table
        >>> series = np.arange(8.0).reshape(4, 2)
        >>> codec = WindowCodec(fit_table(series), length=3)
        >>> codec.encode(series).shape, codec.event_shape
        (torch.Size([2, 6]), (6,))
    """

    table: Annotated[Any, Role("codec")]
    length: Annotated[int, Within(1, 10_000)]

    def validate(self) -> None:
        """Check that the rows are of numbers."""
        if not isinstance(self.table, TableCodec):
            raise ConfigError(
                "windows are of tables", got=type(self.table).__name__, where=self.kind
            )
        other = [f.name for f in self.table.fields if f.kind != "real" or f.missing is None]
        if other:
            raise ConfigError(
                f"windows are of numbers, which column {other[0]!r} is not",
                expected="columns of type 'numeric' or 'positive'",
                where=self.kind,
                remedy="leave such columns out with column_types={…: 'skip'}",
            )

    @property
    def columns(self) -> tuple[Any, ...]:
        """Columns of one row."""
        return tuple(self.table.columns)

    @property
    def owners(self) -> NDArray[np.int64]:
        """Which column each number of a window belongs to, shape (L·F,)."""
        return np.tile(self.table.owners, self.length)

    @property
    def fields(self) -> tuple[Field, ...]:
        """What the model sees, named by how many rows it lies back."""
        lags = range(self.length - 1, -1, -1)
        return tuple(
            field._replace(name=f"{field.name} [−{lag}]")
            for lag in lags
            for field in self.table.fields
        )

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape ``(L·F,)`` of one window."""
        return (self.length * len(self.table.fields),)

    def encode(self, raw: Any, *, where: str = "X", first: int = 0) -> Tensor:
        """Windows as float32 ``(T − L + 1, L·F)``, NaN where a value is missing.

        Raises:
            DataError: If there are fewer than L rows, or they do not fit the table.
        """
        rows = self.table.encode(raw, where=where, first=first)
        if len(rows) < self.length:
            raise DataError(
                "too few rows for one window", expected=self.length, got=len(rows), where=where
            )
        return rows.unfold(0, self.length, 1).mT.reshape(len(rows) - self.length + 1, -1)

    def to_model(self, stored: Tensor, *, train: bool = False) -> Tensor:
        """A batch for the model: what :meth:`encode` gave."""
        return stored

    def rows(self, windows: Tensor) -> Floats:
        """Overlapping windows as rows again, the mean where they overlap, shape (T, F)."""
        parts = windows.detach().double().cpu().numpy()
        return over_windows(parts.reshape(len(parts), self.length, -1))

    def decode(self, x: Any) -> pyarrow.Table:
        """The series in raw units, from consecutive windows of it."""
        return self.table.decode(self.rows(torch.as_tensor(x)))

    def typical(self, x: Any) -> pyarrow.Table:
        """The same for expectations; see :meth:`TableCodec.typical`."""
        return self.table.typical(self.rows(torch.as_tensor(x)))

    def describe(self) -> str:
        """One line for people."""
        return f"windows of {self.length} rows of a {self.table.describe()}"

    def suggest(self) -> dict[str, str]:
        """As of the table."""
        found: dict[str, str] = self.table.suggest()
        return found


def over_windows(values: Floats) -> Floats:
    """Numbers of consecutive windows as numbers of rows: means over the windows of each row.

    Args:
        values: Shape ``(T − L + 1, L, F)``.

    Returns:
        Shape ``(T, F)``; NaN is left out of the means.

    Example:
        >>> windows = np.array([[[1.0], [2.0]], [[2.0], [4.0]]])
        >>> over_windows(windows).ravel()
        array([1., 2., 4.])
    """
    count, length, width = values.shape
    total, seen = np.zeros((2, count + length - 1, width))
    for lag in range(length):
        here = slice(lag, lag + count)
        fine = ~np.isnan(values[:, lag])
        total[here] += np.where(fine, values[:, lag], 0.0)
        seen[here] += fine
    with np.errstate(invalid="ignore"):
        return np.where(seen > 0, total / seen, np.nan)
