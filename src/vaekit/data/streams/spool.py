"""Text tables as Parquet files, written a few rows at a time, so that they stream like these."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from vaekit.data.sources.parquet import is_parquet_folder
from vaekit.data.streams.tables import TableRows
from vaekit.errors import ConfigError, DataError

__all__ = ["MISSING", "TEXT", "open_table"]

TEXT = {".csv": ",", ".tsv": "\t"}
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")
"""Words of text tables that stand for no value."""
BLOCK_BYTES = 1 << 25
"""What is read at a time; types of columns are those of the first block."""


@contextlib.contextmanager
def open_table(
    path: str | Path,
    *,
    columns: Sequence[str] | None = None,
    drop: Sequence[str] = (),
    missing: Sequence[str] = MISSING,
) -> Iterator[TableRows]:
    """A table on disk as rows that are read piece by piece.

    A text table is first written as Parquet into a temporary folder, which goes when the block is
    left.

    Args:
        path: A ``.parquet`` file or a folder of them, or a ``.csv`` or ``.tsv`` file.
        columns: Which columns; by default all.
        drop: Columns to leave out.
        missing: Words of text tables that stand for no value.

    Raises:
        ConfigError: If it is none of these, or a column is unknown.
        DataError: If it cannot be read.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise DataError("no such file", where=str(path))
    with contextlib.ExitStack() as stack:
        source = path
        if path.suffix.lower() in TEXT:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="vaekit-table-"))
            source = Path(folder) / f"{path.stem}.parquet"
            _write(path, source, missing)
        elif not is_parquet_folder(path) and path.suffix.lower() != ".parquet":
            raise ConfigError(
                "not a table",
                expected="a .parquet, .csv or .tsv file, or a folder of .parquet files",
                got=path.name,
                where="data",
            )
        rows = TableRows(source, columns=columns)
        if drop:
            kept = [name for name in rows.columns if name not in drop]
            rows = TableRows(source, columns=_without(rows, drop, kept, path))
        rows.name = path.name
        yield rows


def _without(rows: TableRows, drop: Sequence[str], kept: list[str], path: Path) -> list[str]:
    unknown = [name for name in drop if name not in rows.columns]
    if unknown:
        raise ConfigError(
            f"there is no column {unknown[0]!r} to leave out",
            expected=", ".join(rows.columns[:20]),
            where=path.name,
        )
    return kept


def _write(path: Path, target: Path, missing: Sequence[str]) -> None:
    import pyarrow as pa
    import pyarrow.csv as csv
    import pyarrow.parquet as parquet

    options = {
        "read_options": csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
        "parse_options": csv.ParseOptions(delimiter=TEXT[path.suffix.lower()]),
        "convert_options": csv.ConvertOptions(null_values=list(missing), strings_can_be_null=True),
    }
    try:
        with contextlib.ExitStack() as stack:
            reader = stack.enter_context(csv.open_csv(path, **options))
            writer = stack.enter_context(parquet.ParquetWriter(target, reader.schema))
            for batch in reader:
                writer.write_batch(batch)
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise DataError(
            f"not a readable table ({str(error).splitlines()[0][:200]})",
            where=path.name,
            remedy="the first rows say what type a column has: write missing values as empty "
            "cells, or save the table as Parquet",
        ) from error
