"""Labels and scores of anomalies, checked, and what each threshold would flag."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vaekit.errors import DataError, ShapeError

__all__ = ["Cuts", "cuts", "finite_scores", "labelled"]

Floats = NDArray[np.float64]


def finite_scores(values: ArrayLike, *, where: str = "scores") -> Floats:
    """The values as float64 of shape (n,), if there are any and all are finite.

    Raises:
        DataError: If they are not numbers, or one is NaN or infinite.
        ShapeError: If they are not one row of numbers, or there are none.
    """
    array = np.asarray(values)
    if array.ndim != 1 or not array.size:
        raise ShapeError(
            "not a row of numbers", expected="(n,) with n ≥ 1", got=array.shape, where=where
        )
    if array.dtype.kind not in "biuf":
        raise DataError("not numbers", expected="real numbers", got=array.dtype, where=where)
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise DataError(
            f"{bad.size} value(s) are not finite",
            got=f"{array[bad[0]]} at index {bad[0]}",
            where=where,
            remedy="find out what made them so: a score that is no number ranks nothing",
        )
    return array.astype(np.float64)


def labelled(labels: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.bool_], Floats]:
    """Which rows are anomalies, and the scores, both of shape (n,).

    Args:
        labels: 1 (or True) for an anomaly, 0 for a normal row.
        scores: Higher is more anomalous.

    Raises:
        DataError: If a label is neither 0 nor 1, all are the same, or a score is not finite.
        ShapeError: If the lengths differ, or there are no rows.
    """
    found, truth = finite_scores(scores), np.asarray(labels)
    if truth.shape != found.shape:
        raise ShapeError(
            "one label for each score", expected=found.shape, got=truth.shape, where="labels"
        )
    anomalous = truth == 1
    strange = np.flatnonzero(~(anomalous | (truth == 0)))
    if strange.size:
        raise DataError(
            "not a label",
            expected="1 for an anomaly, 0 for a normal row",
            got=f"{truth[strange[0]]!r} at index {strange[0]}",
            where="labels",
        )
    if anomalous.all() or not anomalous.any():
        raise DataError(
            "there is one class only",
            expected="anomalies (1) and normal rows (0)",
            got=f"{len(truth)} rows of class {int(anomalous[0])}",
            where="labels",
        )
    return anomalous, found


class Cuts(NamedTuple):
    """What each threshold flags: the rows that score above it.

    Attributes:
        thresholds: The highest score, which flags nothing, then every lower one that occurs, then
            one below all scores, which flags everything; falling, shape (m + 1,).
        flagged: Rows above each threshold, shape (m + 1,).
        hits: Anomalies among them, shape (m + 1,).
    """

    thresholds: Floats
    flagged: NDArray[np.int64]
    hits: NDArray[np.int64]


def cuts(anomalous: NDArray[np.bool_], scores: Floats) -> Cuts:
    """Every threshold that flags another set of rows; rows that tie are flagged together."""
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last = np.append(np.flatnonzero(np.diff(falling)), len(scores) - 1)  # of each run of ties
    below = np.nextafter(falling[-1], -np.inf)
    return Cuts(
        np.append(falling[last], below),
        np.append(0, last + 1),
        np.append(0, np.cumsum(anomalous[order])[last]),
    )
