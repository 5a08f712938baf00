"""The codec of rows that are in model units already."""

from __future__ import annotations

from torch import Tensor

__all__ = ["AsIs"]


class AsIs:
    """Stored rows and contexts are what the model reads.

    Example:
        >>> import torch
        >>> from vaekit.data import TensorData
        >>> [len(batch) for batch in TensorData(AsIs(), torch.zeros(5, 2)).batches(3)]
        [3, 2]
    """

    @property
    def x(self) -> AsIs:
        """Of the rows."""
        return self

    @property
    def context(self) -> AsIs:
        """Of their contexts."""
        return self

    def to_model(self, stored: Tensor, *, train: bool = False) -> Tensor:
        """The stored rows."""
        return stored
