"""Parquet: one file, or a folder of files of one schema that are read as one table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vaekit.data.raw import RawData
from vaekit.data.sources.paths import require_size
from vaekit.data.sources.table import from_frame, require_columns
from vaekit.errors import DataError

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.parquet

__all__ = [
    "Footer",
    "is_parquet_folder",
    "load_parquet",
    "opened",
    "parquet_files",
    "read_footers",
]

SUFFIX = ".parquet"
PAGE_BYTES = 1 << 16
"""What is read of a column at a time; without it Arrow holds whole row groups."""
_INDEX = re.compile(r"__index_level_\d+__")  # how pandas names row labels in a file


class Footer(NamedTuple):
    """What a Parquet file says of itself.

    Attributes:
        path: The file.
        groups: Rows of each row group.
        schema: Names and types of the columns, without what other programs noted beside them.
    """

    path: Path
    groups: tuple[int, ...]
    schema: pyarrow.Schema


def is_parquet_folder(folder: Path) -> bool:
    """Whether a folder holds Parquet files."""
    return folder.is_dir() and any(map(_is_parquet, folder.iterdir()))


def parquet_files(path: Path) -> list[Path]:
    """The file itself, or the files of a folder in the order of their names.

    Raises:
        DataError: If Parquet files also lie deeper in the folder: they would be left out.
    """
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if _is_parquet(file))
    deeper = next((f for f in path.glob(f"*/**/*{SUFFIX}") if _is_parquet(f)), None)
    if deeper is not None:
        raise DataError(
            "Parquet files in sub-folders are not read",
            got=deeper.relative_to(path),
            where=path.name,
            remedy="move all files of the table into one folder",
        )
    return files


def _is_parquet(path: Path) -> bool:
    hidden = path.name.startswith((".", "_"))
    return path.suffix.lower() == SUFFIX and not hidden and path.is_file()


@contextmanager
def opened(path: Path) -> Iterator[pyarrow.parquet.ParquetFile]:
    """A file whose columns are read page by page; what goes wrong inside names the file.

    Raises:
        DataError: If the file cannot be read as Parquet.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path, buffer_size=PAGE_BYTES, pre_buffer=False) as file:
            yield file
    except (pyarrow.ArrowException, OSError, UnicodeError) as error:
        raise DataError(f"not a readable Parquet file ({error})", where=path.name) from error


def read_footers(
    path: Path, *, wanted: Sequence[str] | None = None
) -> tuple[list[Footer], list[str]]:
    """The footers of a file, or of all files of a folder, and the columns to read.

    Args:
        path: The file or folder.
        wanted: Columns to read; by default all of the first file, row labels of pandas excepted.

    Raises:
        ConfigError: If a column is unknown.
        DataError: If a file cannot be read, or a column is missing in one or has another type
            than in the first; the message names the file.
    """
    footers = [_footer(file) for file in parquet_files(path)]
    names = footers[0].schema.names
    if wanted is not None:
        require_columns(wanted, names, where=footers[0].path.name)
    chosen = (
        [name for name in names if not _INDEX.fullmatch(name)]
        if wanted is None
        else list(dict.fromkeys(wanted))
    )
    for footer in footers[1:]:
        _require_same(footers[0], footer, chosen, exact=wanted is None)
    return footers, chosen


def _footer(path: Path) -> Footer:
    with opened(path) as file:
        meta = file.metadata
        groups = tuple(meta.row_group(i).num_rows for i in range(meta.num_row_groups))
        if min(groups, default=0) < 0 or sum(groups) != meta.num_rows:
            raise DataError("the row groups do not add up", where=path.name, got=meta.num_rows)
        schema = file.schema_arrow.remove_metadata()
    twice = next((name for name in schema.names if schema.names.count(name) > 1), None)
    if twice is not None:
        raise DataError(
            f"two columns are named {twice!r}", where=path.name, remedy="rename one of them"
        )
    return Footer(path, groups, schema)


def _require_same(first: Footer, other: Footer, chosen: Sequence[str], *, exact: bool) -> None:
    """Refuse a file whose columns are not those of the first."""
    names = [name for name in other.schema.names if not _INDEX.fullmatch(name)]
    odd = [name for name in chosen if name not in names]
    odd += [name for name in names if name not in chosen] if exact else []
    if odd:
        here = "lacks" if odd[0] in chosen else "has one more:"
        raise DataError(
            f"the files of the folder differ in their columns: this one {here} {odd[0]!r}",
            expected=f"the columns of {first.path.name}",
            where=other.path.name,
            remedy="bring all files to one schema, or choose common columns with columns=[...]",
        )
    for name in chosen:
        expected, got = first.schema.field(name).type, other.schema.field(name).type
        if _plain(expected) != _plain(got):
            raise DataError(
                f"the files of the folder differ in the type of column {name!r}",
                expected=f"{expected} as in {first.path.name}",
                got=got,
                where=other.path.name,
                remedy="write all files with one schema",
            )


def _plain(kind: pyarrow.DataType) -> pyarrow.DataType:
    """A type without the form in which text is written, which differs between writers."""
    import pyarrow

    kind = kind.value_type if pyarrow.types.is_dictionary(kind) else kind
    text = pyarrow.types.is_large_string(kind) or pyarrow.types.is_string_view(kind)
    return pyarrow.string() if text else kind


def load_parquet(
    path: Path,
    *,
    label: str | None = None,
    columns: Sequence[str] | None = None,
    context: Sequence[str] | None = None,
    split: str | None = None,
    numbers: Sequence[str] | None = None,
    unlabelled: bool = False,
) -> RawData:
    """A Parquet file or a folder of them; of the columns only the chosen ones are read."""
    import pyarrow

    others = [*(context or ()), *(numbers or ()), *filter(None, (label, split))]
    wanted = None if columns is None else [*columns, *others]
    footers, chosen = read_footers(path, wanted=wanted)
    rows = sum(sum(footer.groups) for footer in footers)
    require_size((rows, max(len(footers[0].schema.names), 1)), 8, where=path.name)
    schema = pyarrow.schema([footers[0].schema.field(name) for name in chosen])
    tables = []
    for footer in footers:
        with opened(footer.path) as file:
            # what pandas noted beside the columns is another program's JSON: not believed
            table = file.read(columns=chosen).select(chosen).replace_schema_metadata(None)
            tables.append(table.cast(schema) if footers[1:] else table)
    try:
        frame = pyarrow.concat_tables(tables).to_pandas()
    except (pyarrow.ArrowException, UnicodeError) as error:
        raise DataError(f"not a readable Parquet file ({error})", where=path.name) from error
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
