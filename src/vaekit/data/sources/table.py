"""Tables: CSV and DataFrames with numeric columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vaekit.data.checks import rows_text
from vaekit.data.raw import RawData, clean_labels
from vaekit.data.unlabelled import without
from vaekit.errors import ConfigError, DataError, did_you_mean

__all__ = ["as_numbers", "classes", "from_frame", "load_csv", "require_columns", "require_once"]


def load_csv(
    path: Path,
    *,
    label: str | None = None,
    columns: Sequence[str] | None = None,
    context: Sequence[str] | None = None,
    split: str | None = None,
    numbers: Sequence[str] | None = None,
    unlabelled: bool = False,
) -> RawData:
    """A comma- (or, for ``.tsv``, tab-) separated file whose first line names the columns."""
    try:
        frame = pd.read_csv(
            path, sep="\t" if path.suffix.lower() == ".tsv" else ",", compression=None
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeError) as error:
        raise DataError(
            f"not a readable table ({error})",
            expected="UTF-8 text with one line of names",
            where=path.name,
        ) from error
    if all(_is_number(name) for name in frame.columns):
        raise DataError(
            "the first line holds numbers, not column names",
            where=path.name,
            remedy="add a line of names, or pass pandas.read_csv(path, header=None)",
        )
    return from_frame(
        frame,
        label=label,
        columns=columns,
        context=context,
        split=split,
        numbers=numbers,
        unlabelled=unlabelled,
        name=path.name,
    )


def from_frame(
    frame: pd.DataFrame,
    *,
    label: str | None = None,
    columns: Sequence[str] | None = None,
    context: Sequence[str] | None = None,
    split: str | None = None,
    numbers: Sequence[str] | None = None,
    unlabelled: bool = False,
    name: str = "DataFrame",
) -> RawData:
    """The numeric columns of a frame.

    Args:
        frame: One row for each example.
        label: Column of classes.
        columns: Columns of x; by default all that have no other use.
        context: Continuous columns that the model reads as context.
        split: Column that says ``train``, ``validation`` or ``test``.
        numbers: Columns that a linear regression reads from codes, and no part of x.
        unlabelled: Whether cells of the label column may be empty.
        name: What to call the table in messages.

    Raises:
        ConfigError: If a column is unknown or used twice.
        DataError: If a column is not numeric, or a cell is missing or infinite; the message names
            columns and rows.

    Example:
        >>> frame = pd.DataFrame({"a": [1, 2], "b": [3.0, 4.0], "kind": ["u", "v"]})
        >>> raw = from_frame(frame, label="kind")
        >>> raw.columns, raw.labels.tolist()
        (('a', 'b'), ['u', 'v'])
    """
    frame = frame.rename(columns=str)
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise DataError(
            f"two columns are named {twice!r}", where=name, remedy="rename one of them"
        )
    used = [*(context or ()), *(numbers or ()), *filter(None, (label, split))]
    require_columns([*used, *(columns or ())], list(frame.columns), where=name)
    chosen = [c for c in frame.columns if c not in used] if columns is None else list(columns)
    require_once([*used, *chosen], where=name)
    if not chosen or not len(frame):
        raise DataError(
            "there is no data",
            expected="at least one row and one column of x",
            got=f"{len(frame)} rows, columns {chosen}",
            where=name,
        )
    raw = RawData(
        as_numbers(frame[chosen], where=name),
        None if label is None else classes(frame[label], where=name, unlabelled=unlabelled),
        context=None if not context else as_numbers(frame[list(context)], where=name),
        split=None if split is None else frame[split].astype(str).to_numpy(),
        columns=chosen,
        context_columns=None if not context else tuple(context),
        kind="array",
        name=name,
    )
    if not numbers:
        return raw
    return raw.with_numbers(as_numbers(frame[list(numbers)], where=name), numbers)


def as_numbers(frame: pd.DataFrame, *, where: str) -> np.ndarray:
    """The cells as float64 ``(n, D)``; refuses columns that are not numeric, by name."""
    numeric = pd.api.types.is_numeric_dtype
    complex_ = pd.api.types.is_complex_dtype
    bad = [str(c) for c in frame.columns if not numeric(frame[c]) or complex_(frame[c])]
    if bad:
        example = _first_text(frame[bad[0]])
        raise DataError(
            f"{len(bad)} column(s) are not numeric: {', '.join(map(repr, bad[:8]))}"
            + (" ..." if len(bad) > 8 else ""),
            expected="numbers",
            got=f"{example} in {bad[0]!r}",
            where=where,
            remedy="select numeric ones with columns=[...], use one as label=..., or encode them",
        )
    return frame.to_numpy(dtype=np.float64, na_value=np.nan)


def _first_text(column: pd.Series) -> str:
    """The cell that keeps a column from being numeric, with its row."""
    if column.dtype.kind == "M":
        return "dates"
    text = pd.to_numeric(column.astype(object), errors="coerce").isna() & column.notna()
    row = int(np.flatnonzero(text.to_numpy())[0]) if text.any() else 0
    return f"{column.iloc[row]!r} in row {row}"


def classes(column: pd.Series, *, where: str, unlabelled: bool = False) -> np.ndarray:
    """Labels ``(n,)``, numbers or text; refuses empty cells, by row, unless told to keep them."""
    empty = column.isna().to_numpy()
    if empty.any() and unlabelled:
        known = clean_labels(classes(column[~empty], where=where), where=where)
        labels = np.zeros(len(column), known.dtype)
        labels[~empty] = known
        return without(labels, empty)
    if empty.any():
        rows = np.flatnonzero(empty)
        raise DataError(
            f"label column {column.name!r} is empty in {rows_text(rows, len(rows))}",
            where=where,
            remedy="fill these labels or remove these rows first; or, for a model that learns "
            "from rows without labels, keep them: data.unlabelled=keep",
        )
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy()
    return column.astype(str).to_numpy(dtype=np.str_)


def require_columns(wanted: Sequence[str], names: Sequence[str], *, where: str) -> None:
    """Refuse names of columns that are not there, with the nearest one that is."""
    for name in wanted:
        if name not in names:
            raise ConfigError(f"no column {name!r}", where=where, remedy=did_you_mean(name, names))


def require_once(used: Sequence[str], *, where: str) -> None:
    """Refuse a column that has two uses."""
    for name in used:
        if used.count(name) > 1:
            raise ConfigError(
                f"column {name!r} has two uses",
                where=where,
                remedy="a column is x, label, context, split or one of numbers, not two of them",
            )


def _is_number(name: object) -> bool:
    try:
        float(str(name))
    except ValueError:
        return False
    return True
