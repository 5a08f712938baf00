"""NumPy files, read without pickle and without trusting what their headers declare."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from vaekit.data.raw import RawData
from vaekit.data.sources.arrays import from_array
from vaekit.data.sources.paths import MAX_BYTES, require_size
from vaekit.errors import DataError, did_you_mean

__all__ = ["load_npy", "load_npz"]

_X_NAMES = ("x", "images", "image", "data")
_Y_NAMES = ("y", "labels", "label", "targets", "target")
_SPLIT_WORDS = {
    "train": ("train",),
    "validation": ("val", "valid", "validation"),
    "test": ("test",),
}
_RATIO = 1000
_RATIO_FROM = 1 << 30
_UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    zlib.error,
    SyntaxError,
    tokenize.TokenError,
)


class _Header(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype
    length: int
    declared: int


def load_npy(path: Path) -> RawData:
    """One array from a ``.npy`` file."""
    with path.open("rb") as file:
        header = _read_header(file, where=path.name)
        _require_length(header, path.stat().st_size, where=path.name)
        file.seek(0)
        return from_array(_read_array(file, where=path.name), name=path.name)


def load_npz(path: Path, *, label: str | None = None) -> RawData:
    """Images or a table, with labels and splits where the array names say so.

    Understood are ``x_train``/``y_train``/``x_test``/``y_test`` (and ``x_val``/``y_val``, or
    ``train_images``/``train_labels`` …), ``X``/``y``, ``images``/``labels`` and a single array.

    Args:
        path: The file.
        label: Name of the array of labels, where it has another name.

    Raises:
        DataError: If no array can be told to be the data, or the file is corrupt or hostile.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = _safe_members(archive, where=path.name)
            return _assemble(archive, members, label=label, name=path.name)
    except DataError:
        raise
    except (*_UNREADABLE, zipfile.BadZipFile) as error:
        raise DataError(f"not a readable .npz file ({error})", where=path.name) from error


# --- reading safely ---------------------------------------------------------------------------


def _safe_members(archive: zipfile.ZipFile, *, where: str) -> dict[str, zipfile.ZipInfo]:
    """The arrays by name, once every header has been found honest."""
    members: dict[str, zipfile.ZipInfo] = {}
    total = 0
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name == info.filename or name in members:
            raise DataError(
                f"unexpected member {info.filename!r}",
                expected="one .npy file for each array",
                where=where,
            )
        total += _check_member(archive, info, where=f"{where}[{name}]")
        members[name] = info
    if not members:
        raise DataError("the file holds no arrays", where=where)
    if total > MAX_BYTES:
        raise DataError(
            "the arrays are too large together",
            expected=f"at most {MAX_BYTES >> 30} GiB",
            got=f"{total:.3g} bytes",
            where=where,
        )
    return members


def _check_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, *, where: str) -> int:
    try:
        with archive.open(info) as file:
            header = _read_header(file, where=where)
    except DataError:
        raise
    except _UNREADABLE as error:
        raise DataError(f"cannot be read ({error})", where=where) from error
    _require_length(header, info.file_size, where=where)
    packed = max(info.compress_size, 1)
    if header.declared > _RATIO_FROM and header.declared > _RATIO * packed:
        raise DataError(
            "the array unpacks to far more than it should (a zip bomb?)",
            expected=f"at most {_RATIO} times the packed size",
            got=f"{header.declared / packed:.0f} times",
            where=where,
        )
    return header.declared


def _read_header(file: IO[bytes], *, where: str) -> _Header:
    try:
        version = np.lib.format.read_magic(file)
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        if version not in readers:
            raise DataError(f"unsupported .npy version {version}", where=where)
        shape, _, dtype = readers[version](file)
    except DataError:
        raise
    except _UNREADABLE as error:
        raise DataError(f"not a readable .npy array ({error})", where=where) from error
    if dtype.hasobject:
        raise DataError(
            "the array holds Python objects, stored as pickle; unpickling can run any code, "
            "so vaekit never does it",
            where=where,
            remedy="save it as numbers or fixed-width text, e.g. with array.astype(float)",
        )
    return _Header(shape, dtype, file.tell(), require_size(shape, dtype.itemsize, where=where))


