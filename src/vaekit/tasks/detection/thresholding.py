"""Where a detector draws the line, p-values, and probabilities of anomaly."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from vaekit.errors import ConfigError, NotFittedError
from vaekit.metrics import Isotonic, Platt, conformal_threshold, p_values
from vaekit.metrics.thresholds import by_budget, by_contamination, by_cost
from vaekit.tasks.detection.scores import Scoring

__all__ = ["Thresholding"]

Floats = NDArray[np.float64]
CALIBRATIONS: dict[str, Any] = {"isotonic": Isotonic, "platt": Platt}
PARAMETERS = {
    "score": "scoring",
    "samples": "n_draws",
    "seed": "random_state",
    "rate_weight": "rate_weight",
}


class Thresholding:
    """Decisions from scores; for classes with ``anomaly_scores``, where higher is worse.

    Attributes:
        offset_: A row is an anomaly where ``score_samples`` is below it.
        calibration_scores_: Anomaly scores of rows that were not trained on, sorted; None without.
        calibration_: From scores to probabilities, once :meth:`calibrate` has been called.
        scoring_: The score that all these are of.
    """

    offset_: float
    calibration_scores_: Floats | None
    calibration_: Isotonic | Platt | None
    scoring_: Scoring

    def _scoring(self) -> Scoring:
        """The score that the parameters say."""
        raise NotImplementedError

    def anomaly_scores(self, X: Any) -> Floats:
        """How anomalous each row is."""
        raise NotImplementedError

    def score_samples(self, X: Any) -> Floats:
        """How normal each row is, shape (n,): minus :meth:`anomaly_scores`."""
        return -self.anomaly_scores(X)

    def decision_function(self, X: Any) -> Floats:
        """``score_samples`` minus ``offset_``, shape (n,): negative for anomalies.

        Raises:
            NotFittedError: If parameters of the score were set after ``fit``; the same holds for
                all that compares scores with those of ``fit``.
        """
        self._require_same_score()
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> NDArray[np.int64]:
        """−1 for anomalies and 1 for all other rows, shape (n,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def set_threshold(
        self,
        X: Any = None,
        y: ArrayLike | None = None,
        *,
        contamination: float | None = None,
        alpha: float | None = None,
        budget: int | None = None,
        costs: tuple[float, float] | None = None,
    ) -> Self:
        """Draw the line anew, in one of four ways.

        Args:
            X: Rows to draw it with. For ``alpha`` these are normal rows that were not trained on;
                by default those that ``fit`` set aside.
            y: For ``costs``, which rows of X are anomalies: 1 or True.
            contamination: The share of the rows of X that lies beyond the line.
            alpha: The probability that a normal row lies beyond it.
            budget: How many rows of X lie beyond it: as many as someone can look at.
            costs: What a false alarm and a miss cost; the line has the least total on X.

        Returns:
            The detector.

        Raises:
            ConfigError: If there is not exactly one way, the rows for it are missing, or labels
                are given that it does not use.
            DataError: If there are too few rows for it.
        """
        self._require_same_score()
        ways = {"contamination": contamination, "alpha": alpha, "budget": budget, "costs": costs}
        chosen = [name for name, value in ways.items() if value is not None]
        if len(chosen) != 1:
            raise ConfigError(
                "a threshold is drawn in one way",
                expected=f"one of {', '.join(ways)}",
                got=", ".join(chosen) or "none",
            )
        if alpha is not None and X is None:
            self.offset_ = -conformal_threshold(self._aside(), alpha)
            return self
        if X is None or (costs is not None and y is None):
            raise ConfigError(f"{chosen[0]} needs rows{' and labels' * (costs is not None)}")
        if costs is not None and not (isinstance(costs, tuple | list) and len(costs) == 2):
            raise ConfigError(
                "not two costs",
                expected="(of a false alarm, of a miss)",
                got=repr(costs),
                where="costs",
            )
        if costs is None and y is not None:
            raise ConfigError(
                f"{chosen[0]} needs no labels",
                got="y",
                where="set_threshold",
                remedy="leave y out, or draw the line by costs",
            )
        scores = self.anomaly_scores(X)
        if alpha is not None:
            self.offset_ = -conformal_threshold(scores, alpha)
            self.calibration_scores_ = np.sort(scores)
        elif costs is not None:
            assert y is not None
            self.offset_ = -by_cost(y, scores, *costs).threshold
        else:
            self._draw(scores, contamination=contamination, budget=budget)
        return self

    def _draw(
        self, scores: Floats, *, contamination: float | None = None, budget: int | None = None
    ) -> None:
        """Draw the line by what share or number of some scores lies beyond it."""
        if contamination is not None:
            threshold = by_contamination(scores, contamination)
        else:
            assert budget is not None
            threshold = by_budget(scores, budget)
        self.offset_ = -threshold

    def p_values(self, X: Any) -> Floats:
        """Conformal p-value of each row, shape (n,): small for anomalies.

        A normal row has one of at most α with probability at most α, whatever the model, where it
        is exchangeable with the rows that were set aside; windows of a series are not.

        Raises:
            NotFittedError: If none were: fit with ``alpha``, or call ``set_threshold`` with it.
        """
        self._require_same_score()
        return p_values(self._aside(), self.anomaly_scores(X))

    def _aside(self) -> Floats:
        if self.calibration_scores_ is None:
            raise NotFittedError(
                "no rows were set aside to calibrate with",
                expected="normal rows that the model was not trained on",
                remedy="fit with alpha=0.05, or call set_threshold(X_normal, alpha=0.05)",
            )
        return self.calibration_scores_

    def calibrate(
        self, X: Any, y: ArrayLike, *, method: Literal["isotonic", "platt"] = "isotonic"
    ) -> Self:
        """Learn from labelled rows how probable an anomaly is at each score.

        Args:
            X: Rows that the model was not trained on.
            y: Which of them are anomalies: 1 or True.
            method: ``"isotonic"`` for a line that rises from corner to corner, ``"platt"`` for a
                logistic curve, which needs fewer rows.

        Returns:
            The detector; see :meth:`anomaly_probability`.
        """
        self._require_same_score()
        if method not in CALIBRATIONS:
            raise ConfigError(
                "unknown method", expected=" or ".join(CALIBRATIONS), got=method, where="method"
            )
        self.calibration_ = CALIBRATIONS[method].fit(y, self.anomaly_scores(X))
        return self

    def anomaly_probability(self, X: Any) -> Floats:
        """The probability that each row is an anomaly, shape (n,).

        It is that of a row drawn from where the rows of :meth:`calibrate` came from.

        Raises:
            NotFittedError: If :meth:`calibrate` was not called.
        """
        self._require_same_score()
        if self.calibration_ is None:
            raise NotFittedError(
                "probabilities need labelled rows", remedy="call calibrate(X, y) first"
            )
        return self.calibration_(self.anomaly_scores(X))

    def _require_same_score(self) -> None:
        """Refuse to compare scores of one kind with a line of another."""
        check_is_fitted(self)
        asked = self._scoring()
        if asked != self.scoring_:
            raise NotFittedError(
                "the line and all that is calibrated are of another score",
                expected=_said(self.scoring_, but=asked),
                got=_said(asked, but=self.scoring_),
                remedy="fit with these parameters, or set them back; anomaly_scores(X) needs no "
                "line",
            )


def _said(scoring: Scoring, *, but: Scoring) -> str:
    """The parameters that are not as in another."""
    both = zip(scoring._asdict().items(), but, strict=True)
    return ", ".join(
        f"{PARAMETERS[name]}={value!r}" for (name, value), other in both if value != other
    )
