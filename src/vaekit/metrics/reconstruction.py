"""How close a reconstruction is to the original."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vaekit.errors import ConfigError, DataError, ShapeError

__all__ = ["decibels", "mse", "psnr", "squared_error"]


def squared_error(x: Tensor, reconstruction: Tensor) -> Tensor:
    """The squared error of each row, averaged over its elements, float64, shape (n,).

    Args:
        x: Originals, shape ``(n, *event)``.
        reconstruction: What came back, of the same shape.

    Returns:
        One number for each row; not finite where a value of that row is not.

    Raises:
        ShapeError: If the shapes differ.
        DataError: If there is nothing to compare.
    """
    if x.shape != reconstruction.shape:
        raise ShapeError(
            "a reconstruction must have the shape of the original",
            expected=tuple(x.shape),
            got=tuple(reconstruction.shape),
        )
    if not x.numel():
        raise DataError("nothing to compare", got=f"shape {tuple(x.shape)}")
    offset = x.cpu().double() - reconstruction.cpu().double()
    return offset.reshape(len(x), -1).square().mean(1)


def mse(x: Tensor, reconstruction: Tensor) -> float:
    """The mean squared error over all rows and elements.

    Raises:
        ShapeError: If the shapes differ.
        DataError: If there is nothing to compare, or the error of a row is not finite.

    Example:
        >>> mse(torch.zeros(2, 2), torch.tensor([[0.0, 0.0], [0.0, 2.0]]))
        1.0
    """
    errors = squared_error(x, reconstruction)
    _refuse(~errors.isfinite())
    return float(errors.mean())


def decibels(x: Tensor, reconstruction: Tensor, *, peak: float = 1.0) -> Tensor:
    r"""The peak signal-to-noise ratio of each row in decibels, float64, shape (n,).

    .. math:: 10 \log_{10} (\mathrm{peak}^2 / \mathrm{MSE}_{row})

    Args:
        x: Originals, shape ``(n, *event)``.
        reconstruction: What came back, of the same shape.
        peak: The range of x: 1 for images in [0, 1], 255 for bytes.

    Returns:
        Higher is better; infinite for a row that came back unchanged.

    Raises:
        ConfigError: If the peak is not above 0.
        ShapeError: If the shapes differ.
        DataError: If there is nothing to compare.
    """
    if not peak > 0:
        raise ConfigError("the peak is the range of x", expected="above 0", got=peak)
    return 20 * math.log10(peak) - 10 * torch.log10(squared_error(x, reconstruction))


def psnr(x: Tensor, reconstruction: Tensor, *, peak: float = 1.0) -> float:
    """:func:`decibels` averaged over rows; infinite where one came back unchanged.

    Raises:
        ConfigError: If the peak is not above 0.
        ShapeError: If the shapes differ.
        DataError: If there is nothing to compare, or the error of a row is not finite.

    Example:
        >>> psnr(torch.zeros(3, 4), torch.full((3, 4), 0.1))
        20.0
    """
    each = decibels(x, reconstruction, peak=peak)
    _refuse(each.isnan() | each.isneginf())
    return float(each.mean())


def _refuse(rows: Tensor) -> None:
    if bool(rows.any()):
        raise DataError(
            "rows whose squared error is not finite",
            got=f"{int(rows.sum()):,} of {len(rows):,}, the first row {int(rows.int().argmax())}",
            remedy="look for values that are infinite, missing or too large",
        )
