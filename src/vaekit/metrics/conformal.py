"""Split conformal detection: p-values and thresholds whose rate of false alarms is guaranteed.

Some normal rows that the model has not been trained on, the *calibration* rows, are set aside. If
a new normal row is exchangeable with them, its score is equally likely to take each rank among
them, whatever the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.fft import irfft, next_fast_len, rfft
from scipy.stats import betabinom

from vaekit.errors import ConfigError, DataError
from vaekit.metrics.labelled import Floats, finite_scores

__all__ = [
    "Band",
    "FalsePositives",
    "conformal_threshold",
    "false_positives",
    "joint_band",
    "p_values",
]


def p_values(calibration: ArrayLike, scores: ArrayLike) -> Floats:
    r"""The share of calibration rows that score at least as high, counting the new row as one.

    .. math:: p(s) = \frac{1 + |\{i : c_i \ge s\}|}{n + 1}

    For a new normal row :math:`P(p \le \alpha) \le \alpha`; ties only make p larger.

    Args:
        calibration: Scores of normal rows not trained on, shape (n,); higher is more anomalous.
        scores: Of the rows to judge, shape (m,).

    Returns:
        Between 1 / (n + 1) and 1, shape (m,).

    Raises:
        DataError: If a score is not finite.
        ShapeError: If there are none.

    References:
        Algorithmic Learning in a Random World (Vovk, Gammerman & Shafer, 2005), Springer. Testing
        for Outliers with Conformal p-Values (Bates, Candès, Lei, Romano & Sesia, 2023), Annals of
        Statistics 51(1).

    Example:
        >>> p_values([1.0, 2.0, 3.0], [0.0, 2.0, 9.0])
        array([1.  , 0.75, 0.25])
    """
    known = np.sort(finite_scores(calibration, where="calibration"))
    below = np.searchsorted(known, finite_scores(scores), side="left")
    return (1 + len(known) - below) / (len(known) + 1)


def conformal_threshold(calibration: ArrayLike, alpha: float) -> float:
    r"""The lowest threshold that a new normal row exceeds with probability of at most α.

    It is the :math:`\lceil (1 - \alpha)(n + 1) \rceil`-th smallest calibration score, and the rows
    above it are exactly those whose :func:`p_values` are at most α. The probability is over the
    calibration rows too; :func:`false_positives` says what one draw of them may bring.

    Args:
        calibration: Scores of normal rows not trained on, shape (n,); higher is more anomalous.
        alpha: The rate of false alarms to allow, above 0 and below 1.

    Raises:
        ConfigError: If alpha is not between 0 and 1.
        DataError: If a score is not finite, or there are too few for this alpha.
        ShapeError: If there are none.

    Example:
        >>> conformal_threshold(range(1, 100), alpha=0.05)
        95.0
    """
    known = finite_scores(calibration, where="calibration")
    place = len(known) - _alarms(len(known), alpha)
    return float(np.partition(known, place)[place])


@dataclass(frozen=True, slots=True)
class FalsePositives:
    r"""The law of the number of false alarms: beta-binomial.

    .. math:: \theta \sim \mathrm{Beta}(a, b), \quad X \sim \mathrm{Binomial}(n, \theta)

    where θ is the share of all normal rows above the threshold.

    Args:
        n_test: n, normal rows that are judged.
        a: Ranks of a new row, among the calibration rows, that raise an alarm.
        b: Ranks that do not.

    Example:
        >>> law = FalsePositives(n_test=200, a=5, b=95)
        >>> law.mean, law.interval(0.9)
        (10.0, Band(low=3, high=20))
    """

    n_test: int
    a: int
    b: int

    def __post_init__(self) -> None:
        for name, low in (("n_test", 1), ("a", 1), ("b", 1)):
            if getattr(self, name) < low:
                raise ConfigError(
                    "too small", expected=f"at least {low}", got=getattr(self, name), where=name
                )

    @property
    def mean(self) -> float:
        """The expected number, n a / (a + b)."""
        return self.n_test * self.a / (self.a + self.b)

    def pmf(self, count: ArrayLike) -> Floats:
        """The probability of exactly so many false alarms, of the shape of ``count``."""
        return np.asarray(betabinom.pmf(count, self.n_test, self.a, self.b))

    def cdf(self, count: ArrayLike) -> Floats:
        """The probability of at most so many false alarms, of the shape of ``count``."""
        return np.asarray(betabinom.cdf(count, self.n_test, self.a, self.b))

    def interval(self, level: float = 0.99) -> Band:
        """:func:`joint_band` of this law alone."""
        return joint_band([self], level)


class Band(NamedTuple):
    """An interval of counts, both ends included.

    Attributes:
        low: Fewer have a probability of at most half of what the level leaves.
        high: More have, too.
    """

    low: int
    high: int


def false_positives(n_calibration: int, n_test: int, alpha: float) -> FalsePositives:
    r"""The law of the false alarms among new normal rows at :func:`conformal_threshold`.

    With :math:`a = \lfloor \alpha (n + 1) \rfloor`, the share of all normal rows above the
    threshold is :math:`\mathrm{Beta}(a, n + 1 - a)` for scores without ties, whatever their
    distribution. Given that share the alarms are independent. Where scores tie there are fewer.

    Args:
        n_calibration: Calibration rows, n.
        n_test: Normal rows that are judged.
        alpha: The rate of false alarms that the threshold allows.

    Raises:
        ConfigError: If alpha is not between 0 and 1, or there are no test rows.
        DataError: If there are too few calibration rows for this alpha.

    References:
        Conditional Validity of Inductive Conformal Predictors (Vovk, 2012), ACML. A Gentle
        Introduction to Conformal Prediction (Angelopoulos & Bates, 2021), arXiv:2107.07511, for
        the beta-binomial law.

    Example:
        >>> false_positives(n_calibration=99, n_test=1000, alpha=0.05).mean
        50.0
    """
    a = _alarms(n_calibration, alpha)
    return FalsePositives(n_test, a, n_calibration + 1 - a)


def joint_band(laws: Sequence[FalsePositives], level: float = 0.99) -> Band:
    """Where the sum of the false alarms of independent data sets lies.

    The probabilities of the sum are those of the sets, convolved. Fewer than the low end have a
    probability of at most (1 − level) / 2, and so have more than the high end.

    Args:
        laws: One a data set, each with its own calibration rows.
        level: How likely the sum is to lie within, at least; above 0 and below 1.

    Raises:
        ConfigError: If the level is not between 0 and 1.
        DataError: If there are no laws.

    Example:
        >>> joint_band([false_positives(199, 100, 0.05)] * 10, level=0.95)
        Band(low=34, high=67)
    """
    if not 0 < level < 1:
        raise ConfigError("not a level", expected="above 0 and below 1", got=level, where="level")
    if not laws:
        raise DataError("no laws to add up", expected="at least one", got=0, where="laws")
    below = np.cumsum(_sum_of(laws))
    tail = (1 - level) / 2
    low = np.searchsorted(below, tail, side="right")
    high = np.searchsorted(below, 1 - tail, side="left")
    return Band(int(low), min(int(high), len(below) - 1))


def _sum_of(laws: Sequence[FalsePositives]) -> Floats:
    """Probabilities of 0, 1, … for the sum: neighbours are added, then the sums, and so on."""
    found = [law.pmf(np.arange(law.n_test + 1)) for law in laws]
    while len(found) > 1:
        odd = found[len(found) // 2 * 2 :]
        pairs = zip(found[0::2], found[1::2], strict=False)
        found = [_convolve(a, b) for a, b in pairs] + odd
    return found[0]


def _convolve(a: Floats, b: Floats) -> Floats:
    size = len(a) + len(b) - 1
    length = next_fast_len(size, real=True)  # a prime length takes twenty times as long
    product = rfft(a, length) * rfft(b, length)
    return np.maximum(irfft(product, length)[:size], 0.0)  # rounding leaves about -1e-17


def _alarms(n: int, alpha: float) -> int:
    """How many of the n + 1 ranks of a new row have a p-value of at most alpha."""
    if not 0 < alpha < 1:
        raise ConfigError("not a rate", expected="above 0 and below 1", got=alpha, where="alpha")
    ranks = n + 1
    a = round(alpha * ranks)
    a -= a / ranks > alpha  # as a p-value is rounded: 0.29 × 100 falls below 29
    if a < 1:
        needed = round(1 / alpha)
        needed += 1 / needed > alpha
        raise DataError(
            f"too few calibration rows for a rate of {alpha:g}",
            expected=f"at least {needed - 1}",
            got=n,
            where="calibration",
            remedy="set more normal rows aside, or allow more false alarms",
        )
    return a
