"""Tables as a detector's user gives them, with the checks that scikit-learn makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import validate_data

from vaekit.data import TableCodec, WindowCodec
from vaekit.data.frames import Frame, as_frame, names_of
from vaekit.errors import ConfigError, DataError

__all__ = ["as_given", "is_path", "note_columns", "read"]


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
            validate_data(estimator, X, skip_check_array=True, reset=fitting)
        elif fitting:
            note_columns(estimator, names_of(frame))
    else:
        frame = _read_array(estimator, X, fitting=fitting)
    if fitting and len(frame) < 2:
        raise DataError("too few rows", expected="at least 2", got="1 sample", where="X")
    return frame


def _is_frame(X: Any) -> bool:
    return isinstance(X, pd.DataFrame | Mapping) or hasattr(X, "to_arrow") or _is_arrow(X)


def _is_arrow(X: Any) -> bool:
    return hasattr(X, "schema") and hasattr(X, "num_rows")


def note_columns(estimator: Any, names: Sequence[str]) -> None:
    """Note how many columns there are, and their names."""
    estimator.n_features_in_ = len(names)
    estimator.feature_names_in_ = np.asarray(names, object)


def _read_array(estimator: Any, X: Any, *, fitting: bool) -> Frame:
    array = np.asarray(X) if isinstance(X, list | tuple) else X
    dtype = getattr(array, "dtype", None)
    objects = isinstance(dtype, np.dtype) and dtype.kind == "O" and array.ndim == 2
    if objects and any(isinstance(value, str) for value in np.ravel(array)):
        frame = as_frame(array)
        found = len(names_of(frame))
        if fitting:
            estimator.n_features_in_ = found
            if hasattr(estimator, "feature_names_in_"):
                del estimator.feature_names_in_
        elif found != estimator.n_features_in_:
            raise ConfigError(
                "another number of columns", expected=estimator.n_features_in_, got=found
            )
        return frame
    checked: np.ndarray = validate_data(
        estimator,
        X,
        dtype="numeric",
        ensure_all_finite="allow-nan",
        ensure_min_samples=2 if fitting else 1,
        reset=fitting,
    )
    return checked


def as_given(codec: TableCodec | WindowCodec, frame: Frame) -> pd.DataFrame:
    """The columns that a codec reads, as they are: a category never met has no code to decode."""
    table = codec.table if isinstance(codec, WindowCodec) else codec
    places, names = table.places(frame), list(table.names)
    if isinstance(frame, np.ndarray):
        return pd.DataFrame(frame[:, places], columns=names)
    found: pd.DataFrame = frame.select(places).rename_columns(names).to_pandas()
    return found
