"""Where to draw the line: from a share, a budget, costs, or a rate of false discoveries.

A row is flagged when it scores **above** the threshold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vaekit.errors import ConfigError, DataError
from vaekit.metrics.labelled import cuts, finite_scores, labelled

__all__ = ["LeastCost", "by_budget", "by_contamination", "by_cost", "by_fdr"]


class LeastCost(NamedTuple):
    """The threshold of least total cost.

    Attributes:
        threshold: Rows that score above it are flagged; the highest of equally good ones.
        cost: Of all false alarms and misses, in the unit of the given costs.
    """

    threshold: float
    cost: float


def by_contamination(scores: ArrayLike, contamination: float) -> float:
    """The threshold that a share of the training rows exceeds, as scikit-learn draws it.

    It is the percentile 100 × (1 − contamination) of the scores, between two of them by linear
    interpolation: what ``IsolationForest(contamination=...)`` calls ``-offset_``.

    Args:
        scores: Of the training rows, higher is more anomalous, shape (n,).
        contamination: The share of anomalies among them, above 0 and at most 0.5.

    Raises:
        ConfigError: If contamination is out of bounds.
        DataError: If a score is not finite.
        ShapeError: If there are no scores.

    Example:
        >>> by_contamination([1.0, 2.0, 3.0, 4.0, 5.0], contamination=0.25)
        4.0
    """
    found = finite_scores(scores)
    if not 0 < contamination <= 0.5:
        raise ConfigError(
            "not a share of anomalies",
            expected="above 0 and at most 0.5",
            got=contamination,
            where="contamination",
        )
    # Of the negated scores, so that rounding is that of scikit-learn, whose scores fall.
    return float(-np.percentile(-found, 100.0 * contamination))


def by_budget(scores: ArrayLike, k: int) -> float:
    """The lowest threshold that flags at most k rows: exactly k unless ties are in the way.

    Args:
        scores: Higher is more anomalous, shape (n,).
        k: How many rows someone can look at.

    Raises:
        ConfigError: If k is not between 1 and n.
        DataError: If a score is not finite.
        ShapeError: If there are no scores.

    Example:
        >>> by_budget([0.1, 0.9, 0.5, 0.7], k=2)
        0.5
    """
    found = finite_scores(scores)
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= len(found):
        raise ConfigError(
            "not a number of rows to flag", expected=f"1 to {len(found)}", got=repr(k), where="k"
        )
    if k == len(found):
        return float(np.nextafter(found.min(), -np.inf))
    place = len(found) - 1 - k
    return float(np.partition(found, place)[place])


def by_cost(labels: ArrayLike, scores: ArrayLike, false_alarm: float, miss: float) -> LeastCost:
    r"""The threshold of least total cost on labelled rows.

    .. math:: c(t) = c_\text{alarm} \, |\{s_0 > t\}| + c_\text{miss} \, |\{s_1 \le t\}|

    Args:
        labels: 1 for an anomaly, 0 for a normal row, shape (n,).
        scores: Higher is more anomalous, shape (n,).
        false_alarm: Cost of a normal row that is flagged, in any unit.
        miss: Cost of an anomaly that is not, in the same unit.

    Raises:
        ConfigError: If a cost is negative or not finite.
        DataError: If there is one class only, or a score is not finite.
        ShapeError: If the lengths differ, or there are no rows.

    Example:
        >>> by_cost([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], false_alarm=1, miss=5)
        LeastCost(threshold=0.1, cost=1.0)
    """
    for name, cost in (("false_alarm", false_alarm), ("miss", miss)):
        if not 0 <= cost < np.inf:
            raise ConfigError("not a cost", expected="0 or more", got=cost, where=name)
    anomalous, found = labelled(labels, scores)
    thresholds, flagged, hits = cuts(anomalous, found)
    costs = false_alarm * (flagged - hits) + miss * (anomalous.sum() - hits)
    best = int(costs.argmin())
    return LeastCost(float(thresholds[best]), float(costs[best]))


def by_fdr(p_values: ArrayLike, q: float) -> NDArray[np.bool_]:
    r"""Which rows to flag so that a share of at most q of the flagged is expected to be normal.

    With p-values sorted, the rows up to the largest i with

    .. math:: p_{(i)} \le \frac{i \, q}{n} .

    Holds for independent p-values and for those of split conformal prediction
    (:func:`~vaekit.metrics.p_values`), which share a calibration set.

    Args:
        p_values: Of the rows, between 0 and 1, shape (n,).
        q: The rate of false discoveries to keep, above 0 and below 1.

    Returns:
        True for a flagged row, shape (n,); possibly none is.

    Raises:
        ConfigError: If q is not between 0 and 1.
        DataError: If a p-value is not between 0 and 1.
        ShapeError: If there are none.

    References:
        Controlling the False Discovery Rate (Benjamini & Hochberg, 1995), Journal of the Royal
        Statistical Society B 57(1). Testing for Outliers with Conformal p-Values (Bates, Candès,
        Lei, Romano & Sesia, 2023), Annals of Statistics 51(1), for conformal ones.

    Example:
        >>> by_fdr([0.01, 0.5, 0.03, 0.04], q=0.1)
        array([ True, False,  True,  True])
    """
    p = finite_scores(p_values, where="p_values")
    if not 0 < q < 1:
        raise ConfigError("not a rate", expected="above 0 and below 1", got=q, where="q")
    if p.min() < 0 or p.max() > 1:
        worst = p.min() if p.min() < 0 else p.max()
        raise DataError("not a p-value", expected="0 to 1", got=worst, where="p_values")
    rising = np.sort(p)
    passing = np.flatnonzero(rising <= np.arange(1, len(p) + 1) * q / len(p))
    return p <= rising[passing[-1]] if passing.size else np.zeros(len(p), dtype=bool)
