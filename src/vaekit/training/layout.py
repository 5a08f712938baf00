"""Convolving models: images in memory pixel by pixel, and the kernels that read them fastest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import nn

from vaekit.data import Batch
from vaekit.training.convolutions import SmallConvolutions

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["arithmetic", "in_layout", "layout_for"]


def layout_for(model: nn.Module) -> torch.memory_format:
    """Channels-last for a model that convolves images, else whatever it has."""
    convolves = any(isinstance(part, nn.Conv2d | nn.ConvTranspose2d) for part in model.modules())
    return torch.channels_last if convolves else torch.preserve_format


def in_layout(batch: Batch, layout: torch.memory_format) -> Batch:
    """A batch whose images are laid out so; the same numbers."""
    if layout is torch.channels_last and batch.x.dim() == 4 and batch.x.shape[1] > 1:
        batch.x = batch.x.contiguous(memory_format=layout)
    return batch


@contextlib.contextmanager
def arithmetic(fabric: Fabric, layout: torch.memory_format) -> Iterator[None]:
    """Inside the block, a step computes in the precision of ``fabric``, with kernels that suit."""
    convolves = layout is torch.channels_last
    with fabric.autocast(), SmallConvolutions() if convolves else contextlib.nullcontext():
        yield
