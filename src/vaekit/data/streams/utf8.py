"""Text tables in another encoding than UTF-8: where the first such cell is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vaekit.errors import DataError

if TYPE_CHECKING:
    import pyarrow

__all__ = ["not_utf8"]

SHOWN = 40
HEADER = 1 << 20


def not_utf8(path: Path, options: Mapping[str, Any]) -> DataError | None:
    """The error of a text table with a cell that is not UTF-8; None where it has none.

    Args:
        path: The file.
        options: How it is parsed, as of ``pyarrow.csv.open_csv``.
    """
    import pyarrow as pa
    import pyarrow.csv as csv

    try:
        with path.open("rb") as file:
            header = file.readline(HEADER)
        if not _is_utf8(header):
            return _error(f"{path.name}, header", header.strip())
        with csv.open_csv(path, **options) as reader:
            names = reader.schema.names
        convert = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.binary()))
        with csv.open_csv(path, **options, convert_options=convert) as reader:
            return _first(path, names, reader)
    except (pa.ArrowException, OSError, UnicodeError):
        return None


def _first(
    path: Path, names: list[str], batches: pyarrow.csv.CSVStreamingReader
) -> DataError | None:
    start = 0
    for batch in batches:
        bad = {
            row: (name, cells[row].as_py())
            for name, cells in reversed(list(zip(names, batch.columns, strict=True)))
            if (row := _first_bad(cells)) is not None
        }
        if bad:
            name, cell = bad[row := min(bad)]
            return _error(f"{path.name}, row {start + row}: column {name!r}", cell)
        start += batch.num_rows
    return None


def _first_bad(cells: pyarrow.Array) -> int | None:
    import pyarrow as pa

    try:
        cells.cast(pa.string())
    except pa.ArrowInvalid:
        return next(row for row, cell in enumerate(cells) if not _is_utf8(cell.as_py() or b""))
    return None


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _error(where: str, got: bytes) -> DataError:
    return DataError(
        "the file is not UTF-8",
        expected="text in UTF-8",
        got=got[:SHOWN],
        where=where,
        remedy="save it as UTF-8: iconv -f LATIN1 -t UTF-8 old.csv > new.csv, if it is in Latin-1",
    )
