"""Tables as a detector's user gives them, with the checks that scikit-learn makes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import validate_data

from vaekit.data import TableCodec, WindowCodec
from vaekit.data.frames import Frame, as_frame, names_of
from vaekit.errors import ConfigError, DataError, first_line

__all__ = ["as_given", "is_path", "note_columns", "read"]

NO_NUMBERS = (str, bool, np.bool_, dt.date, np.datetime64)


def is_path(X: Any) -> bool:
    """Whether X names a file or folder."""
    return isinstance(X, str | Path)


def read(estimator: Any, X: Any, *, fitting: bool = False) -> Frame:
    """A table in memory; names and number of columns are noted or compared.

    Args:
        estimator: Gets ``n_features_in_`` and, where there are names, ``feature_names_in_``.
        X: A data frame, an Arrow table, a mapping of columns, or an array.
        fitting: Whether to note them.

    Raises:
        ValueError: If X is no table, or its columns are not those of ``fit``.
    """
    if _is_frame(X):
        frame = as_frame(X)
        if isinstance(X, pd.DataFrame):
            _note_or_compare(estimator, X, fitting=fitting)
        elif fitting:
            note_columns(estimator, names_of(frame))
    else:
        frame = _read_array(estimator, X, fitting=fitting)
    if fitting and len(frame) < 2:
        raise DataError("too few rows", expected="at least 2", got="1 sample", where="X")
    return frame


def _note_or_compare(estimator: Any, X: pd.DataFrame, *, fitting: bool) -> None:
    """Names of columns, in the words of scikit-learn."""
    try:
        validate_data(estimator, X, skip_check_array=True, reset=fitting)
    except ValueError as error:
        raise DataError(str(error).strip(), where="X") from error


def _is_frame(X: Any) -> bool:
    has = any(hasattr(X, name) for name in ("to_arrow", "collect"))
    return isinstance(X, pd.DataFrame | Mapping) or has or _is_arrow(X)


def _is_arrow(X: Any) -> bool:
    return hasattr(X, "schema") and hasattr(X, "num_rows")


def note_columns(estimator: Any, names: Sequence[str]) -> None:
    """Note how many columns there are, and their names."""
    estimator.n_features_in_ = len(names)
    estimator.feature_names_in_ = np.asarray(names, object)


def _read_array(estimator: Any, X: Any, *, fitting: bool) -> Frame:
    if isinstance(X, list | tuple):
        X = _as_array(X)
    if isinstance(X, np.ma.MaskedArray) or _is_mixed(X):
        X = as_frame(X)
    if not isinstance(X, np.ndarray) and _is_arrow(X):
        _count(estimator, X, fitting=fitting)
        return X
    checked: np.ndarray = validate_data(
        estimator,
        X,
        dtype="numeric",
        ensure_all_finite=False,  # the codec names column and row
        ensure_min_samples=2 if fitting else 1,
        reset=fitting,
    )
    return checked


def _as_array(rows: Sequence[Any]) -> np.ndarray:
    """Rows as an array, in which a number beside a text is still a number."""
    try:
        array = np.asarray(rows)
    except ValueError as error:
        raise DataError(
            "rows differ in length",
            expected="as many values in each row",
            got=first_line(error)[:120],
            where="X",
        ) from error
    return np.array(rows, dtype=object) if array.dtype.kind in "US" else array


def _is_mixed(X: Any) -> bool:
    """Whether an array without a type of its own holds other than numbers."""
    dtype = getattr(X, "dtype", None)
    if not isinstance(dtype, np.dtype) or X.ndim != 2:
        return False
    return dtype.kind in "USM" or (
        dtype.kind == "O" and any(isinstance(value, NO_NUMBERS) for value in np.ravel(X))
    )


def _count(estimator: Any, frame: Any, *, fitting: bool) -> None:
    """Note or compare how many columns without names there are."""
    found = len(names_of(frame))
    if fitting:
        estimator.n_features_in_ = found
        if hasattr(estimator, "feature_names_in_"):
            del estimator.feature_names_in_
    elif found != estimator.n_features_in_:
        raise ConfigError(
            "another number of columns", expected=estimator.n_features_in_, got=found
        )


def as_given(codec: TableCodec | WindowCodec, frame: Frame) -> pd.DataFrame:
    """The columns that a codec reads, as they are: a category never met has no code to decode."""
    table = codec.table if isinstance(codec, WindowCodec) else codec
    places, names = table.places(frame), list(table.names)
    if isinstance(frame, np.ndarray):
        return pd.DataFrame(frame[:, places], columns=names)
    found: pd.DataFrame = frame.select(places).rename_columns(names).to_pandas()
    return found
