"""Thresholds against scikit-learn, SciPy and every threshold there is."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control
from sklearn.ensemble import IsolationForest

from vaekit.errors import ConfigError, DataError
from vaekit.metrics import by_budget, by_contamination, by_cost, by_fdr


@pytest.mark.parametrize("contamination", [0.05, 0.137, 0.5])
def test_contamination_is_that_of_an_isolation_forest(contamination):
    x = np.random.default_rng(0).normal(size=(203, 3))
    forest = IsolationForest(n_estimators=20, contamination=contamination, random_state=0)
    forest.fit(x)
    scores = -forest.score_samples(x)
    threshold = by_contamination(scores, contamination)
    assert threshold == -forest.offset_
    np.testing.assert_array_equal(scores > threshold, forest.predict(x) == -1)


def test_a_budget_flags_exactly_so_many():
    scores = np.random.default_rng(1).normal(size=50)
    for k in range(1, 51):
        assert (scores > by_budget(scores, k)).sum() == k


def test_a_budget_is_never_exceeded_by_ties():
    scores = np.array([3.0, 2.0, 2.0, 2.0, 1.0])
    flagged = [int((scores > by_budget(scores, k)).sum()) for k in range(1, 6)]
    assert flagged == [1, 1, 1, 4, 5]


@pytest.mark.parametrize("digits", [6, 0], ids=["no ties", "ties"])
@pytest.mark.parametrize("costs", [(1.0, 1.0), (1.0, 20.0), (50.0, 1.0), (0.0, 1.0), (2.0, 0.0)])
def test_no_threshold_costs_less(digits, costs):
    generator = np.random.default_rng(2)
    labels = generator.random(80) < 0.2
    scores = np.round(generator.normal(size=80) + labels, digits)

    def cost(t):
        flagged = scores > t
        return costs[0] * (~labels & flagged).sum() + costs[1] * (labels & ~flagged).sum()

    every = {t: cost(t) for t in [*np.unique(scores), scores.min() - 1]}
    found = by_cost(labels, scores, *costs)
    assert found.cost == min(every.values()) == cost(found.threshold)
    assert not any(c == found.cost for t, c in every.items() if t > found.threshold)


@pytest.mark.parametrize("q", [0.01, 0.1, 0.25, 0.9])
def test_false_discoveries_are_those_of_scipy(q):
    generator = np.random.default_rng(3)
    for n in (1, 2, 40):
        p = np.round(generator.beta(0.4, 2, size=n), 2)
        np.testing.assert_array_equal(by_fdr(p, q), false_discovery_control(p) <= q)
    assert not by_fdr([0.95, 1.0], q).any()


def test_the_rate_of_false_discoveries_is_kept():
    generator = np.random.default_rng(4)
    rates = []
    for _ in range(2000):
        p = generator.random(40)
        p[:10] **= 4
        flagged = by_fdr(p, 0.2)
        rates.append(flagged[10:].sum() / max(flagged.sum(), 1))
    expected = 0.2 * 30 / 40
    assert np.mean(rates) == pytest.approx(expected, abs=4 * np.std(rates) / 2000**0.5)


def test_wrong_inputs_are_refused():
    for share in (0.0, 0.6):
        with pytest.raises(ConfigError, match=f"above 0 and at most 0.5, got {share}"):
            by_contamination([1.0, 2.0], share)
    with pytest.raises(ConfigError, match="k: not a number of rows to flag; expected 1 to 2"):
        by_budget([1.0, 2.0], 3)
    with pytest.raises(ConfigError, match="miss: not a cost; expected 0 or more, got -1"):
        by_cost([0, 1], [1.0, 2.0], 1, -1)
    with pytest.raises(ConfigError, match="q: not a rate"):
        by_fdr([0.5], 1.0)
    with pytest.raises(DataError, match=r"not a p-value; expected 0 to 1, got 1\.5"):
        by_fdr([0.5, 1.5], 0.1)
    with pytest.raises(DataError, match="scores: 1 value"):
        by_contamination([1.0, np.nan], 0.1)
