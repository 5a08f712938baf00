"""What every file source needs: the limit on declared sizes, and readable refusals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from vaekit.errors import DataError

__all__ = ["MAX_BYTES", "require_size"]

MAX_BYTES = 16 << 30


def require_size(shape: Sequence[int], itemsize: int, *, where: str | Path) -> int:
    """Bytes of an array of that shape, refused when negative or above ``MAX_BYTES``.

    Example:
        >>> require_size((2, 3), 4, where="a.npy")
        24
    """
    declared = math.prod(int(n) for n in shape) * itemsize
    if min(shape, default=0) < 0 or declared > MAX_BYTES:
        raise DataError(
            "the file declares an absurd size",
            expected=f"at most {MAX_BYTES >> 30} GiB",
            got=f"shape {tuple(shape)}, {declared:.3g} bytes",
            where=str(where),
            remedy="it may be corrupt or hostile; if it is real, load it yourself and pass a part",
        )
    return declared
