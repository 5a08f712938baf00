"""The one place where vaekit draws noise.

Training draws from torch's global generator, which the training loop seeds from (seed, step).
Measurements must not depend on which rows happen to share a batch, so they replace that generator:

- inside :func:`shared_noise` all rows see the same draws, and the score of a row is a function of
  that row alone;
- inside :func:`row_noise` each row has draws of its own, determined by its number, so that noise
  averages out in means over rows.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar

import torch
from torch import Tensor

__all__ = [
    "Source",
    "drawing_from",
    "flattened_rows",
    "open_uniform",
    "row_noise",
    "shared_noise",
    "stacked_noise",
    "standard_normal",
    "uniform",
    "without_rows",
]

SEED_STEP, ROW_STEP = 0x9E3779B97F4A7C15, 0xD1B54A32D192ED03
Sampler = Callable[..., Tensor]
Source = Callable[[Sampler, tuple[int, ...], int | None, Tensor], Tensor]
"""``source(sampler, size, row_axis, like)``: draws that broadcast to ``size``.

They end up with the dtype and device of ``like``. The axis of rows is None for densities without
rows of their own (an unconditional prior).
"""

_source: ContextVar[Source | None] = ContextVar("vaekit_noise", default=None)


@contextlib.contextmanager
def shared_noise(seed: int) -> Iterator[None]:
    """Make every draw inside the block common to all rows and determined by ``seed``.

    Example:
        >>> with shared_noise(0):
        ...     eps = standard_normal((5,), like=torch.zeros(3, 2), event_dims=1)
        >>> eps.shape, bool((eps[:, 0] == eps[:, 2]).all())
        (torch.Size([5, 3, 2]), True)
    """
    generator = torch.Generator().manual_seed(seed)

    def source(
        sampler: Sampler, size: tuple[int, ...], row_axis: int | None, like: Tensor
    ) -> Tensor:
        one = size if row_axis is None else (*size[:row_axis], 1, *size[row_axis + 1 :])
        return sampler(one, dtype=torch.float64, generator=generator)

    with drawing_from(source):
        yield


@contextlib.contextmanager
def row_noise(seed: int, first: int, rows: int) -> Iterator[None]:
    """Give rows ``first``, ``first + 1``, … draws of their own, determined by (seed, row number).

    Example:
        >>> like = torch.zeros(3, 2)
        >>> with row_noise(0, first=0, rows=3):
        ...     together = standard_normal((5,), like=like, event_dims=1)
        >>> with row_noise(0, first=2, rows=1):
        ...     alone = standard_normal((5,), like=like[2:], event_dims=1)
        >>> bool((together[:, 2:] == alone).all())
        True
    """
    generators = [
        torch.Generator().manual_seed((seed * SEED_STEP + row * ROW_STEP) % 2**63)
        for row in range(first, first + rows)
    ]

    common = torch.Generator().manual_seed(seed % 2**63)

    def source(
        sampler: Sampler, size: tuple[int, ...], row_axis: int | None, like: Tensor
    ) -> Tensor:
        if row_axis is None:
            return sampler(size, dtype=torch.float64, generator=common)
        each = (*size[:row_axis], *size[row_axis + 1 :])
        draws = [sampler(each, dtype=torch.float64, generator=g) for g in generators]
        return torch.stack(draws, dim=row_axis)

    with drawing_from(source):
        yield


@contextlib.contextmanager
def drawing_from(source: Source) -> Iterator[None]:
    """Take every draw inside the block from ``source`` instead of torch's global generator."""
    token = _source.set(source)
    try:
        yield
    finally:
        _source.reset(token)


@contextlib.contextmanager
def without_rows() -> Iterator[None]:
    """Let no axis of the draws inside the block stand for rows (components of a mixture)."""
    outer = _replaced()
    if outer is None:
        yield
        return
    with drawing_from(lambda sampler, size, _, like: outer(sampler, size, None, like)):
        yield


