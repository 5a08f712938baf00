"""Rows spread evenly over a data set, for metrics whose time grows faster than their number."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from vaekit.metrics.scored import Batches

__all__ = ["SpreadRows", "evenly", "spread_rows"]

MAX_ELEMENTS = 2**27
"""Most numbers of observations that are held in memory."""


@dataclasses.dataclass(frozen=True, slots=True)
class SpreadRows:
    r"""Some rows of a data set, in memory and in order.

    Attributes:
        x: Observations, shape (n, \*event).
        c: Contexts, shape (n, k).
        index: Their numbers within the data set, int64, shape (n,).
    """

    x: Tensor
    c: Tensor | None
    index: Tensor

    @property
    def y(self) -> None:
        """No labels: who needs them has those of all rows."""

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: slice | Tensor) -> SpreadRows:
        c = None if self.c is None else self.c[rows]
        return SpreadRows(self.x[rows], c, self.index[rows])

    def at_most(self, most: int) -> SpreadRows:
        """So many of the rows, spread evenly over them."""
        return self if len(self) <= most else self[evenly(len(self), most)]

    def batches(self, size: int, *, train: bool = False) -> Iterator[SpreadRows]:
        """All rows in order, ``size`` at a time."""
        for start in range(0, len(self), size):
            yield self[start : start + size]


def spread_rows(data: Batches, n: int, most: int, *, batch_size: int) -> SpreadRows:
    """At most so many rows of a data set, fewer where they are large.

    Args:
        data: The data set.
        n: How many rows it has.
        most: How many to take.
        batch_size: Rows to read at a time.
    """
    xs, cs, first, index = [], [], 0, torch.arange(0)
    for batch in data.batches(batch_size, train=False):
        if not first:
            fitting = max(2, MAX_ELEMENTS // math.prod(batch.x.shape[1:]))
            index = evenly(n, min(n, most, fitting))
        here = index[(index >= first) & (index < first + len(batch.x))] - first
        xs.append(batch.x.cpu()[here])
        if batch.c is not None:
            cs.append(batch.c.cpu()[here])
        first += len(batch.x)
    return SpreadRows(torch.cat(xs), torch.cat(cs) if cs else None, index)


def evenly(n: int, some: int) -> Tensor:
    """``some`` distinct numbers from 0 to n − 1."""
    return torch.arange(some) * n // some
