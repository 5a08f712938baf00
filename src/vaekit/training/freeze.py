"""Statistics of the training data that a likelihood needs before it can be evaluated."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from vaekit.distributions import row_noise

__all__ = ["freeze_scale"]

MOST_ROWS = 200_000
"""Whose mean squared error is that of all rows to a fraction of a percent."""


@torch.no_grad()
def freeze_scale(
    model: nn.Module, data: Any, *, batch_size: int = 1_000, seed: int = 0
) -> float | None:
    """Fix the σ of an optimal-σ likelihood: the root mean squared error over the training data.

    One pass over at most 200,000 rows, one code per example. Each row has noise of its own,
    determined by its number: the result does not depend on the batch size, and the noise averages
    out over rows.

    Args:
        model: A model whose likelihood may have ``freeze``.
        data: The training data.
        batch_size: Rows at a time.
        seed: Of the noise.

    Returns:
        σ² in squared model units, or None where there is nothing to fix.
    """
    likelihood = getattr(model, "likelihood", None)
    if getattr(getattr(likelihood, "spec", None), "scale", None) != "optimal":
        return None
    was_training = model.training
    model.eval()
    total, count, rows = 0.0, 0, 0
    for batch in data.sample(MOST_ROWS).batches(batch_size):
        with row_noise(seed, rows, len(batch.x)):
            evidence = model.evidence(batch.x, batch.c, target=batch.target)  # type: ignore[operator]
        target = batch.x if batch.target is None else batch.target
        error = (target - evidence.px.mean).square().double()
        total += float(error.sum())
        count += error.numel()
        rows += len(batch.x)
    model.train(was_training)
    likelihood.freeze(total / count)  # type: ignore[union-attr]
    return total / count