@contextlib.contextmanager
def flattened_rows(shape: Sequence[int]) -> Iterator[None]:
    """Let the rows of draws inside the block be the last axis of ``shape``, which was flattened.

    A network takes one batch axis. Codes of shape ``(K, B, n)`` go through it as ``(K B, n)``, and
    are still those of B rows.

    Example:
        >>> with shared_noise(0), flattened_rows((3, 4)):
        ...     eps = standard_normal((5,), like=torch.zeros(12, 2), event_dims=1)
        >>> [len(part.unique(dim=0)) for part in (eps[0], eps[0, :4], eps[0, ::4])]
        [3, 1, 3]
    """
    outer = _replaced()
    if outer is None:
        yield
        return

    def source(
        sampler: Sampler, size: tuple[int, ...], row_axis: int | None, like: Tensor
    ) -> Tensor:
        if row_axis is None:
            return outer(sampler, size, None, like)
        wide = (*size[:row_axis], *shape, *size[row_axis + 1 :])
        last = row_axis + len(shape) - 1 if shape else None
        return outer(sampler, wide, last, like).expand(wide).reshape(size)

    with drawing_from(source):
        yield


@contextlib.contextmanager
def stacked_noise(count: int, place: Tensor) -> Iterator[None]:
    """Give each of ``count`` computations that run as one (``torch.vmap``) draws of its own.

    Args:
        count: How many there are.
        place: The number of this one, int64, a scalar.

    Example:
        >>> def draw(place):
        ...     with stacked_noise(3, place):
        ...         return standard_normal((), like=torch.zeros(2), event_dims=1)
        >>> draws = torch.vmap(draw, randomness="same")(torch.arange(3))
        >>> draws.shape, len(draws.unique())
        (torch.Size([3, 2]), 6)
    """
    outer = _replaced()

    def source(
        sampler: Sampler, size: tuple[int, ...], row_axis: int | None, like: Tensor
    ) -> Tensor:
        wide = (count, *size)
        if outer is None:
            all_of_them = sampler(wide, dtype=like.dtype, device=like.device)
        else:
            all_of_them = outer(sampler, wide, None, like)
        return all_of_them.index_select(0, place.reshape(1)).squeeze(0)

    with drawing_from(source):
        yield


def standard_normal(shape: Sequence[int], *, like: Tensor, event_dims: int) -> Tensor:
    """Standard normal draws of shape ``(*shape, *like.shape)``, dtype and device of ``like``."""
    return _draw(torch.randn, (*shape, *like.shape), like, event_dims)


def uniform(shape: Sequence[int], *, like: Tensor, event_dims: int) -> Tensor:
    """Uniform draws in [0, 1) of shape ``(*shape, *like.shape)``, dtype and device of ``like``."""
    u = _draw(torch.rand, (*shape, *like.shape), like, event_dims)
    return u.clamp(max=1 - torch.finfo(u.dtype).eps / 2)  # noise in double precision rounds to 1


def open_uniform(shape: Sequence[int], *, like: Tensor, event_dims: int) -> Tensor:
    """Uniform draws in (0, 1), for distribution functions whose inverse is infinite at 0."""
    u = uniform(shape, like=like, event_dims=event_dims)
    return u.clamp(min=torch.finfo(u.dtype).eps / 4)  # half of the smallest draw above 0


def _replaced() -> Source | None:
    """What stands in for the global generator; nothing does in compiled code."""
    return None if torch.compiler.is_compiling() else _source.get()


def _draw(sampler: Sampler, size: tuple[int, ...], like: Tensor, event_dims: int) -> Tensor:
    if (source := _replaced()) is None:
        return sampler(size, dtype=like.dtype, device=like.device)
    row_axis = len(size) - event_dims - 1 if like.dim() > event_dims else None
    return source(sampler, size, row_axis, like).to(like).expand(size)
