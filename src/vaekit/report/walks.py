"""Walks through the space of codes, one picture at each step; each space has steps of its own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vaekit.distributions import Density, OneHot, VonMisesFisher

__all__ = ["Walk", "walk"]

Floats = NDArray[np.float64]
REACH = 3.0
MOST_ROWS = 10
MOST_CLASSES = 20


class Walk(NamedTuple):
    """Codes to decode, shape ``(rows, steps, k)``, and what to write beside them."""

    codes: Floats
    names: list[str]
    values: Floats
    caption: str


def walk(q: Density, means: Floats, order: NDArray[np.int64]) -> Walk:
    """The walk that suits the space of a posterior's codes.

    Args:
        q: The posterior of some rows.
        means: Posterior means of many rows, shape (n, k).
        order: The coordinates, those that matter most first.
    """
    if isinstance(q, OneHot):
        return _through_classes(means, q.classes)
    if isinstance(q, VonMisesFisher):
        return _around_sphere(means, order)
    return _along_coordinates(means.shape[1], order)


def _along_coordinates(k: int, order: NDArray[np.int64], steps: int = 11) -> Walk:
    values = np.linspace(-REACH, REACH, steps)
    chosen = order[:MOST_ROWS]
    codes = values[:, None] * np.eye(k)[chosen][:, None]
    return Walk(
        codes,
        _names(chosen),
        values,
        "Each row moves one dimension of the code from −3 to 3, the others stay at 0.",
    )


def _around_sphere(means: Floats, order: NDArray[np.int64], steps: int = 13) -> Walk:
    """Great circles through the mean direction, each towards one coordinate."""
    axes = np.eye(means.shape[1])[:, order]
    frame, upper = np.linalg.qr(np.column_stack([means.mean(0), axes]))
    centre = frame[:, 0] * (1 if upper[0, 0] >= 0 else -1)
    towards = np.where(upper.diagonal()[1:] < 0, -1, 1)
    directions = (frame[:, 1:] * towards).T[:MOST_ROWS]
    degrees = np.linspace(-180.0, 180.0, steps)
    angle = np.radians(degrees)[:, None]
    codes = np.cos(angle) * centre + np.sin(angle) * directions[:, None]
    return Walk(
        codes,
        _names(order[: len(directions)]),
        degrees,
        "Each row goes round a great circle of the sphere, from the mean direction (0°) towards "
        "one dimension.",
    )


def _through_classes(means: Floats, classes: int) -> Walk:
    """Every class of the groups that vary most; the other groups keep their commonest class."""
    masses = means.reshape(len(means), -1, classes)
    usual = np.eye(classes)[masses.mean(0).argmax(-1)]
    chosen = np.argsort(-masses.var(0).sum(-1), kind="stable")[:MOST_ROWS]
    shown = min(classes, MOST_CLASSES)
    codes = np.tile(usual, (len(chosen), shown, 1, 1))
    for row, group in enumerate(chosen):
        codes[row, :, group] = np.eye(classes)[:shown]
    return Walk(
        codes.reshape(len(chosen), shown, -1),
        [f"group {g + 1}" for g in chosen],
        np.arange(1.0, shown + 1),
        "Each row sets one group to each of its classes, the others to their commonest class.",
    )


def _names(chosen: NDArray[np.int64]) -> list[str]:
    return [f"z{i + 1}" for i in chosen]
