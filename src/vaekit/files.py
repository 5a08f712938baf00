"""Files that are either wholly there or not there at all, and JSON read with care.

Everything vaekit writes goes to a temporary name in the same folder and is renamed into place, so
that a full disk, Ctrl-C or kill -9 leaves the old file intact.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from safetensors import SafetensorError

from vaekit.errors import ArtifactError

__all__ = ["LEFT_OVER", "read_json", "sweep", "write_atomically", "write_bytes", "write_json"]

MAX_JSON_BYTES = 64 * 2**20
LEFT_OVER = re.compile(r"\..+\.\d+\.tmp|\.tmp[A-Za-z0-9]{6}")
"""Temporary names: those of :func:`write_atomically`, and those that safetensors gives its own."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> Path:
    """Let ``write`` fill a temporary file, then rename it to ``path``.

    Args:
        path: The final name; its folder is made when missing.
        write: Called with the temporary path.

    Returns:
        ``path``.

    Raises:
        OSError: If the file cannot be written, for example on a full disk; the old one is intact.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    try:
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except SafetensorError as error:
        _discard(temporary)
        raise _system_error(error, path) from error
    except BaseException:
        _discard(temporary)
        raise
    return path


def _discard(temporary: Path) -> None:
    with contextlib.suppress(OSError):
        temporary.unlink(missing_ok=True)


def _system_error(error: Exception, path: Path) -> OSError:
    """What the operating system said, which safetensors only quotes."""
    number = re.search(r"\(os error (\d+)\)", str(error))
    if number is None:
        return OSError(f"cannot write {path} ({error})")
    code = int(number[1])
    return OSError(code, os.strerror(code), str(path))


def _umask() -> int:
    """The permissions that new files do not get; reading it means setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def sweep(folder: Path) -> None:
    """Remove what killed processes left half written; for a folder with one writer only."""
    for path in folder.iterdir():
        if LEFT_OVER.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> Path:
    """Write bytes atomically."""
    return write_atomically(path, lambda temporary: temporary.write_bytes(content))


def write_json(path: Path, value: Any) -> Path:
    """Write a value as indented JSON, atomically. NaN is refused: it is not JSON."""
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    return write_bytes(path, text.encode())


def read_json(path: Path, *, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """Read a JSON file of bounded size.

    Raises:
        ArtifactError: If the file is missing, too large or not JSON.
    """
    if not path.is_file():
        raise ArtifactError("no such file", where=str(path), remedy="is this a vaekit run folder?")
    size = path.stat().st_size
    if size > max_bytes:
        raise ArtifactError(
            "too large", expected=f"at most {max_bytes} bytes", got=size, where=str(path)
        )
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"not valid JSON ({error})", where=str(path)) from error


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
