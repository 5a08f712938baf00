"""Sources: everything that :func:`load` turns into :class:`~vaekit.data.RawData`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vaekit.data.raw import RawData
from vaekit.data.sources.arrays import from_array, from_dataset, from_loader
from vaekit.data.sources.catalogue import load_digits, load_openml
from vaekit.data.sources.idx import is_idx, is_idx_folder, load_idx, load_idx_folder
from vaekit.data.sources.images import load_images
from vaekit.data.sources.npz import load_npy, load_npz
from vaekit.data.sources.parquet import is_parquet_folder, load_parquet
from vaekit.data.sources.shapes import load_shapes
from vaekit.data.sources.table import from_frame, load_csv
from vaekit.errors import ConfigError, DataError, did_you_mean

__all__ = ["load"]

Reader = Callable[..., RawData]
_TABLE = ("label", "columns", "context", "split", "numbers", "unlabelled")
_FILES: dict[str, tuple[Reader, tuple[str, ...]]] = {
    ".npz": (load_npz, ("label",)),
    ".npy": (load_npy, ()),
    ".csv": (load_csv, _TABLE),
    ".tsv": (load_csv, _TABLE),
    ".parquet": (load_parquet, _TABLE),
}
_NAMES: dict[str, Reader] = {"digits": load_digits, "shapes": load_shapes}
_FORMS = (
    "digits, shapes, openml:NAME, a .npz, .npy, .csv, .tsv or .parquet file, an IDX file "
    "(plain or .gz), a folder of images, Parquet or IDX files"
)


def load(
    source: Any,
    *,
    label: str | None = None,
    columns: Sequence[str] | None = None,
    context: Sequence[str] | None = None,
    split: str | None = None,
    size: int | tuple[int, int] | None = None,
    numbers: Sequence[str] | None = None,
    unlabelled: bool | None = None,
) -> RawData:
    """Raw data from anything that vaekit can read.

    ==============================  ============================================================
    ``"digits"``                    8 x 8 handwritten digits bundled with scikit-learn
    ``"shapes"``                    6144 sprites drawn here, with the factors that made them
    ``"openml:mnist_784"``          a numeric data set of openml.org, cached by scikit-learn
    ``*.npz``, ``*.npy``            NumPy arrays, never unpickled
    ``*-idx3-ubyte[.gz]``           an IDX file, or a folder with the four files of MNIST
    ``*.csv``, ``*.parquet``        numeric columns
    a folder of ``*.parquet``       one table, its files in the order of their names
    a folder                        images; sub-folders are labels, train/test are splits
    in memory                       array, tensor, ``(x, y)``, DataFrame, Dataset, DataLoader
    ==============================  ============================================================

    Args:
        source: One of these.
        label: Tables: the column of classes. ``.npz``: the array of labels.
        columns: Tables: the columns of x; by default all that have no other use.
        context: Tables: continuous columns that the model reads as context.
        split: Tables: the column that says train, validation or test.
        size: Image folders: resize to ``(height, width)``.
        numbers: Tables: columns that a linear regression reads from codes, and no part of x.
        unlabelled: Tables: whether cells of the label column may be empty.

    Raises:
        DataError: If the source cannot be found, read or used as it is.
        ConfigError: If an option does not apply to this source.

    Example:
        >>> load("digits")
        RawData('digits', image, 1797 x (8, 8) uint8, 10 classes)
    """
    given = {
        "label": label,
        "columns": columns,
        "context": context,
        "split": split,
        "size": size,
        "numbers": numbers,
        "unlabelled": unlabelled,
    }
    options = {name: value for name, value in given.items() if value is not None}
    reader, allowed = _reader(source)
    for name in options:
        if name not in allowed:
            raise ConfigError(
                f"{name}= does not apply to this source",
                got=_brief(source),
                expected=f"one of {', '.join(allowed)}" if allowed else "no options",
            )
    return reader(**options)


def _reader(source: Any) -> tuple[Reader, tuple[str, ...]]:
    """What reads this source, and the options it understands."""
    table = _FILES[".csv"][1]
    if isinstance(source, str | os.PathLike):
        return _reader_of_text(os.fspath(source))
    if isinstance(source, RawData):
        return (lambda: source), ()
    if isinstance(source, pd.DataFrame):
        return partial(from_frame, source), table
    if isinstance(source, DataLoader):
        return partial(from_loader, source), ()
    if isinstance(source, Dataset):
        return partial(from_dataset, source), ()
    if isinstance(source, tuple) and len(source) == 2:
        return partial(_from_pair, *source), ()
    if isinstance(source, np.ndarray | Tensor):
        return partial(from_array, source), ()
    raise DataError(
        "not a source of data",
        got=type(source).__name__,
        expected=f"a string ({_FORMS}), an array, (x, y), DataFrame, Dataset or DataLoader",
    )


def _from_pair(x: Any, y: Any) -> RawData:
    if not isinstance(x, pd.DataFrame):
        return from_array(x, y)
    raw = from_frame(x)
    return RawData(raw.x, y, columns=raw.columns, kind="array", name=raw.name)


def _reader_of_text(source: str) -> tuple[Reader, tuple[str, ...]]:
    if source in _NAMES:
        return _NAMES[source], ()
    scheme, colon, rest = source.partition(":")
    if colon and scheme.lower() == "openml" and rest:
        return partial(load_openml, rest), ()
    path = Path(source).expanduser()
    if path.is_dir():
        return _reader_of_folder(path)
    if not path.exists():
        raise _not_found(source)
    if is_idx(path):
        return partial(load_idx, path), ()
    if path.suffix.lower() in _FILES:
        reader, options = _FILES[path.suffix.lower()]
        return partial(reader, path), options
    raise DataError(
        "this sort of file is not read",
        expected=_FORMS,
        got=path.suffix or "no suffix",
        where=path.name,
        remedy="save it as .npz, .csv or .parquet, or load it yourself and pass the array",
    )


def _reader_of_folder(path: Path) -> tuple[Reader, tuple[str, ...]]:
    if is_idx_folder(path):
        return partial(load_idx_folder, path), ()
    if is_parquet_folder(path):
        return partial(load_parquet, path), _FILES[".parquet"][1]
    return partial(load_images, path), ("size",)


def _not_found(source: str) -> DataError:
    looks_like_path = "/" in source or os.sep in source or "." in source
    if looks_like_path:
        return DataError("path not found", where=source, remedy=f"known sources: {_FORMS}")
    return DataError(
        f"unknown source {source!r}, and no such path",
        expected=_FORMS,
        remedy=did_you_mean(source, [*_NAMES, "openml:mnist_784"]),
    )


def _brief(source: Any) -> str:
    return repr(source) if isinstance(source, str | os.PathLike) else type(source).__name__
