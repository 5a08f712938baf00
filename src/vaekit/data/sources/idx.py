"""IDX files, as MNIST and its relatives are published, plain or gzipped."""

from __future__ import annotations

import gzip
import re
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np

from vaekit.data.raw import RawData
from vaekit.data.sources.arrays import from_array
from vaekit.data.sources.paths import require_size
from vaekit.errors import DataError

__all__ = ["is_idx", "is_idx_folder", "load_idx", "load_idx_folder"]

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_NAME = re.compile(r"(.*[.-])?idx\d?(-ubyte)?(\.gz)?$", re.IGNORECASE)
_DEFLATE_LIMIT = 1032  # deflate cannot pack tighter than this


def is_idx(path: Path) -> bool:
    """Whether the file name is that of an IDX file.

    Example:
        >>> is_idx(Path("train-images-idx3-ubyte.gz")), is_idx(Path("notes.txt.gz"))
        (True, False)
    """
    return _NAME.match(path.name) is not None


def is_idx_folder(path: Path) -> bool:
    """Whether the folder holds the training images of an IDX data set."""
    return any(is_idx(file) for file in path.glob("train-images*"))


def load_idx(path: Path) -> RawData:
    """The images (or table) of one IDX file."""
    return from_array(read_idx(path), name=path.name)


def load_idx_folder(path: Path) -> RawData:
    """The four standard files: ``train-`` and ``t10k-``, images and labels."""
    found = {
        (part, what): _one_file(path, part, what)
        for part in ("train", "t10k")
        for what in ("images", "labels")
    }
    arrays = {key: read_idx(file) for key, file in found.items()}
    for part in ("train", "t10k"):
        _require_pair(arrays[part, "images"], arrays[part, "labels"], where=f"{path.name}/{part}")
    x = [arrays[part, "images"] for part in ("train", "t10k")]
    y = [arrays[part, "labels"] for part in ("train", "t10k")]
    if x[0].shape[1:] != x[1].shape[1:]:
        raise DataError(
            "train and t10k images differ in size",
            expected=x[0].shape[1:],
            got=x[1].shape[1:],
            where=path.name,
        )
    split = np.repeat(["train", "test"], [len(part) for part in x])
    return from_array(np.concatenate(x), np.concatenate(y), split=split, name=path.name)


def _one_file(folder: Path, part: str, what: str) -> Path:
    files = sorted(file for file in folder.glob(f"{part}-{what}*") if is_idx(file))
    if not files:
        raise DataError(
            f"the {part} {what} are missing",
            expected=f"{part}-{what}-idx{3 if what == 'images' else 1}-ubyte or the same with .gz",
            where=folder.name,
        )
    return files[0]


def _require_pair(images: np.ndarray, labels: np.ndarray, *, where: str) -> None:
    if labels.ndim != 1 or len(labels) != len(images):
        raise DataError(
            "images and labels do not belong together",
            expected=f"({len(images)},) labels",
            got=labels.shape,
            where=where,
        )


def read_idx(path: Path) -> np.ndarray:
    """The array of an IDX file, in native byte order.

    Never unpacks more than the header declares (and one byte to see whether there is more).

    Raises:
        DataError: If the magic number, dtype or declared size do not fit the content.
    """
    packed = path.name.lower().endswith(".gz")
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            dtype, shape = _read_header(file, where=path.name)
            declared = require_size(shape, dtype.itemsize, where=path.name)
            _require_possible(declared, path, packed=packed)
            content = file.read(declared + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot be read ({error})", where=path.name) from error
    if len(content) != declared:
        more = "at least " if len(content) > declared else ""
        raise DataError(
            "the header does not fit the content (truncated or corrupt)",
            expected=f"{declared} bytes for shape {shape}",
            got=f"{more}{len(content)} bytes",
            where=path.name,
        )
    return np.frombuffer(content, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _read_header(
    file: BinaryIO | gzip.GzipFile, *, where: str
) -> tuple[np.dtype, tuple[int, ...]]:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES or not 1 <= magic[3] <= 8:
        raise DataError(
            "not an IDX file",
            expected="two zero bytes, a dtype and a number of axes",
            got=magic.hex(" ") or "an empty file",
            where=where,
        )
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise DataError("the header is truncated", where=where)
    return np.dtype(_DTYPES[magic[2]]), struct.unpack(f">{magic[3]}I", sizes)


def _require_possible(declared: int, path: Path, *, packed: bool) -> None:
    most = path.stat().st_size * (_DEFLATE_LIMIT if packed else 1)
    if declared > most:
        raise DataError(
            "the header declares more than the file can hold",
            expected=f"at most {most} bytes",
            got=f"{declared} bytes",
            where=path.name,
        )
