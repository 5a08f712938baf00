"""Checks that every way into vaekit shares: finite values and matching row counts."""

from __future__ import annotations

import numpy as np

from vaekit.errors import DataError

__all__ = ["not_finite", "require_finite", "require_rows", "rows_text"]

_ROWS_A_TIME = 8192


def rows_text(rows: np.ndarray, total: int) -> str:
    """Some row numbers as text: the first five, and how many there are in all.

    Example:
        >>> rows_text(np.array([3, 4, 9]), 3)
        'rows 3, 4, 9'
    """
    shown = ", ".join(str(int(row)) for row in rows[:5])
    word = "row" if total == 1 else "rows"
    return f"{word} {shown}" + (f" and {total - 5} more" if total > 5 else "")


def require_rows(name: str, found: int, expected: int, *, where: str) -> None:
    """Raise :class:`DataError` unless ``name`` has one entry for each row of x."""
    if found != expected:
        raise DataError(
            f"{name} and x differ in their number of rows",
            expected=f"{expected} (rows of x)",
            got=found,
            where=where,
        )


def require_finite(
    values: np.ndarray, *, where: str, columns: tuple[str, ...] | None = None
) -> None:
    """Raise :class:`DataError` naming column (or pixel) and rows of the first NaN or infinity.

    Args:
        values: Shape ``(n, ...)``; integers pass unread.
        where: Name of the data, for the message.
        columns: Names of the second axis, for tables.
    """
    if values.dtype.kind != "f":
        return
    for start in range(0, len(values), _ROWS_A_TIME):
        if not np.isfinite(values[start : start + _ROWS_A_TIME]).all():
            _raise_not_finite(values, where=where, columns=columns)


def _raise_not_finite(values: np.ndarray, *, where: str, columns: tuple[str, ...] | None) -> None:
    bad = ~np.isfinite(values.reshape(len(values), -1))
    place = int(bad.any(axis=0).argmax())
    rows = np.flatnonzero(bad[:, place])
    got = "NaN" if np.isnan(values.reshape(len(values), -1)[rows[0], place]) else "infinity"
    raise not_finite(
        _place_name(place, values.shape[1:], columns),
        rows=rows,
        total=len(rows),
        got=got,
        others=int(bad.any(axis=0).sum()) - 1,
        where=where,
    )


def not_finite(
    place: str, *, rows: np.ndarray, total: int, got: str, others: int, where: str
) -> DataError:
    """The error about values that are NaN or infinite.

    Args:
        place: Column or pixel that holds them.
        rows: Numbers of the first such rows.
        total: How many rows there are in all.
        got: NaN or infinity.
        others: How many other columns hold some.
        where: Name of the data.
    """
    remedy = "fill these cells or remove these rows first"
    if others:
        remedy += (
            f" ({others} other {'column has' if others == 1 else 'columns have'} such cells too)"
        )
    return DataError(
        f"{place} holds {total} value(s) that are not finite, in {rows_text(rows, total)}",
        expected="finite numbers",
        got=got,
        where=where,
        remedy=remedy,
    )


def _place_name(place: int, shape: tuple[int, ...], columns: tuple[str, ...] | None) -> str:
    if columns is not None:
        return f"column {columns[place]!r}"
    if len(shape) == 1:
        return f"column {place}"
    return f"pixel {tuple(int(i) for i in np.unravel_index(place, shape))}"
