"""Means over the whole batch, also where several processes hold a share of it each.

A loss that is linear in its rows needs nothing of this: averaging gradients does it. A statistic
of the batch inside a non-linear function (the logarithm of an optimal σ, free bits) does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

import torch
from torch import Tensor

__all__ = ["batch_mean", "sharing"]

Sum = Callable[[Tensor], Tensor]

_sharing: ContextVar[tuple[float, Sum] | None] = ContextVar("vaekit_sharing", default=None)


@contextlib.contextmanager
def sharing(share: float, total: Sum) -> Iterator[None]:
    """Say that the rows inside the block are a share of a batch.

    Args:
        share: Which part of the batch's rows they are, in [0, 1].
        total: Sums a tensor over all processes, and its gradient on the way back.

    Example:
        >>> with sharing(0.5, lambda mine: mine + 3.0):
        ...     batch_mean(torch.tensor(4.0))
        tensor(5.)
    """
    token = _sharing.set((share, total))
    try:
        yield
    finally:
        _sharing.reset(token)


def batch_mean(mean: Tensor) -> Tensor:
    """The mean over the whole batch, from the mean over the rows that this process holds.

    Args:
        mean: A mean over rows, any shape.
    """
    if torch.compiler.is_compiling() or (shared := _sharing.get()) is None:
        return mean
    share, total = shared
    return total(mean * share)
