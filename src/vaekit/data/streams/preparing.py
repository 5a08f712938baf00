"""A source on disk to a codec and one stream for each part."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vaekit.data.batches import Rows, TensorData, joined
from vaekit.data.codecs import Context, DataCodec
from vaekit.data.sources.idx import is_idx_folder
from vaekit.data.sources.images import rough_bytes
from vaekit.data.sources.parquet import is_parquet_folder, read_footers
from vaekit.data.streams.checked import encoded
from vaekit.data.streams.fitting import fit_codec
from vaekit.data.streams.images import ImageRows
from vaekit.data.streams.parquet import ParquetRows
from vaekit.data.streams.parts import Part, divide, named_parts
from vaekit.data.streams.pieces import Piece, Source
from vaekit.data.streams.stream import StreamData
from vaekit.errors import ConfigError

__all__ = [
    "can_stream",
    "decoded_bytes",
    "given_parts",
    "open_stream",
    "prepare_stream",
    "split_stream",
]


def can_stream(source: Any) -> bool:
    """Whether a source can be read piece by piece: Parquet files and folders, image folders.

    Example:
        >>> can_stream("digits"), can_stream([1.0, 2.0])
        (False, False)
    """
    if not isinstance(source, str | os.PathLike):
        return False
    path = Path(source).expanduser()
    if path.is_dir():
        return not is_idx_folder(path)
    return path.is_file() and path.suffix.lower() == ".parquet"


def decoded_bytes(
    source: str | os.PathLike[str],
    *,
    columns: Sequence[str] | None = None,
    size: int | tuple[int, int] | None = None,
) -> int:
    """About how much memory a source that can be streamed would fill.

    Args:
        source: File or folder.
        columns: Columns of a table that are read; by default all.
        size: Height and width that images are brought to; by default those of the first.
    """
    path = Path(source).expanduser()
    if path.is_dir() and not is_parquet_folder(path):
        return rough_bytes(path, size=size)
    footers, names = read_footers(path, wanted=columns)
    return 8 * len(names) * sum(sum(footer.groups) for footer in footers)


def open_stream(
    source: str | os.PathLike[str],
    *,
    label: str | None = None,
    columns: Sequence[str] | None = None,
    context: Sequence[str] | None = None,
    split: str | None = None,
    size: int | tuple[int, int] | None = None,
) -> Source:
    """The rows of a source on disk; arguments are those of :func:`vaekit.data.load`.

    Only footers of Parquet files and headers of images are read.

    Raises:
        ConfigError: If the source cannot be streamed, or an option does not apply to it.
        DataError: If a file cannot be read or does not fit the others.
    """
    if not can_stream(source):
        raise ConfigError(
            "this source cannot be streamed",
            expected="a .parquet file, a folder of them, or a folder of images",
            got=str(source) if isinstance(source, str | os.PathLike) else type(source).__name__,
            where="data.stream",
            remedy="leave data.stream=auto, or save the data as Parquet",
        )
    path = Path(source).expanduser()
    table = {"label": label, "columns": columns, "context": context, "split": split}
    images = {"size": size}
    is_table = path.is_file() or is_parquet_folder(path)
    other = images if is_table else table
    for name, value in other.items():
        if value is not None:
            raise ConfigError(
                f"{name}= does not apply to this source",
                got=repr(str(source)),
                expected=f"one of {', '.join(table if is_table else images)}",
            )
    if is_table:
        return ParquetRows(path, label=label, columns=columns, context=context, split=split)
    return ImageRows(path, size=size)


def split_stream(
    source: Source,
    *,
    validation: float = 0.05,
    test: float = 0.1,
    seed: int = 0,
    max_validation: int = 5000,
) -> dict[str, Part]:
    """Divide the rows of a source; see :func:`vaekit.data.split`.

    Parts have the sizes that they would have in memory, but other rows.
    """
    return divide(
        len(source),
        source.given_split(),
        validation=validation,
        test=test,
        seed=seed,
        max_validation=max_validation,
        where=source.name,
    )


def given_parts(source: Source) -> dict[str, Part]:
    """The parts that a source itself gives; all rows are for training where it gives none."""
    parts = named_parts(len(source), source.given_split())
    return {name: part for name, part in parts.items() if len(part)}


def prepare_stream(
    source: Source,
    *,
    codec: DataCodec | None = None,
    parts: dict[str, Part] | None = None,
    context: Context | None = None,
    **options: Any,
) -> tuple[DataCodec, dict[str, Rows]]:
    """A source to one stream for each part; the counterpart of :func:`vaekit.data.prepare`.

    Args:
        source: The rows.
        codec: A fitted codec to use, e.g. of a saved model; by default one is fitted on the
            training rows, and the validation rows are then held in memory.
        parts: Rows of each part; by default those of :func:`split_stream`.
        context: As of :meth:`DataCodec.fit`.
        **options: As of :meth:`DataCodec.fit`.

    Raises:
        ConfigError: If an option is unknown, or options are given beside a fitted codec.
        DataError: If the data does not fit the codec.
    """
    parts = split_stream(source) if parts is None else parts
    if codec is not None:
        if options or context is not None:
            given = ", ".join([*options, *(["context"] if context is not None else [])])
            raise ConfigError(
                "the codec is fitted already, so its options cannot change", got=given
            )
        return codec, {name: StreamData(source, codec, part) for name, part in parts.items()}
    held = _Held(parts.get("validation"))
    codec = fit_codec(source, parts["train"], context=context, seen=held.see, **options)
    rows: dict[str, Rows] = {name: StreamData(source, codec, part) for name, part in parts.items()}
    if held.part is not None:
        rows["validation"] = held.encoded(source, codec)
    return codec, rows


class _Held:
    """The rows of a small part, kept while a source is read for another reason."""

    def __init__(self, part: Part | None) -> None:
        self.part = part
        self.pieces: list[Piece] = []

    def see(self, piece: Piece) -> None:
        """Keep the rows of the part."""
        if self.part is None:
            return
        mask = self.part.mask(int(piece.rows[0]), int(piece.rows[-1]) + 1)
        if mask.any():
            self.pieces.append(piece.subset(mask))

    def encoded(self, source: Source, codec: DataCodec) -> TensorData:
        """The part in memory; what was not seen is read."""
        if not self.pieces:
            assert self.part is not None
            data = StreamData(source, codec, self.part)
            return data.head(len(data))
        return joined([encoded(source, piece, codec) for piece in self.pieces])
