"""Training rows whose epochs hold several passes, where there are few of them."""

from __future__ import annotations

import torch
from torch import Tensor

from vaekit.data import TensorData

__all__ = ["FEWEST_STEPS", "Passes"]

FEWEST_STEPS = 10
"""Steps that an epoch should have at least."""


class Passes(TensorData):
    """Rows that are visited several times in one epoch.

    What the loop does once an epoch (look at held-out rows, keep the best weights) costs as much
    as a few steps, and an epoch of a small data set would be a single step.

    Args:
        data: The rows.
        passes: How often an epoch visits each.

    Example:
        >>> import numpy as np
        >>> from vaekit.data import DataCodec, RawData
        >>> raw = RawData(np.arange(8.0).reshape(4, 2))
        >>> data = Passes.of_steps(TensorData.of(raw, DataCodec.fit(raw)), batch_size=2)
        >>> data.passes, data.steps_per_epoch(2), len(data), len(data.order(0, 0))
        (5, 10, 4, 20)
    """

    __slots__ = ("passes",)

    def __init__(self, data: TensorData, passes: int) -> None:
        super().__init__(data.codec, data.x, data.y, data.c)
        self.passes = passes

    @classmethod
    def of_steps(cls, data: TensorData, batch_size: int, fewest: int = FEWEST_STEPS) -> Passes:
        """As many passes as ``fewest`` steps of ``batch_size`` rows take."""
        return cls(data, -(-fewest // data.steps_per_epoch(batch_size)))

    def to(self, device: torch.device | str) -> Passes:
        """The same data on another device."""
        return Passes(super().to(device), self.passes)

    def order(self, seed: int, epoch: int) -> Tensor:
        """One permutation of the rows after the other, int64 ``(passes · n,)``."""
        first = epoch * self.passes
        orders = [super(Passes, self).order(seed, first + i) for i in range(self.passes)]
        return torch.cat(orders)

    def steps_per_epoch(self, batch_size: int) -> int:
        """Number of batches in all passes together."""
        return -(-len(self) * self.passes // batch_size)
