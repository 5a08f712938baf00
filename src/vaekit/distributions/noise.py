"""The one place where vaekit draws noise.

Training draws from torch's global generator, which the training loop seeds from (seed, step).
Scoring must not depend on which rows happen to share a batch: inside :func:`shared_noise` all
rows see the same draws, taken from a generator of their own, so the score of a row is a function
of that row alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar

import torch
from torch import Tensor

__all__ = ["open_uniform", "shared_noise", "standard_normal", "uniform"]

_shared: ContextVar[torch.Generator | None] = ContextVar("vaekit_shared_noise", default=None)


@contextlib.contextmanager
def shared_noise(seed: int) -> Iterator[None]:
    """Make every draw inside the block common to all rows and determined by ``seed``.

    Example:
        >>> with shared_noise(0):
        ...     eps = standard_normal((5,), like=torch.zeros(3, 2), event_dims=1)
        >>> eps.shape, bool((eps[:, 0] == eps[:, 2]).all())
        (torch.Size([5, 3, 2]), True)
    """
    token = _shared.set(torch.Generator().manual_seed(seed))
    try:
        yield
    finally:
        _shared.reset(token)


def standard_normal(shape: Sequence[int], *, like: Tensor, event_dims: int) -> Tensor:
    """Standard normal draws of shape ``(*shape, *like.shape)``, dtype and device of ``like``."""
    size = (*shape, *like.shape)
    if torch.compiler.is_compiling() or (generator := _shared.get()) is None:
        return torch.randn(size, dtype=like.dtype, device=like.device)
    one = _one_row(size, rows=like.dim() > event_dims, event_dims=event_dims)
    draws = torch.randn(one, dtype=torch.float64, generator=generator)
    return draws.to(like).expand(size)


def uniform(shape: Sequence[int], *, like: Tensor, event_dims: int) -> Tensor:
    """Uniform draws in [0, 1) of shape ``(*shape, *like.shape)``, dtype and device of ``like``."""
    size = (*shape, *like.shape)
    if torch.compiler.is_compiling() or (generator := _shared.get()) is None:
        return torch.rand(size, dtype=like.dtype, device=like.device)
    one = _one_row(size, rows=like.dim() > event_dims, event_dims=event_dims)
    draws = torch.rand(one, dtype=torch.float64, generator=generator)
    return draws.to(like).expand(size)


def open_uniform(shape: Sequence[int], *, like: Tensor, event_dims: int) -> Tensor:
    """Uniform draws in (0, 1), for distribution functions whose inverse is infinite at 0."""
    u = uniform(shape, like=like, event_dims=event_dims)
    return u.clamp(min=torch.finfo(u.dtype).eps / 4)  # half of the smallest draw above 0


def _one_row(size: tuple[int, ...], *, rows: bool, event_dims: int) -> tuple[int, ...]:
    """``size`` with the axis of rows, the last one before the event, set to 1.

    Draws from a density without rows of its own (an unconditional prior) stay independent.
    """
    row_axis = len(size) - event_dims - 1
    return (*size[:row_axis], 1, *size[row_axis + 1 :]) if rows else size
