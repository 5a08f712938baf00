"""Tensors by the row: the data set stays in memory (or on the device) and is batched by index."""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from vaekit.data.codecs import Context, DataCodec
from vaekit.data.raw import RawData
from vaekit.data.splits import Splits, split
from vaekit.errors import ConfigError, DataError

__all__ = ["Batch", "Rows", "TensorData", "check_size", "joined", "prepare"]

DIGEST_ROWS = 64


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

    def part(self, first: int, last: int) -> Batch:
        """The rows from ``first`` to before ``last``."""
        some = Batch(self.x[first:last])
        for name in self.__slots__:
            value = getattr(self, name)
            setattr(some, name, None if value is None else value[first:last])
        return some


class Rows(Protocol):
    """What training and scoring need of a data set, be it in memory or a stream.

    Attributes:
        codec: Makes stored rows into model input.
    """

    codec: DataCodec

    def __len__(self) -> int:
        """Number of rows."""

    def to(self, device: torch.device | str) -> Rows:
        """The same data whose batches are on another device."""

    def head(self, n: int) -> Rows:
        """The first ``n`` rows, or all where there are fewer."""

    def sample(self, n: int) -> Rows:
        """``n`` rows that are spread over the data, always the same; all where there are fewer."""

    def epoch(self, size: int, *, seed: int, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """Training batches of one pass in the shuffled order of (seed, epoch).

        Args:
            size: Rows of a batch; the last one may be smaller.
            seed: With ``epoch``, determines the order.
            epoch: Number of the pass, from 0.
            skip: Batches at the start that were done already.
        """

    def batches(self, size: int, train: bool = False) -> Iterator[Batch]:
        """All rows in their own order, ``size`` at a time; the last batch may be smaller."""

    def steps_per_epoch(self, batch_size: int) -> int:
        """Number of batches in one pass."""

    def digest(self) -> str:
        """Number, shape and a checksum of some rows: what tells this data from other data."""


BESIDE = ("y", "c", "factors", "numbers")
"""What may lie beside x, row by row."""


class TensorData:
    """A data set as stored tensors and the codec that turns them into batches.

    Args:
        codec: Makes stored rows into model input.
        x: Stored rows as ``codec.encode`` gave them.
        y: Label codes, int64 ``(n,)``.
        c: Stored context as ``codec.encode_context`` gave it.
        factors: Generative factors, where they are known, int64 ``(n, F)``; no batch holds them.
        numbers: What a linear regression reads from codes, float32 ``(n, F)``; nor these.

    Example:
        >>> raw = RawData(np.arange(10.0).reshape(5, 2))
        >>> data = TensorData.of(raw, DataCodec.fit(raw, scaling="none"))
        >>> [len(batch) for batch in data.batches(2)]
        [2, 2, 1]
    """

    __slots__ = ("c", "codec", "factors", "numbers", "x", "y")

    def __init__(
        self,
        codec: DataCodec,
        x: Tensor,
        y: Tensor | None = None,
        c: Tensor | None = None,
        factors: Tensor | None = None,
        numbers: Tensor | None = None,
    ) -> None:
        self.codec = codec
        self.x = x
        self.y = y
        self.c = c
        self.factors = factors
        self.numbers = numbers
        for name in BESIDE:
            value = getattr(self, name)
            if value is not None and len(value) != len(x):
                raise DataError(
                    f"{name} and x differ in their number of rows", expected=len(x), got=len(value)
                )

    @classmethod
    def of(cls, raw: RawData, codec: DataCodec) -> TensorData:
        """Encode raw data with a fitted codec."""
        factors = None if raw.factors is None else torch.from_numpy(raw.factors)
        numbers = None if raw.numbers is None else torch.from_numpy(raw.numbers).float()
        labels, context = codec.encode_labels(raw), codec.encode_context(raw)
        return cls(codec, codec.encode(raw), labels, context, factors, numbers)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def device(self) -> torch.device:
        """Where the rows are."""
        return self.x.device

    def to(self, device: torch.device | str) -> TensorData:
        """The same data on another device."""
        return self.each(lambda tensor: tensor.to(device, non_blocking=True))

    def subset(self, index: Any) -> TensorData:
        """Some rows, by number or mask, in that order."""
        rows = torch.as_tensor(index, device=self.device)
        return self.each(lambda tensor: tensor[rows])

    def batch(self, index: Tensor, train: bool = False) -> Batch:
        """The rows at ``index`` (int64, on the device of the data) as model input."""
        return self.each(lambda tensor: tensor.index_select(0, index)).as_batch(index, train)

    def batches(self, size: int, train: bool = False) -> Iterator[Batch]:
        """All rows in order, ``size`` at a time; the last batch may be smaller."""
        check_size(size)
        rows = torch.arange(len(self), device=self.device)
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield self.each(operator.itemgetter(part)).as_batch(rows[part], train)

    def each(self, pick: Callable[[Tensor], Tensor]) -> TensorData:
        """The same choice made in every stored tensor."""
        stored = (getattr(self, name) for name in BESIDE)
        others = (None if t is None else pick(t) for t in stored)
        return TensorData(self.codec, pick(self.x), *others)

    def as_batch(self, index: Tensor, train: bool) -> Batch:
        """All rows as one batch, in which they have these numbers."""
        part = self.codec.context
        context = None if self.c is None or part is None else part.to_model(self.c)
        return Batch(self.codec.x.to_model(self.x, train=train), self.y, context, index=index)

    def sample(self, n: int) -> TensorData:
        """``n`` rows that are spread over the data, always the same; all where there are fewer."""
        if n >= len(self):
            return self
        return self.subset(torch.linspace(0, len(self) - 1, n).long())

    def head(self, n: int) -> TensorData:
        """The first ``n`` rows, or all where there are fewer."""
        return self.each(lambda tensor: tensor[:n])

    def epoch(self, size: int, *, seed: int, epoch: int, skip: int = 0) -> Iterator[Batch]:
        """Training batches of one pass in the shuffled order of (seed, epoch)."""
        for index in self.order(seed, epoch).split(size)[skip:]:
            yield self.batch(index, train=True)

    def digest(self) -> str:
        """Number and shape of the stored rows, and the content of at most 64, evenly spread."""
        some = torch.linspace(0, len(self) - 1, min(len(self), DIGEST_ROWS)).long()
        content = self.x[some.to(self.device)].detach().cpu().contiguous().numpy().tobytes()
        checksum = hashlib.sha256(content).hexdigest()[:16]
        return f"{tuple(self.x.shape)} {self.x.dtype} {checksum}"

    def order(self, seed: int, epoch: int) -> Tensor:
        """A permutation of the rows, int64 ``(n,)``, that depends on (seed, epoch) only."""
        mixed = np.random.SeedSequence((seed, epoch)).generate_state(2, np.uint32)
        generator = torch.Generator().manual_seed(int(mixed[0]) << 31 ^ int(mixed[1]))
        return torch.randperm(len(self), generator=generator).to(self.device)

    def steps_per_epoch(self, batch_size: int) -> int:
        """Number of batches in one pass; the last partial batch counts."""
        check_size(batch_size)
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


def joined(parts: Sequence[TensorData]) -> TensorData:
    """The rows of several data sets of one codec, one after the other."""
    first = parts[0]
    if len(parts) == 1:
        return first

    def all_of(name: str) -> Tensor | None:
        values = [getattr(part, name) for part in parts]
        return None if values[0] is None else torch.cat(values)

    x = torch.cat([part.x for part in parts])
    return TensorData(first.codec, x, *map(all_of, BESIDE))


def check_size(size: int) -> None:
    """Refuse a batch without rows."""
    if size < 1:
        raise ConfigError(
            "a batch needs at least one row", expected="at least 1", got=size, where="batch size"
        )
