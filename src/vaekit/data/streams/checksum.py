"""A checksum of files that are too large to be read at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from vaekit.errors import DataError

__all__ = ["checksum"]


def checksum(files: Iterable[tuple[str, Path]]) -> str:
    """SHA-256 (hex) over names, sizes and bytes of files, in this order.

    Args:
        files: Name and path of each.

    Raises:
        DataError: If a file cannot be read; the message names it.
    """
    total = hashlib.sha256()
    for name, path in files:
        try:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256")
                size = file.tell()
        except OSError as error:
            raise DataError(f"the file cannot be read ({error.strerror})", where=name) from error
        total.update(f"{name}\0{size}\0{content.hexdigest()}\n".encode())
    return total.hexdigest()
