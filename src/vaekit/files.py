"""Files that are either wholly there or not there at all, and JSON read with care.

Everything vaekit writes goes to a temporary name in the same folder and is renamed into place, so
that a full disk, Ctrl-C or kill -9 leaves the old file intact.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vaekit.errors import ArtifactError

__all__ = ["read_json", "write_atomically", "write_bytes", "write_json"]

MAX_JSON_BYTES = 64 * 2**20


def write_atomically(path: Path, write: Callable[[Path], object]) -> Path:
    """Let ``write`` fill a temporary file, then rename it to ``path``.

    Args:
        path: The final name; its folder is made when missing.
        write: Called with the temporary path.

    Returns:
        ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    return path


def _umask() -> int:
    """The permissions that new files do not get; reading it means setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


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
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"not valid JSON ({error})", where=str(path)) from error
