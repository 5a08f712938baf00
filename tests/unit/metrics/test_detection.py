"""Measures of detection against their definitions, pair by pair and threshold by threshold."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from vaekit.errors import ConfigError, DataError, ShapeError
from vaekit.metrics import (
    auroc,
    average_precision,
    best_f1,
    detection,
    f1_at,
    precision_at,
)

MEASURES = [auroc, average_precision, best_f1, lambda y, s: f1_at(y, s, 0.5), detection]


@pytest.fixture(params=["no ties", "ties"])
def rows(request):
    generator = np.random.default_rng(3)
    labels = (generator.random(60) < 0.3).astype(int)
    scores = generator.normal(size=60) + labels
    return labels, np.round(scores) if request.param == "ties" else scores


def test_auroc_is_the_share_of_pairs_in_order(rows):
    labels, scores = rows
    pairs = list(itertools.product(scores[labels == 1], scores[labels == 0]))
    expected = np.mean([(a > b) + 0.5 * (a == b) for a, b in pairs])
    assert auroc(labels, scores) == pytest.approx(expected, rel=1e-12)
    assert auroc(labels, -scores) == pytest.approx(1 - expected, rel=1e-12)


def test_average_precision_is_a_sum_over_thresholds(rows):
    labels, scores = rows
    total, before = 0.0, 0.0
    for t in sorted(set(scores), reverse=True):
        flagged = scores >= t
        recall = labels[flagged].sum() / labels.sum()
        total, before = total + (recall - before) * labels[flagged].mean(), recall
    assert average_precision(labels, scores) == pytest.approx(total, rel=1e-12)


def test_best_f1_is_that_of_no_other_threshold(rows):
    labels, scores = rows
    found = best_f1(labels, scores)
    thresholds = [*np.unique(scores), scores.min() - 1]
    every = [f1_score(labels, scores > t, zero_division=0) for t in thresholds]
    assert found.f1 == pytest.approx(max(every), rel=1e-12)
    assert f1_score(labels, scores > found.threshold) == pytest.approx(found.f1, rel=1e-12)


@pytest.mark.parametrize("labels", [[1, 1, 0], [0, 1, 1]])
def test_best_f1_may_flag_everything(labels):
    assert best_f1(labels, [1.0, 1.0, 1.0]).f1 == pytest.approx(0.8)
    assert best_f1(labels, [1.0, 1.0, 1.0]).threshold < 1.0


def test_flagging_a_share_without_ties():
    generator = np.random.default_rng(4)
    labels, scores = np.arange(50) % 4 == 0, generator.normal(size=50)
    for contamination in (0.04, 0.26, 1.0):
        flagged = np.zeros(50, dtype=bool)
        flagged[np.argsort(-scores)[: round(50 * contamination)]] = True
        found = detection(labels, scores, contamination)
        assert found["f1"] == pytest.approx(f1_score(labels, flagged))
        assert found["f1"] == f1_at(labels, scores, contamination)
        assert found["precision"] == pytest.approx(precision_score(labels, flagged))
        assert found["precision"] == precision_at(labels, scores, flagged.sum())
        assert found["recall"] == pytest.approx(recall_score(labels, flagged))


def test_ties_for_the_last_places_are_averaged_over():
    """The mean over all 5! orders in which a stable sort may meet rows that tie."""
    labels, scores = np.array([1, 0, 1, 0, 1]), np.array([3.0, 2.0, 2.0, 2.0, 1.0])
    for k in range(1, 6):
        orders = [np.array(o) for o in itertools.permutations(range(5))]
        tops = [labels[o][np.argsort(-scores[o], kind="stable")[:k]] for o in orders]
        assert precision_at(labels, scores, k) == pytest.approx(np.mean(tops), rel=1e-12)
        f1 = np.mean([2 * top.sum() / (k + 3) for top in tops])
        assert f1_at(labels, scores, k / 5) == pytest.approx(f1, rel=1e-12)


def test_all_measures_of_scores_that_say_nothing():
    found = detection([1, 0, 0, 0], np.zeros(4))
    assert found == {
        "auroc": 0.5,
        "average_precision": 0.25,
        "best_f1": pytest.approx(0.4),
        "f1": 0.25,
        "precision": 0.25,
        "recall": 0.25,
        "prevalence": 0.25,
    }


def test_without_a_share_the_true_one_is_flagged(rows):
    labels, scores = rows
    found = detection(labels, scores)
    assert found == detection(labels, scores, labels.mean())
    assert found["f1"] == pytest.approx(found["precision"]) == pytest.approx(found["recall"])
    assert found["prevalence"] == labels.mean()
    assert found["auroc"] == auroc(labels, scores)
    assert found["average_precision"] == average_precision(labels, scores)
    assert found["best_f1"] == best_f1(labels, scores).f1 >= found["f1"]


@pytest.mark.parametrize("measure", MEASURES)
def test_rows_that_cannot_be_judged(measure):
    with pytest.raises(DataError, match=r"one class only.*got 3 rows of class 0"):
        measure([0, 0, 0], [1.0, 2.0, 3.0])
    with pytest.raises(DataError, match=r"one class only.*got 2 rows of class 1"):
        measure([True, True], [1.0, 2.0])
    with pytest.raises(DataError, match=r"1 value\(s\) are not finite; got nan at index 1"):
        measure([0, 1, 0], [1.0, np.nan, 3.0])
    with pytest.raises(DataError, match="got inf at index 0"):
        measure([0, 1], [np.inf, 1.0])
    with pytest.raises(ShapeError, match=r"one label for each score; expected \(3,\), got \(2,\)"):
        measure([0, 1], [1.0, 2.0, 3.0])
    with pytest.raises(DataError, match=r"not a label.*got .*-1.* at index 1"):
        measure([0, -1], [1.0, 2.0])
    with pytest.raises(ShapeError, match="not a row of numbers"):
        measure([], [])
    with pytest.raises(DataError, match="not numbers"):
        measure([0, 1], ["low", "high"])


def test_numbers_of_rows_that_cannot_be_flagged():
    labels, scores = [0, 1, 0], [1.0, 2.0, 3.0]
    for k in (0, 4):
        with pytest.raises(ConfigError, match="expected 1 to 3"):
            precision_at(labels, scores, k)
    with pytest.raises(ConfigError, match="of 3 rows none would be flagged"):
        f1_at(labels, scores, 0.1)
    for share in (-0.1, 1.2, np.nan):
        with pytest.raises(ConfigError, match="not a share"):
            detection(labels, scores, share)
