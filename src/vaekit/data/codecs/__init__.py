"""Codecs: raw data to tensors and back, saved with the model as small specs."""

from vaekit.data.codecs.array import ArrayCodec
from vaekit.data.codecs.as_is import AsIs
from vaekit.data.codecs.composite import Context, DataCodec
from vaekit.data.codecs.image import ImageCodec
from vaekit.data.codecs.labels import LabelCodec
from vaekit.data.codecs.table import TableCodec
from vaekit.data.codecs.windows import WindowCodec

__all__ = [
    "ArrayCodec",
    "AsIs",
    "Context",
    "DataCodec",
    "ImageCodec",
    "LabelCodec",
    "TableCodec",
    "WindowCodec",
]
