"""Data larger than memory: Parquet files and image folders that are read piece by piece."""

from vaekit.data.streams.fitting import Moments, fit_codec
from vaekit.data.streams.images import ImageRows
from vaekit.data.streams.parquet import ParquetRows
from vaekit.data.streams.parts import Part
from vaekit.data.streams.pieces import Source
from vaekit.data.streams.preparing import (
    can_stream,
    decoded_bytes,
    given_parts,
    open_stream,
    prepare_stream,
    split_stream,
)
from vaekit.data.streams.spool import open_table
from vaekit.data.streams.stream import StreamData
from vaekit.data.streams.tables import TableRows, summarise_table

__all__ = [
    "ImageRows",
    "Moments",
    "ParquetRows",
    "Part",
    "Source",
    "StreamData",
    "TableRows",
    "can_stream",
    "decoded_bytes",
    "fit_codec",
    "given_parts",
    "open_stream",
    "open_table",
    "prepare_stream",
    "split_stream",
    "summarise_table",
]