def _require_length(header: _Header, length: int, *, where: str) -> None:
    expected = header.length + header.declared
    if length != expected:
        raise DataError(
            "the header does not fit the content (truncated, corrupt or hostile)",
            expected=f"{expected} bytes for shape {header.shape} {header.dtype}",
            got=f"{length} bytes",
            where=where,
        )


def _read_array(file: IO[bytes], *, where: str) -> np.ndarray:
    try:
        array = np.lib.format.read_array(file, allow_pickle=False)
        if file.read(1):
            raise DataError("more content than the header declares", where=where)
    except DataError:
        raise
    except (*_UNREADABLE, zipfile.BadZipFile) as error:
        raise DataError(f"the array is corrupt ({error})", where=where) from error
    return array


# --- telling data from labels ------------------------------------------------------------------


def _assemble(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], *, label: str | None, name: str
) -> RawData:
    def read(key: str | None) -> np.ndarray | None:
        if key is None:
            return None
        with archive.open(members[key]) as file:
            return _read_array(file, where=f"{name}[{key}]")

    if label is not None and label not in members:
        raise DataError(f"no array {label!r}", where=name, remedy=did_you_mean(label, members))
    parts = _given_splits(members)
    if parts and label is None:
        return _join([(part, read(x), read(y)) for part, (x, y) in parts.items()], name=name)
    x, y = _data_and_labels(list(members), label, name=name)
    return from_array(read(x), read(y), name=name)


def _given_splits(
    members: Sequence[str] | dict[str, zipfile.ZipInfo],
) -> dict[str, tuple[str, str | None]]:
    """Names of data and labels for each split, when the file divides its rows."""
    parts: dict[str, tuple[str, str | None]] = {}
    for part, words in _SPLIT_WORDS.items():
        x = _find(members, [form for word in words for form in _forms(_X_NAMES, word)])
        y = _find(members, [form for word in words for form in _forms(_Y_NAMES, word)])
        if x is not None:
            parts[part] = (x, y)
    return parts if "train" in parts else {}


def _forms(names: Sequence[str], word: str) -> list[str]:
    return [form for name in names for form in (f"{name}_{word}", f"{word}_{name}")]


def _find(members: Sequence[str] | dict[str, zipfile.ZipInfo], names: Sequence[str]) -> str | None:
    found = {member.lower(): member for member in members}
    return next((found[name] for name in names if name in found), None)


def _data_and_labels(
    members: list[str], label: str | None, *, name: str
) -> tuple[str, str | None]:
    others = [member for member in members if member != label]
    x = _find(others, _X_NAMES) or (others[0] if len(others) == 1 else None)
    if x is None:
        raise DataError(
            "cannot tell which array is the data",
            expected="x_train and x_test, X and y, images and labels, or one array",
            got=", ".join(members[:20]),
            where=name,
            remedy="rename the arrays, or load the file yourself and pass (x, y)",
        )
    return x, label if label is not None else _find(others, _Y_NAMES)


def _join(parts: list[tuple[str, np.ndarray | None, np.ndarray | None]], *, name: str) -> RawData:
    labelled = [y is not None for _, _, y in parts]
    if any(labelled) and not all(labelled):
        raise DataError(
            "some splits have labels and some have none",
            where=name,
            remedy="add the missing y_ array, or remove the others",
        )
    xs = [x for _, x, _ in parts if x is not None]
    shapes = [x.shape[1:] for x in xs]
    if len(set(shapes)) > 1:
        raise DataError("the splits differ in shape", got=", ".join(map(str, shapes)), where=name)
    split = np.repeat([part for part, _, _ in parts], [len(x) for x in xs])
    y = np.concatenate([np.asarray(y) for _, _, y in parts]) if all(labelled) else None
    return from_array(np.concatenate(xs), y, split=split, name=name)
