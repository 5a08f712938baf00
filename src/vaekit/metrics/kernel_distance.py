"""The kernel distance between two samples: unbiased MMD² with a cubic polynomial kernel."""

from __future__ import annotations

import torch
from torch import Tensor

from vaekit.errors import DataError
from vaekit.metrics.frechet import check_features
from vaekit.metrics.jackknife import GROUPS
from vaekit.metrics.likelihood import mean_and_error
from vaekit.objectives import mmd

__all__ = ["kernel_distance"]


def kernel_distance(x: Tensor, y: Tensor, *, blocks: int = GROUPS) -> tuple[float, float]:
    """MMD² averaged over disjoint blocks of rows, and the standard error of that average.

    Unlike the Fréchet distance it is unbiased at any sample size: 0 in expectation where both
    samples come from one distribution, so that single values may be below. See
    :func:`vaekit.objectives.mmd.mmd` with its polynomial kernel.

    Args:
        x: Features of data, shape (n, F).
        y: Features of generated rows, shape (m, F).
        blocks: How many, B; every B-th row is in the same block.

    Raises:
        ShapeError: If these are not two samples of the same features.
        DataError: If a block has fewer than two rows, or a value is not finite.

    References:
        Demystifying MMD GANs (Bińkowski, Sutherland, Arbel & Gretton, 2018), arXiv:1801.01401.
    """
    check_features(x, y)
    if min(len(x), len(y)) < 2 * blocks:
        raise DataError(
            "too few rows for so many blocks",
            expected=f"at least {2 * blocks} of each",
            got=min(len(x), len(y)),
        )
    x, y = x.double(), y.double()
    each = [mmd(x[i::blocks], y[i::blocks], kernel="polynomial") for i in range(blocks)]
    return mean_and_error(torch.stack(each))
