"""Parts that start from training rows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["initialise", "uninitialised"]


def uninitialised(model: nn.Module) -> list[Any]:
    """The parts that are to start from training rows and have not: a buffer of theirs says so."""
    if hasattr(model, "initialise"):  # it starts the parts within itself
        return [] if getattr(model, "initialised", False) else [model]
    return [part for child in model.children() for part in uninitialised(child)]


def initialise(model: nn.Module, x: Tensor, c: Tensor | None = None) -> None:
    """Let the parts that are not ``initialised`` start from training rows: pseudo-inputs, scales.

    A part that was initialised before, or loaded, keeps what it has: it says so in a buffer.

    Args:
        model: Its parts are changed in place.
        x: Some training rows in model units, shape ``(n, *event)``.
        c: Their contexts, shape (n, k).
    """
    for part in uninitialised(model):
        with torch.no_grad():
            part.initialise(x, c)
