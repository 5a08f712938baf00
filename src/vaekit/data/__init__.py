"""Raw data in, tensors out, and back again: sources, codecs, splits and batches."""

from vaekit.data.batches import Batch, Rows, TensorData, prepare
from vaekit.data.codecs import (
    ArrayCodec,
    AsIs,
    DataCodec,
    ImageCodec,
    LabelCodec,
    TableCodec,
    WindowCodec,
)
from vaekit.data.raw import RawData
from vaekit.data.schema import fit_table
from vaekit.data.sources import load
from vaekit.data.splits import Splits, split
from vaekit.data.streams import StreamData

__all__ = [
    "ArrayCodec",
    "AsIs",
    "Batch",
    "DataCodec",
    "ImageCodec",
    "LabelCodec",
    "RawData",
    "Rows",
    "Splits",
    "StreamData",
    "TableCodec",
    "TensorData",
    "WindowCodec",
    "fit_table",
    "load",
    "prepare",
    "split",
]
