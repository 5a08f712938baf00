"""Tensors by the row: the data set stays in memory (or on the device) and is batched by index."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaekit.data.codecs import Context, DataCodec
from vaekit.data.raw import RawData
from vaekit.data.splits import Splits, split
from vaekit.errors import ConfigError, DataError

__all__ = ["Batch", "TensorData", "prepare"]


class Batch:
    """One batch, ready for a model.

    Args:
        x: Data, float32 ``(B, *event)``.
        y: Label codes, int64 ``(B,)``.
        c: Context, float32 ``(B, k)``.
        index: Row numbers within the data set, int64 ``(B,)``.
        target: What to predict instead of x, where a task says so.
        observed: Mask of the observed elements of x, where a task hides some.

    Example:
        >>> len(Batch(torch.zeros(3, 2)))
        3
    """

    __slots__ = ("c", "index", "observed", "target", "x", "y")

    def __init__(
        self,
        x: Tensor,
        y: Tensor | None = None,
        c: Tensor | None = None,
        *,
        index: Tensor | None = None,
        target: Tensor | None = None,
        observed: Tensor | None = None,
    ) -> None:
        self.x = x
        self.y = y
        self.c = c
        self.index = index
        self.target = target
        self.observed = observed

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: torch.device | str) -> Batch:
        """The batch on another device."""
        moved = Batch(self.x.to(device, non_blocking=True))
        for name in self.__slots__:
            value = getattr(self, name)
            setattr(moved, name, None if value is None else value.to(device, non_blocking=True))
        return moved


class TensorData:
    """A data set as stored tensors and the codec that turns them into batches.

    Args:
        codec: Makes stored rows into model input.
        x: Stored rows as ``codec.encode`` gave them.
        y: Label codes, int64 ``(n,)``.
        c: Stored context as ``codec.encode_context`` gave it.

    Example:
        >>> raw = RawData(np.arange(10.0).reshape(5, 2))
        >>> data = TensorData.of(raw, DataCodec.fit(raw, scaling="none"))
        >>> [len(batch) for batch in data.batches(2)]
        [2, 2, 1]
    """

    __slots__ = ("c", "codec", "x", "y")

    def __init__(
        self, codec: DataCodec, x: Tensor, y: Tensor | None = None, c: Tensor | None = None
    ) -> None:
        self.codec = codec
        self.x = x
        self.y = y
        self.c = c
        for name in ("y", "c"):
            value = getattr(self, name)
            if value is not None and len(value) != len(x):
                raise DataError(
                    f"{name} and x differ in their number of rows", expected=len(x), got=len(value)
                )

    @classmethod
    def of(cls, raw: RawData, codec: DataCodec) -> TensorData:
        """Encode raw data with a fitted codec."""
        return cls(codec, codec.encode(raw), codec.encode_labels(raw), codec.encode_context(raw))

    def __len__(self) -> int:
        return len(self.x)

    @property
    def device(self) -> torch.device:
        """Where the rows are."""
        return self.x.device

    def to(self, device: torch.device | str) -> TensorData:
        """The same data on another device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def subset(self, index: Any) -> TensorData:
        """Some rows, by number or mask, in that order."""
        rows = torch.as_tensor(index, device=self.device)
        return self._each(lambda tensor: tensor[rows])

    def batch(self, index: Tensor, train: bool = False) -> Batch:
        """The rows at ``index`` (int64, on the device of the data) as model input."""
        return self._each(lambda tensor: tensor.index_select(0, index))._as_batch(index, train)

    def batches(self, size: int, train: bool = False) -> Iterator[Batch]:
        """All rows in order, ``size`` at a time; the last batch may be smaller."""
        _check_size(size)
        rows = torch.arange(len(self), device=self.device)
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield self._each(operator.itemgetter(part))._as_batch(rows[part], train)

    def _each(self, pick: Callable[[Tensor], Tensor]) -> TensorData:
        y = None if self.y is None else pick(self.y)
        c = None if self.c is None else pick(self.c)
        return TensorData(self.codec, pick(self.x), y, c)

    def _as_batch(self, index: Tensor, train: bool) -> Batch:
        part = self.codec.context
        context = None if self.c is None or part is None else part.to_model(self.c)
        return Batch(self.codec.x.to_model(self.x, train=train), self.y, context, index=index)

    def order(self, seed: int, epoch: int) -> Tensor:
        """A permutation of the rows, int64 ``(n,)``, that depends on (seed, epoch) only."""
        mixed = np.random.SeedSequence((seed, epoch)).generate_state(2, np.uint32)
        generator = torch.Generator().manual_seed(int(mixed[0]) << 31 ^ int(mixed[1]))
        return torch.randperm(len(self), generator=generator).to(self.device)

    def steps_per_epoch(self, batch_size: int) -> int:
        """Number of batches in one pass; the last partial batch counts."""
        _check_size(batch_size)
        return -(-len(self) // batch_size)


def prepare(
    raw: RawData,
    *,
    codec: DataCodec | None = None,
    splits: Splits | None = None,
    context: Context | None = None,
    **options: Any,
) -> tuple[DataCodec, dict[str, TensorData]]:
    """Raw data to one :class:`TensorData` for each split that has rows.

    Args:
        raw: The data.
        codec: A fitted codec to use, e.g. of a saved model; by default one is fitted on the
            training rows.
        splits: Rows of each part; by default :func:`vaekit.data.split` with its own defaults.
        context: ``'labels'``, ``'columns'`` or ``'none'``; by default the context columns where
            the data has some.
        **options: Of the codec's ``fit``: ``padding``, ``binarise``, ``seed``, ``low``, ``high``
            for images, ``scaling`` for tables.

    Raises:
        ConfigError: If an option is unknown, or options are given beside a fitted codec.
        DataError: If the data does not fit the codec.

    Example:
        >>> codec, parts = prepare(RawData(np.random.default_rng(0).normal(size=(40, 3))))
        >>> {name: len(part) for name, part in parts.items()}
        {'train': 34, 'validation': 2, 'test': 4}
    """
    splits = split(raw) if splits is None else splits
    if codec is None:
        codec = DataCodec.fit(raw, train=splits.train, context=context, **options)
    elif options or context is not None:
        given = ", ".join([*options, *(["context"] if context is not None else [])])
        raise ConfigError("the codec is fitted already, so its options cannot change", got=given)
    return codec, {name: TensorData.of(raw.subset(rows), codec) for name, rows in splits.items()}


def _check_size(size: int) -> None:
    if size < 1:
        raise ConfigError(
            "a batch needs at least one row", expected="at least 1", got=size, where="batch size"
        )
