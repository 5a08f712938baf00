"""Data that is in memory already: arrays, tensors, pairs, torch datasets and loaders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler, TensorDataset

from vaekit.data.raw import RawData
from vaekit.errors import DataError

__all__ = ["from_array", "from_dataset", "from_loader"]

_X_KEYS = ("x", "data", "image", "images", "input")
_Y_KEYS = ("y", "label", "labels", "target", "targets")
_CHANNELS = (1, 3, 4)


def from_array(x: Any, y: Any = None, *, split: Any = None, name: str = "array") -> RawData:
    """A table ``(n, D)`` or images ``(n, H, W)``, ``(n, H, W, C)`` or ``(n, C, H, W)``.

    Four axes are channels-last, unless the second axis holds 1, 3 or 4 channels and the last
    does not.

    Example:
        >>> from_array(torch.zeros(5, 3, 8, 8))
        RawData('array', image, 5 x (8, 8, 3) float32)
    """
    values = _as_numpy(x)
    if values.ndim == 4:
        values = _channels_last(values, where=name)
    return RawData(values, None if y is None else _as_numpy(y), split=split, name=name)


def from_dataset(dataset: Dataset[Any], *, name: str | None = None) -> RawData:
    """All items of a torch dataset: ``x``, ``(x, y)`` or mappings with such keys."""
    name = name or type(dataset).__name__
    if isinstance(dataset, TensorDataset):
        return _from_parts([dataset.tensors], name=name, batched=True)
    return _from_parts(_items(dataset), name=name, batched=False)


def from_loader(loader: DataLoader[Any], *, name: str | None = None) -> RawData:
    """All batches of a torch loader; a shuffling one is read in the order of its dataset.

    Raises:
        DataError: If the loader drops its last batch, which would lose rows silently.
    """
    name = name or type(loader.dataset).__name__
    if loader.drop_last:
        raise DataError(
            "the loader drops its last batch, so rows would be lost",
            where=name,
            remedy="make it with drop_last=False, or pass its dataset",
        )
    sampler = getattr(loader, "sampler", None)
    if (
        isinstance(sampler, RandomSampler)
        and not sampler.replacement
        and loader.batch_size is not None
    ):
        loader = DataLoader(loader.dataset, loader.batch_size, collate_fn=loader.collate_fn)
    return _from_parts(
        loader,
        name=name,
        batched=loader.batch_size is not None or loader.batch_sampler is not None,
    )


def _items(dataset: Any) -> Iterator[Any]:
    if hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__"):
        return (dataset[i] for i in range(len(dataset)))
    return iter(dataset)


def _from_parts(parts: Iterable[Any], *, name: str, batched: bool) -> RawData:
    xs, ys = [], []
    for row, part in enumerate(parts):
        x, y = _x_and_y(part, where=f"{name} item {row}")
        xs.append(_as_numpy(x))
        ys.append(None if y is None else _as_numpy(y))
        _require_alike(xs[0], xs[-1], batched=batched, where=f"{name} item {row}")
        if (ys[0] is None) != (ys[-1] is None):
            raise DataError(
                "some items have a label and some have none", where=f"{name} item {row}"
            )
    if not xs:
        raise DataError("there is no data", expected="at least one item", where=name)
    join = np.concatenate if batched else np.stack
    labels = None if ys[0] is None else join([y for y in ys if y is not None])
    return from_array(join(xs), labels, name=name)


def _x_and_y(item: Any, *, where: str) -> tuple[Any, Any]:
    if isinstance(item, Mapping):
        x, y = (next((item[k] for k in keys if k in item), None) for keys in (_X_KEYS, _Y_KEYS))
        if x is None:
            raise DataError(
                "no data in the item",
                expected=f"one of the keys {', '.join(_X_KEYS)}",
                got=", ".join(map(str, item)),
                where=where,
            )
        return x, y
    if isinstance(item, tuple | list):
        if not 1 <= len(item) <= 2:
            raise DataError(
                "not an item of data",
                expected="x or (x, y)",
                got=f"{len(item)} values",
                where=where,
            )
        return item[0], item[1] if len(item) == 2 else None
    return item, None


def _require_alike(first: np.ndarray, other: np.ndarray, *, batched: bool, where: str) -> None:
    expected, got = (first.shape[1:], other.shape[1:]) if batched else (first.shape, other.shape)
    if expected != got:
        raise DataError(
            "items differ in shape",
            expected=expected,
            got=got,
            where=where,
            remedy="resize or crop them to one shape",
        )


def _as_numpy(value: Any) -> np.ndarray:
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    return np.asarray(value)


def _channels_last(images: np.ndarray, *, where: str) -> np.ndarray:
    first, last = images.shape[1], images.shape[3]
    if last not in _CHANNELS and first in _CHANNELS:
        return np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    if last not in _CHANNELS and images.dtype.kind != "f":
        raise DataError(
            "cannot tell which axis holds the channels",
            expected="1, 3 or 4 channels on the last or second axis",
            got=f"shape {images.shape}",
            where=where,
            remedy="pass floats with the channels last",
        )
    return images
