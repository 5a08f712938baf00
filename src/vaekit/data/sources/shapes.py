"""Sprites drawn here from five known factors: the data set on which codes are taken apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vaekit.data.raw import RawData
from vaekit.errors import ConfigError

__all__ = ["FACTORS", "SHAPES", "load_shapes"]

FACTORS = ("shape", "scale", "rotation", "x", "y")
SHAPES = ("square", "ellipse", "heart")
SAMPLES = 16
HEART_CENTRE, HEART_REACH = 0.25, 1.25
"""The circle around the heart curve, on its axis."""


def load_shapes(
    side: int = 32, *, scales: int = 4, rotations: int = 8, positions: int = 8
) -> RawData:
    r"""Every combination of shape, scale, rotation, x and y as one grey image: 6144 by default.

    A sprite is a white square, ellipse (axes 2 : 1) or heart on black, anti-aliased. It fits into
    a circle of radius :math:`r = s \cdot side / 4` with s from ½ to 1 in ``scales`` even steps.
    Centres lie on a grid of whole pixels, from left to right and from top to bottom.

    Rotations are even steps over a **quarter turn, its end excluded**, anticlockwise. The square
    looks the same after 90°, the ellipse after 180°, the heart after 360°, so that a wider range
    would give some images two rotations; over a quarter turn each image has one. (The square's
    range still closes: its last step is as near to the first as to the one before.)

    Args:
        side: Height and width of an image in pixels.
        scales: How many sizes.
        rotations: How many angles.
        positions: How many places along each axis.

    Returns:
        Images uint8 ``(n, side, side)``; labels are the names of the shapes; ``factors`` number
        the steps of :data:`FACTORS`, the last of which varies fastest. The same on every call.

    Raises:
        ConfigError: If a factor has fewer than two values, or the image is too small for the grid.

    References:
        dSprites: Disentanglement testing Sprites dataset (Matthey, Higgins, Hassabis & Lerchner,
        2017), https://github.com/google-deepmind/dsprites-dataset, whose images these resemble.

    Example:
        >>> raw = load_shapes()
        >>> raw, raw.factors[-1].tolist()
        (RawData('shapes', image, 6144 x (32, 32) uint8, 3 classes), [2, 3, 7, 7, 7])
    """
    for name, steps in (("scales", scales), ("rotations", rotations), ("positions", positions)):
        if steps < 2:
            raise ConfigError(
                "a factor needs two values", expected="at least 2", got=steps, where=name
            )
    box = 2 * (side // 4)
    stride = (side - box) // (positions - 1)
    if box < 4 or stride < 1:
        raise ConfigError(
            "the image is too small for so many positions",
            expected=f"at least {max(8, 2 * positions)} pixels",
            got=side,
            where="side",
        )
    sizes = (len(SHAPES), scales, rotations, positions, positions)
    images = np.zeros((*sizes, side, side), np.uint8)
    drawn = _sprites(box, np.linspace(0.5, 1, scales), np.arange(rotations) * (90 / rotations))
    margin = (side - box - stride * (positions - 1)) // 2
    for i, j in np.ndindex(positions, positions):
        left, top = margin + stride * i, margin + stride * j
        images[:, :, :, i, j, top : top + box, left : left + box] = drawn
    factors = np.indices(sizes).reshape(len(sizes), -1).T
    labels = np.array(SHAPES)[factors[:, 0]]
    raw = RawData(images.reshape(-1, side, side), labels, kind="image", name="shapes")
    return raw.with_factors(factors, FACTORS)


def _sprites(box: int, scales: NDArray[Any], degrees: NDArray[Any]) -> np.ndarray:
    """Sprites of each shape, scale and angle, uint8 ``(3, len(scales), len(degrees), box, box)``.

    A pixel is the mean over ``SAMPLES`` × ``SAMPLES`` points in it.
    """
    centres = (np.arange(box * SAMPLES) + 0.5) / (box * SAMPLES) * 2 - 1
    right, up = centres[None, :], -centres[:, None]
    angle = np.deg2rad(degrees)[:, None, None]
    scale = scales[:, None, None, None]
    u = (np.cos(angle) * right + np.sin(angle) * up) / scale
    v = (np.cos(angle) * up - np.sin(angle) * right) / scale
    inside = np.stack([_square(u, v), _ellipse(u, v), _heart(u, v)])
    pixels = inside.reshape(*inside.shape[:3], box, SAMPLES, box, SAMPLES).mean((-3, -1))
    return np.rint(255 * pixels).astype(np.uint8)


def _square(u: np.ndarray, v: np.ndarray) -> NDArray[np.bool_]:
    return np.maximum(abs(u), abs(v)) <= np.sqrt(0.5)


def _ellipse(u: np.ndarray, v: np.ndarray) -> NDArray[np.bool_]:
    return u**2 + (2 * v) ** 2 <= 1


def _heart(u: np.ndarray, v: np.ndarray) -> NDArray[np.bool_]:
    u, v = HEART_REACH * u, HEART_REACH * v + HEART_CENTRE
    return (u**2 + v**2 - 1) ** 3 <= u**2 * v**3
