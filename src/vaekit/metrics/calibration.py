"""From an anomaly score to the probability of an anomaly, learnt from labelled rows."""

from __future__ import annotations

import itertools
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from vaekit.errors import ConfigError, DataError
from vaekit.metrics.labelled import Floats, finite_scores, labelled
from vaekit.spec import Spec

__all__ = ["Isotonic", "Platt"]

TOLERANCE = 1e-10
MAX_STEPS = 1_000


class Isotonic(Spec, kind="calibration/isotonic"):
    """The rising curve that fits labelled rows best, linear between its corners.

    It assumes nothing but that a higher score is not less likely an anomaly, and wants some
    hundred anomalies; :class:`Platt` does with a few. Scores beyond those seen get the first or
    the last probability.

    Args:
        scores: Of the corners, rising, shape (m,).
        probabilities: Of an anomaly at each corner, never falling, between 0 and 1, shape (m,).

    Raises:
        ConfigError: If there is no corner, or they do not rise.

    References:
        Transforming Classifier Scores into Accurate Multiclass Probability Estimates (Zadrozny &
        Elkan, 2002), KDD.

    Example:
        >>> curve = Isotonic.fit([0, 1, 0, 1], [0.0, 1.0, 2.0, 3.0])
        >>> curve([-1.0, 1.0, 2.5])
        array([0.  , 0.5 , 0.75])
    """

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def validate(self) -> None:  # noqa: D102
        if not len(self.scores) == len(self.probabilities) > 0:
            raise ConfigError(
                "one probability for each score",
                expected=f"{max(len(self.scores), 1)} probabilities",
                got=len(self.probabilities),
                where=self.kind,
            )
        if any(a >= b for a, b in itertools.pairwise(self.scores)):
            raise ConfigError("the scores of the corners do not rise", where=self.kind)
        falls = any(a > b for a, b in itertools.pairwise(self.probabilities))
        if falls or self.probabilities[0] < 0 or self.probabilities[-1] > 1:
            raise ConfigError(
                "not probabilities that never fall", expected="0 to 1, rising", where=self.kind
            )

    @classmethod
    def fit(cls, labels: ArrayLike, scores: ArrayLike) -> Self:
        """The curve of least squared error by scikit-learn.

        Args:
            labels: 1 for an anomaly, 0 for a normal row, shape (n,).
            scores: Of rows that the model was not trained on, shape (n,).

        Raises:
            DataError: If there is one class only, or a score is not finite.
            ShapeError: If the lengths differ, or there are no rows.
        """
        anomalous, found = labelled(labels, scores)
        curve = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
        curve.fit(found, anomalous.astype(np.float64))
        return cls(tuple(curve.X_thresholds_.tolist()), tuple(curve.y_thresholds_.tolist()))

    def __call__(self, scores: ArrayLike) -> Floats:
        """The probability that each row is an anomaly, (n,) → (n,).

        Raises:
            DataError: If a score is not finite.
            ShapeError: If there are none.
        """
        return np.interp(finite_scores(scores), self.scores, self.probabilities)


class Platt(Spec, kind="calibration/platt"):
    r"""A logistic curve of the score.

    .. math:: p(s) = \frac1{1 + \exp(-(\text{slope} \cdot s + \text{intercept}))}

    Args:
        slope: Logits a unit of the score; negative where labelled anomalies score low.
        intercept: Logits of a score of 0.

    References:
        Probabilistic Outputs for Support Vector Machines and Comparisons to Regularized Likelihood
        Methods (Platt, 1999), Advances in Large Margin Classifiers, for the smoothed targets.

    Example:
        >>> curve = Platt.fit([0, 0, 1, 1], [0.0, 1.0, 2.0, 3.0])
        >>> curve([0.0, 1.5, 3.0])
        array([0.204, 0.5  , 0.796])
    """

    slope: float
    intercept: float

    @classmethod
    def fit(cls, labels: ArrayLike, scores: ArrayLike) -> Self:
        r"""The curve of largest likelihood for targets that leave room for doubt.

        .. math:: t_1 = \frac{n_1 + 1}{n_1 + 2}, \qquad t_0 = \frac1{n_0 + 2}

        for :math:`n_1` anomalies and :math:`n_0` normal rows: even classes that a threshold
        separates get a finite slope.

        Args:
            labels: 1 for an anomaly, 0 for a normal row, shape (n,).
            scores: Of rows that the model was not trained on, shape (n,).

        Raises:
            DataError: If there is one class only, a score is not finite, or all are the same.
            ShapeError: If the lengths differ, or there are no rows.
        """
        anomalous, found = labelled(labels, scores)
        loc, scale = found.mean(), found.std()
        if not scale > 0:
            raise DataError("all scores are the same", got=found[0], where="scores")
        n1, n0 = anomalous.sum(), (~anomalous).sum()
        target = np.where(anomalous, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))
        # scikit-learn takes hard labels: each row stands there twice, once under each label.
        rows = np.tile((found - loc) / scale, 2)[:, None]
        curve = LogisticRegression(C=np.inf, tol=TOLERANCE, max_iter=MAX_STEPS)
        curve.fit(rows, np.repeat([1, 0], len(found)), np.concatenate([target, 1 - target]))
        slope = float(curve.coef_[0, 0] / scale)
        return cls(slope, float(curve.intercept_[0] - slope * loc))

    def __call__(self, scores: ArrayLike) -> Floats:
        """The probability that each row is an anomaly, (n,) → (n,).

        Raises:
            DataError: If a score is not finite.
            ShapeError: If there are none.
        """
        return np.asarray(expit(self.slope * finite_scores(scores) + self.intercept))
