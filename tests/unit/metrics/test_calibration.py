"""Probabilities of an anomaly against scikit-learn's, and against the likelihood they maximise."""

import json

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from sklearn.isotonic import IsotonicRegression

from vaekit.errors import ConfigError, DataError
from vaekit.metrics import Isotonic, Platt
from vaekit.spec import from_json, to_json

NEW = np.linspace(-8, 12, 301)


@pytest.fixture(params=["no ties", "ties"])
def rows(request):
    generator = np.random.default_rng(0)
    labels = (generator.random(400) < 0.15).astype(int)
    scores = 2 * generator.normal(size=400) + 3 * labels
    return labels, np.round(scores) if request.param == "ties" else scores


def test_isotonic_is_that_of_scikit_learn(rows):
    labels, scores = rows
    theirs = IsotonicRegression(out_of_bounds="clip").fit(scores, labels)
    ours = Isotonic.fit(labels, scores)
    for values in (NEW, scores):
        np.testing.assert_allclose(ours(values), theirs.predict(values), rtol=0, atol=1e-14)


def test_isotonic_of_scores_that_are_all_the_same():
    np.testing.assert_array_equal(Isotonic.fit([0, 1, 0, 0], np.ones(4))([0, 1, 2]), [0.25] * 3)


def test_platt_maximises_the_likelihood_of_smoothed_targets(rows):
    labels, scores = rows
    n1, n0 = labels.sum(), (1 - labels).sum()
    target = np.where(labels == 1, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))

    def loss(ab):
        logits = ab[0] * scores + ab[1]
        return -(target * log_expit(logits) + (1 - target) * log_expit(-logits)).sum()

    best = minimize(
        loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}
    )
    ours = Platt.fit(labels, scores)
    assert (ours.slope, ours.intercept) == pytest.approx(tuple(best.x), rel=1e-5)
    np.testing.assert_allclose(ours(NEW), expit(best.x[0] * NEW + best.x[1]), rtol=1e-4)


def test_platt_of_classes_apart_reaches_the_smoothed_targets():
    """Two scores, two targets: the curve goes through both."""
    curve = Platt.fit([0] * 8 + [1] * 3, [-1e6] * 8 + [3e6] * 3)
    np.testing.assert_allclose(curve([-1e6, 3e6]), [1 / 10, 4 / 5], rtol=1e-6)


def test_platt_does_not_depend_on_the_unit_of_the_score(rows):
    labels, scores = rows
    once, moved = Platt.fit(labels, scores), Platt.fit(labels, 1e5 * scores - 3e6)
    np.testing.assert_allclose(once(scores), moved(1e5 * scores - 3e6), rtol=1e-6)


@pytest.mark.parametrize("curve", [Isotonic, Platt])
def test_probabilities_never_fall(rows, curve):
    p = curve.fit(*rows)(NEW)
    assert (np.diff(p) >= 0).all()
    assert 0 <= p[0] < 0.1 < 0.6 < p[-1] <= 1


@pytest.mark.parametrize("curve", [Isotonic, Platt])
def test_a_curve_goes_through_json(rows, curve):
    fitted = curve.fit(*rows)
    back = from_json(json.loads(json.dumps(to_json(fitted))), role="calibration")
    assert back == fitted
    np.testing.assert_array_equal(back(NEW), fitted(NEW))


@pytest.mark.parametrize(
    ("scores", "probabilities", "match"),
    [
        ([], [], "one probability for each score"),
        ([1.0, 2.0], [0.5], "expected 2 probabilities, got 1"),
        ([2.0, 1.0], [0.1, 0.2], "the scores of the corners do not rise"),
        ([1.0, 2.0], [0.2, 0.1], "not probabilities that never fall"),
        ([1.0, 2.0], [0.2, 1.1], "not probabilities that never fall"),
        ([1.0, 2.0], [-0.1, 0.5], "not probabilities that never fall"),
        ([1.0, float("nan")], [0.1, 0.5], "not a finite number"),
    ],
)
def test_a_foreign_file_with_wrong_corners(scores, probabilities, match):
    with pytest.raises(ConfigError, match=match):
        from_json(
            {"kind": "calibration/isotonic", "scores": scores, "probabilities": probabilities}
        )


@pytest.mark.parametrize("curve", [Isotonic, Platt])
def test_rows_that_teach_nothing(curve):
    with pytest.raises(DataError, match="one class only"):
        curve.fit([0, 0], [1.0, 2.0])
    with pytest.raises(DataError, match="not finite"):
        curve.fit([0, 1], [1.0, np.nan])
    with pytest.raises(DataError, match="not finite"):
        curve.fit([0, 1], [1.0, 2.0])([np.nan])


def test_platt_of_scores_that_are_all_the_same():
    with pytest.raises(DataError, match="all scores are the same"):
        Platt.fit([0, 1], [2.0, 2.0])
