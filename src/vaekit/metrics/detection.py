"""How well scores tell anomalies from normal rows, given which is which."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from vaekit.errors import ConfigError
from vaekit.metrics.labelled import Floats, cuts, labelled

__all__ = ["BestF1", "auroc", "average_precision", "best_f1", "detection", "f1_at", "precision_at"]


class BestF1(NamedTuple):
    """The largest F1 of any threshold.

    Attributes:
        f1: Between 0 and 1.
        threshold: Rows that score above it are flagged; the highest such threshold.
    """

    f1: float
    threshold: float


def auroc(labels: ArrayLike, scores: ArrayLike) -> float:
    r"""The area under the ROC curve: how often an anomaly scores above a normal row.

    .. math:: P(s_1 > s_0) + \tfrac12 P(s_1 = s_0)

    Args:
        labels: 1 for an anomaly, 0 for a normal row, shape (n,).
        scores: Higher is more anomalous, shape (n,).

    Returns:
        1 for a perfect order, 0.5 for scores that say nothing.

    Raises:
        DataError: If there is one class only, or a score is not finite.
        ShapeError: If the lengths differ, or there are no rows.

    References:
        The Meaning and Use of the Area under a Receiver Operating Characteristic (ROC) Curve
        (Hanley & McNeil, 1982), Radiology 143(1).

    Example:
        >>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
        0.875
    """
    return float(roc_auc_score(*labelled(labels, scores)))


def average_precision(labels: ArrayLike, scores: ArrayLike) -> float:
    r"""Precision averaged over recall, without interpolation.

    .. math:: \sum_i (R_i - R_{i-1}) \, P_i

    with precision and recall of the i-th highest threshold; rows that tie are flagged together, so
    that their order does not matter.

    Args:
        labels: 1 for an anomaly, 0 for a normal row, shape (n,).
        scores: Higher is more anomalous, shape (n,).

    Returns:
        1 for a perfect order, the share of anomalies for scores that are all the same.

    Raises:
        DataError: If there is one class only, or a score is not finite.
        ShapeError: If the lengths differ, or there are no rows.

    Example:
        >>> average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.8333
    """
    return float(average_precision_score(*labelled(labels, scores)))


def best_f1(labels: ArrayLike, scores: ArrayLike) -> BestF1:
    r"""The largest F1 that a threshold reaches when the labels choose it.

    .. math:: F_1 = \frac{2 \, \text{hits}}{\text{flagged} + \text{anomalies}}

    It flatters, since no one who has to detect anomalies knows the labels: an upper bound.

    Args:
        labels: 1 for an anomaly, 0 for a normal row, shape (n,).
        scores: Higher is more anomalous, shape (n,).

    Raises:
        DataError: If there is one class only, or a score is not finite.
        ShapeError: If the lengths differ, or there are no rows.

    Example:
        >>> best_f1([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        BestF1(f1=0.8, threshold=0.1)
    """
    anomalous, found = labelled(labels, scores)
    thresholds, flagged, hits = cuts(anomalous, found)
    f1 = 2 * hits / (flagged + anomalous.sum())
    best = int(f1.argmax())
    return BestF1(float(f1[best]), float(thresholds[best]))


def precision_at(labels: ArrayLike, scores: ArrayLike, k: int) -> float:
    """The share of anomalies among the k rows that score highest.

    Of rows that tie for the last places, as many as there are places are taken at random: the
    value is the mean over all such choices, so that the order of the rows does not matter.

    Args:
        labels: 1 for an anomaly, 0 for a normal row, shape (n,).
        scores: Higher is more anomalous, shape (n,).
        k: How many rows to look at.

    Raises:
        ConfigError: If k is not between 1 and n.
        DataError: If there is one class only, or a score is not finite.
        ShapeError: If the lengths differ, or there are no rows.

    Example:
        >>> precision_at([1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1], k=2)
        0.75
    """
    return _hits_at(*labelled(labels, scores), k) / k


def f1_at(labels: ArrayLike, scores: ArrayLike, contamination: float) -> float:
    """F1 when the round(contamination × n) rows that score highest are flagged.

    Ties for the last places count as in :func:`precision_at`. Where contamination is the true
    share of anomalies, F1, precision and recall are the same number.

    Args:
        labels: 1 for an anomaly, 0 for a normal row, shape (n,).
        scores: Higher is more anomalous, shape (n,).
        contamination: The share of rows to flag, between 0 and 1.

    Raises:
        ConfigError: If contamination is not between 0 and 1, or flags no row.
        DataError: If there is one class only, or a score is not finite.
        ShapeError: If the lengths differ, or there are no rows.

    Example:
        >>> f1_at([1, 0, 1, 0], [0.9, 0.6, 0.5, 0.1], contamination=0.25)
        0.6667
    """
    anomalous, found = labelled(labels, scores)
    flagged = _count(contamination, len(found))
    return float(2 * _hits_at(anomalous, found, flagged) / (flagged + anomalous.sum()))


def detection(
    labels: ArrayLike, scores: ArrayLike, contamination: float | None = None
) -> dict[str, float]:
    """All measures of one set of scores, each better when higher.

    Args:
        labels: 1 for an anomaly, 0 for a normal row, shape (n,).
        scores: Higher is more anomalous, shape (n,).
        contamination: The share of rows that ``f1``, ``precision`` and ``recall`` flag; without
            it the true share, which makes the three equal.

    Returns:
        ``auroc``, ``average_precision``, ``best_f1``, ``f1``, ``precision``, ``recall``, and
        ``prevalence``, the share of anomalies: what ``average_precision`` and ``precision`` of
        scores that say nothing come to.

    Raises:
        ConfigError: If contamination is not between 0 and 1, or flags no row.
        DataError: If there is one class only, or a score is not finite.
        ShapeError: If the lengths differ, or there are no rows.

    Example:
        >>> found = detection([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        >>> {name: round(value, 3) for name, value in found.items()}
        {'auroc': 0.75, 'average_precision': 0.833, 'best_f1': 0.8, 'f1': 0.5, 'precision': 0.5,
         'recall': 0.5, 'prevalence': 0.5}
    """
    anomalous, found = labelled(labels, scores)
    total = int(anomalous.sum())
    flagged = total if contamination is None else _count(contamination, len(found))
    hits = _hits_at(anomalous, found, flagged)
    return {
        "auroc": auroc(anomalous, found),
        "average_precision": average_precision(anomalous, found),
        "best_f1": best_f1(anomalous, found).f1,
        "f1": 2 * hits / (flagged + total),
        "precision": hits / flagged,
        "recall": hits / total,
        "prevalence": total / len(found),
    }


def _count(contamination: float, n: int) -> int:
    """How many of n rows a share is."""
    count = round(contamination * n) if 0 <= contamination <= 1 else 0
    if not count:
        raise ConfigError(
            f"of {n} rows none would be flagged" if 0 <= contamination <= 1 else "not a share",
            expected=f"at least {1 / n:.3g} and at most 1",
            got=contamination,
            where="contamination",
        )
    return count


def _hits_at(anomalous: NDArray[np.bool_], scores: Floats, k: int) -> float:
    """Anomalies among the k highest, on average over the orders of rows that tie."""
    if not 1 <= k <= len(scores):
        raise ConfigError(
            "not a number of rows to flag", expected=f"1 to {len(scores)}", got=k, where="k"
        )
    edge = np.partition(scores, len(scores) - k)[len(scores) - k]
    above, tied = scores > edge, scores == edge
    places = k - above.sum()
    return float(anomalous[above].sum() + places * anomalous[tied].mean())
