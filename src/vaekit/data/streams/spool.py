"""Text tables as Parquet files, written a few rows at a time, so that they stream like these.

The types of columns are those of the cells, unless more is known: ``01`` is a number to a reader
of text, and a code where the user or a fitted schema says so. Codes are read as they are written.
Where all cells of a column that is declared so are numbers as programs write them, they are read
as numbers: 1 and 1.0 are one code, as programs add the point when another value is missing.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from vaekit.data.codecs import TableCodec
from vaekit.data.columns import Coded
from vaekit.data.schema import holds_codes
from vaekit.data.sources.parquet import is_parquet_folder
from vaekit.data.streams.tables import Known, TableRows
from vaekit.data.streams.utf8 import not_utf8
from vaekit.errors import ConfigError, DataError, first_line

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.csv

__all__ = ["MISSING", "TEXT", "TextRows", "open_table"]

TEXT = {".csv": ",", ".tsv": "\t"}
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")
"""Words of text tables that stand for no value."""
BLOCK_BYTES = 1 << 25
"""What is read at a time; types of columns are those of the first block."""
PLAIN = (
    r"^-?((0|[1-9][0-9]{0,14})(\.0)?|(0|[1-9][0-9]{0,7})\.[0-9]{0,6}[1-9])$",
    r"^(?i:true|false)$",
)
"""Cells that lose nothing when they are read as numbers (of 15 digits) or as Booleans."""


@contextlib.contextmanager
def open_table(
    path: str | Path, known: Known = None, *, text: Iterable[str] = ()
) -> Iterator[TableRows]:
    """A table on disk as rows that are read piece by piece.

    A text table is first written as Parquet into a temporary folder, which goes when the block is
    left. Its columns have the types that their cells say, but codes stay text: what is given here,
    or to :meth:`TableRows.read_as` later, says which columns hold some.

    Args:
        path: A ``.parquet`` file or a folder of them, or a ``.csv`` or ``.tsv`` file.
        known: Types of columns as of :func:`vaekit.data.fit_table`, or a fitted codec.
        text: Columns of a text table that are read as they are written, if they are there.

    Raises:
        ConfigError: If it is none of these.
        DataError: If it cannot be read.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise DataError("no such file", where=str(path))
    if path.suffix.lower() in TEXT:
        with tempfile.TemporaryDirectory(prefix="vaekit-table-") as folder:
            yield TextRows(path, Path(folder), _codes(path, known) | _there(path, text))
    elif is_parquet_folder(path) or path.suffix.lower() == ".parquet":
        yield TableRows(path)
    else:
        raise ConfigError(
            "not a table",
            expected="a .parquet, .csv or .tsv file, or a folder of .parquet files",
            got=path.name,
            where="data",
        )


class TextRows(TableRows):
    """The rows of a text table.

    Args:
        text: The file.
        folder: Where to write it as Parquet.
        codes: Columns that are read as text, whatever is in them.
    """

    def __init__(self, text: Path, folder: Path, codes: frozenset[str] = frozenset()) -> None:
        self.text, self.folder, self.codes = text, folder, codes
        target = Path(tempfile.mkdtemp(dir=folder)) / text.name  # which messages tell the user
        _write(text, target, codes)
        super().__init__(target)
        self._others: dict[frozenset[str], Self] = {}

    def read_as(self, known: Known) -> Self:
        """The same rows where what is known to be codes is text; written anew if it is not."""
        import pyarrow as pa

        schema = self.footers[0].schema
        codes = _codes(self.text, known, schema.names)
        if all(pa.types.is_string(schema.field(name).type) for name in codes):
            return self
        codes |= self.codes
        if codes not in self._others:
            self._others[codes] = type(self)(self.text, self.folder, codes)
        return self._others[codes]


def _codes(path: Path, known: Known, names: Sequence[str] | None = None) -> frozenset[str]:
    """The columns that are to be read as text."""
    if not isinstance(known, Mapping | TableCodec):
        return frozenset()
    if names is None:
        with _opened(path) as reader:
            names = reader.schema.names
    if isinstance(known, TableCodec):
        held = [c.name for c in known.columns if isinstance(c, Coded) and c.scalar == "text"]
        if not known.named:
            held = [names[int(number)] for number in held if int(number) < len(names)]
        return frozenset(held) & frozenset(names)
    declared = [name for name in names if holds_codes(known.get(name, ""))]
    return _not_plain(path, declared) if declared else frozenset()


def _there(path: Path, names: Iterable[str]) -> frozenset[str]:
    """Those of some columns that a text table has."""
    wanted = frozenset(names)
    if not wanted:
        return wanted
    with _opened(path) as reader:
        return wanted & frozenset(reader.schema.names)


def _not_plain(path: Path, names: Sequence[str]) -> frozenset[str]:
    """Those of some columns that would lose something if they were not read as text."""
    import pyarrow.compute as pc

    kinds = {name: set(PLAIN) for name in names}
    with _opened(path, names, only=True) as reader:
        for batch in reader:
            for name, left in kinds.items():
                cells = batch.column(name).drop_null()
                left -= {
                    kind
                    for kind in left
                    if not pc.all(pc.match_substring_regex(cells, kind), min_count=0).as_py()
                }
    return frozenset(name for name, left in kinds.items() if not left)


@contextlib.contextmanager
def _opened(
    path: Path, codes: Iterable[str] = (), *, only: bool = False
) -> Iterator[pyarrow.csv.CSVStreamingReader]:
    """A text table some rows at a time, with text in these columns, or no others."""
    import pyarrow as pa
    import pyarrow.csv as csv

    options: dict[str, Any] = {
        "read_options": csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
        "parse_options": csv.ParseOptions(delimiter=TEXT[path.suffix.lower()]),
    }
    convert = csv.ConvertOptions(
        null_values=list(MISSING),
        strings_can_be_null=True,
        column_types=dict.fromkeys(codes, pa.string()),
        include_columns=list(codes) if only else [],
    )
    try:
        with csv.open_csv(path, **options, convert_options=convert) as reader:
            _require_once(reader.schema.names, path.name)
            if any(map(pa.types.is_binary, reader.schema.types)):
                raise UnicodeError("not UTF-8")
            yield reader
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise not_utf8(path, options) or DataError(
            f"not a readable table ({first_line(error)[:200]})",
            where=path.name,
            remedy="the first rows say what type a column has: mend the cell, write missing "
            "values as empty cells, declare the type, or save the table as Parquet",
        ) from error


def _require_once(names: Sequence[str], where: str) -> None:
    name, count = max(Counter(names).items(), key=lambda item: item[1], default=("", 0))
    if count > 1:
        raise DataError(
            f"two columns are named {name!r}", where=where, remedy="rename one of them"
        )


def _write(path: Path, target: Path, codes: frozenset[str]) -> None:
    import pyarrow.parquet as parquet

    with _opened(path, codes) as reader, parquet.ParquetWriter(target, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
