"""Files that are written a few rows at a time, and appear under their name when they are whole."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from vaekit.errors import ConfigError, DataError

__all__ = ["Columns", "check_suffix", "refuse_overwriting", "write_columns"]

Columns = Mapping[str, Any]
"""Some rows, column by column: NumPy arrays or, where values may be missing, Arrow's."""

GROUP_ROWS = 1 << 17
"""Rows that are written to Parquet together."""
SUFFIXES = (".npz", ".csv", ".parquet")


def check_suffix(path: Path, *more: str) -> None:
    """Refuse names of files that cannot be written, before anything is computed."""
    if path.suffix not in (*SUFFIXES, *more):
        raise _unfit(path)


def refuse_overwriting(out: Path, source: str | Path) -> None:
    """Refuse to write over the table that is read, or into the folder that holds it.

    Raises:
        ConfigError: If ``out`` is ``source`` or lies in it, by whatever name.
    """
    target, read = out.resolve(), Path(source).resolve()
    same = out.exists() and read.exists() and out.samefile(read)
    if same or target == read or read in target.parents:
        raise ConfigError(
            "the file to write is of the table that is read, which would be lost",
            got=str(out),
            where="out",
            remedy="choose another name",
        )


def write_columns(parts: Iterable[Columns], path: Path) -> int:
    """Named columns as ``.npz``, ``.csv`` or ``.parquet``, atomically.

    Args:
        parts: Rows in order; all have the columns of the first.
        path: Where to. Until all is written the rows are in a temporary file beside it.

    Returns:
        The number of rows.

    Raises:
        ConfigError: If the suffix is another one, or the columns are no table.
    """
    from vaekit.files import write_atomically

    check_suffix(path)
    write = {".npz": _write_npz, ".csv": _write_csv, ".parquet": _write_parquet}[path.suffix]
    counted = _Counted(parts, path)
    write_atomically(path, lambda temporary: write(temporary, counted))
    return counted.rows


class _Counted:
    """The parts, checked, and how many rows have passed."""

    def __init__(self, parts: Iterable[Columns], path: Path) -> None:
        self.parts = parts
        self.path = path
        self.rows = 0

    def __iter__(self) -> Iterator[Columns]:
        for part in self.parts:
            flat = all(getattr(values, "ndim", 1) == 1 for values in part.values())
            if not flat and self.path.suffix != ".npz":
                raise _unfit(self.path)
            if self.path.suffix == ".npz":
                _require_arrays(part, self.path)
            self.rows += len(next(iter(part.values())))
            yield part


def _unfit(path: Path) -> ConfigError:
    return ConfigError(
        "cannot write this as such a file",
        expected=".npz, or .csv or .parquet for tables, or .png for images",
        got=path.name,
        where="--out",
    )


def _require_arrays(part: Columns, path: Path) -> None:
    """Refuse what an archive could hold as pickles only."""
    for name, values in part.items():
        if not hasattr(values, "ndim") or values.dtype.hasobject:
            raise ConfigError(
                f"column {name!r} holds text or missing values, which .npz cannot hold",
                expected=".csv or .parquet",
                got=path.name,
                where="--out",
            )


def _write_csv(path: Path, parts: Iterable[Columns]) -> None:
    import pandas as pd

    with path.open("w", encoding="utf-8", newline="") as file:
        for number, part in enumerate(parts):
            columns = {name: _for_pandas(values) for name, values in part.items()}
            pd.DataFrame(columns).to_csv(file, header=number == 0, index=False)


def _for_pandas(values: Any) -> Any:
    """Values whose whole numbers stay whole beside missing ones."""
    if not hasattr(values, "to_pandas"):
        return values
    return values.to_pandas(integer_object_nulls=True)


def _write_parquet(path: Path, parts: Iterable[Columns]) -> None:
    import pyarrow
    import pyarrow.parquet

    with ExitStack() as stack:
        writer: Any = None
        for group in _groups(parts):
            table = pyarrow.table({name: _for_arrow(v) for name, v in group.items()})
            if writer is None:
                writer = stack.enter_context(pyarrow.parquet.ParquetWriter(path, table.schema))
            writer.write_table(table, row_group_size=GROUP_ROWS)


def _for_arrow(values: Any) -> Any:
    import pyarrow

    return values if hasattr(values, "to_pandas") else pyarrow.array(values)


def _groups(parts: Iterable[Columns]) -> Iterator[Columns]:
    """The same rows in fewer parts."""
    begun: list[Columns] = []
    rows = 0
    for part in parts:
        begun.append(part)
        rows += len(next(iter(part.values())))
        if rows >= GROUP_ROWS:
            yield _joined(begun)
            begun, rows = [], 0
    if begun:
        yield _joined(begun)


def _joined(parts: list[Columns]) -> Columns:
    import numpy as np
    import pyarrow

    def joined(columns: list[Any]) -> Any:
        if hasattr(columns[0], "to_pandas"):
            return pyarrow.chunked_array([c for column in columns for c in column.chunks])
        return np.concatenate(columns)

    return {name: joined([part[name] for part in parts]) for name in parts[0]}


def _write_npz(path: Path, parts: Iterable[Columns]) -> None:
    """Each column goes to a file of its own first, since an archive holds one after the other."""
    import numpy as np

    with ExitStack() as stack:
        spools: dict[str, tuple[IO[bytes], Any, tuple[int, ...]]] = {}
        rows = 0
        for part in parts:
            for name, values in part.items():
                if name not in spools:
                    file = stack.enter_context(tempfile.TemporaryFile(dir=path.parent))
                    spools[name] = file, values.dtype, values.shape[1:]
                spool, dtype, shape = spools[name]
                if values.dtype != dtype or values.shape[1:] != shape:
                    raise DataError(f"column {name!r} changes its type", expected=dtype)
                spool.write(np.ascontiguousarray(values).tobytes())
            rows += len(next(iter(part.values())))
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, (spool, dtype, shape) in spools.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    header = {
                        "descr": np.lib.format.dtype_to_descr(dtype),
                        "fortran_order": False,
                        "shape": (rows, *shape),
                    }
                    np.lib.format.write_array_header_1_0(member, header)
                    spool.seek(0)
                    shutil.copyfileobj(spool, member)
