"""Conformal p-values, thresholds and their false alarms, against every order of a few rows."""

import itertools

import numpy as np
import pytest
from scipy.stats import betabinom, binom

from vaekit.errors import ConfigError, DataError, ShapeError
from vaekit.metrics import (
    FalsePositives,
    conformal_threshold,
    false_positives,
    joint_band,
    p_values,
)


def splits(n, m):
    """Every way in which n calibration and m new rows may lie among n + m distinct scores."""
    for chosen in itertools.combinations(range(n + m), m):
        new = np.array(chosen, dtype=float)
        yield np.setdiff1d(np.arange(n + m, dtype=float), new), new


def test_p_values_count_calibration_rows():
    generator = np.random.default_rng(0)
    calibration = generator.integers(0, 9, 30).astype(float)
    scores = np.arange(-1.0, 10.0, 0.5)
    expected = [(1 + sum(c >= s for c in calibration)) / 31 for s in scores]
    np.testing.assert_array_equal(p_values(calibration, scores), expected)


@pytest.mark.parametrize("n", [1, 4, 9])
def test_p_values_of_a_normal_row_are_uniform(n):
    found = [p_values(calibration, new)[0] for calibration, new in splits(n, 1)]
    assert sorted(found) == pytest.approx(np.arange(1, n + 2) / (n + 1))


@pytest.mark.parametrize("alpha", [0.29, 0.05, 0.1, 0.3, 0.5, 0.07, 0.01, 0.99])
@pytest.mark.parametrize("n", [99, 137, 999])
@pytest.mark.parametrize("digits", [8, 1])
def test_above_the_threshold_p_values_are_at_most_alpha(n, alpha, digits):
    generator = np.random.default_rng(n)
    calibration = np.round(generator.normal(size=n), digits)
    scores = np.concatenate([calibration, np.round(2 * generator.normal(size=500), digits)])
    flagged = scores > conformal_threshold(calibration, alpha)
    np.testing.assert_array_equal(flagged, p_values(calibration, scores) <= alpha)


def test_no_lower_threshold_keeps_the_rate():
    """Over every split, one calibration score lower raises more false alarms than α allows."""
    n, alpha = 9, 0.2
    rates = []
    for shift in (0, 1):
        alarms = []
        for calibration, new in splits(n, 1):
            t = conformal_threshold(calibration, alpha)
            lower = np.sort(calibration)[np.searchsorted(np.sort(calibration), t) - shift]
            alarms.append(new[0] > lower)
        rates.append(np.mean(alarms))
    assert rates == [pytest.approx(0.2), pytest.approx(0.3)]


@pytest.mark.parametrize(("alpha", "needed"), [(0.05, 19), (0.01, 99), (0.3, 3), (0.4, 2)])
def test_too_few_calibration_rows(alpha, needed):
    assert conformal_threshold(np.arange(needed), alpha) == needed - 1
    with pytest.raises(DataError, match=f"expected at least {needed}, got {needed - 1}"):
        conformal_threshold(np.arange(needed - 1), alpha)
    with pytest.raises(DataError, match="too few calibration rows"):
        false_positives(needed - 1, 10, alpha)


@pytest.mark.parametrize(("n", "m", "alpha"), [(4, 3, 0.2), (5, 4, 0.4), (7, 2, 0.3)])
def test_the_law_of_false_alarms_is_that_of_all_orders(n, m, alpha):
    counts = [(p_values(cal, new) <= alpha).sum() for cal, new in splits(n, m)]
    law = false_positives(n, m, alpha)
    share = np.bincount(counts, minlength=m + 1) / len(counts)
    np.testing.assert_allclose(law.pmf(np.arange(m + 1)), share, rtol=1e-10)
    np.testing.assert_allclose(law.cdf(np.arange(m + 1)), np.cumsum(share), rtol=1e-10)
    assert law.mean == pytest.approx(np.mean(counts), rel=1e-12)


def test_false_alarms_of_simulated_scores():
    generator = np.random.default_rng(5)
    law = false_positives(n_calibration=60, n_test=80, alpha=0.1)
    counts = np.array(
        [
            (row[60:] > conformal_threshold(row[:60], 0.1)).sum()
            for row in generator.gumbel(size=(4000, 140))
        ]
    )
    variance = betabinom.var(80, law.a, law.b)
    assert counts.mean() == pytest.approx(law.mean, abs=4 * np.sqrt(variance / 4000))
    for count in (3, 7, 15):
        p = float(law.cdf(count))
        assert np.mean(counts <= count) == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 4000))
    independent = float(binom.cdf(15, 80, law.mean / 80))  # as if the share were known
    assert float(law.cdf(15)) < independent - 0.03


def test_a_band_of_sums_is_that_of_all_combinations():
    laws = [FalsePositives(3, 1, 4), FalsePositives(2, 2, 3), FalsePositives(4, 1, 9)]
    total = np.zeros(10)
    for counts in itertools.product(range(4), range(3), range(5)):
        total[sum(counts)] += np.prod([w.pmf(c) for w, c in zip(laws, counts, strict=True)])
    for level in (0.5, 0.8, 0.95, 0.999):
        low, high = joint_band(laws, level)
        tail = (1 - level) / 2
        assert total[:low].sum() <= tail < total[: low + 1].sum()
        assert total[high + 1 :].sum() <= tail < total[high:].sum()


def test_a_band_of_one_law_has_its_quantiles():
    law = FalsePositives(n_test=500, a=10, b=190)
    for level in (0.9, 0.99):
        tail = (1 - level) / 2
        expected = betabinom.ppf([tail, 1 - tail], 500, 10, 190)
        assert joint_band([law], level) == tuple(expected)
        assert law.interval(level) == tuple(expected)


def test_a_band_of_many_sets_covers_as_often_as_it_says():
    laws = [false_positives(199 + 20 * i, 300, 0.05) for i in range(40)]
    generator = np.random.default_rng(6)
    shares = [generator.beta(law.a, law.b, size=20_000) for law in laws]
    sums = sum(generator.binomial(300, share) for share in shares)
    low, high = joint_band(laws, 0.95)
    inside = np.mean((sums >= low) & (sums <= high))
    assert inside == pytest.approx(0.95, abs=0.006)
    assert low < sum(law.mean for law in laws) < high


def test_wrong_inputs_are_refused():
    for alpha in (0.0, 1.0, -0.1, np.nan):
        with pytest.raises(ConfigError, match="alpha: not a rate"):
            conformal_threshold([1.0, 2.0], alpha)
    with pytest.raises(DataError, match="calibration: 1 value"):
        p_values([1.0, np.nan], [1.0])
    with pytest.raises(DataError, match="scores: 1 value"):
        p_values([1.0, 2.0], [np.inf])
    with pytest.raises(ShapeError, match="calibration: not a row of numbers"):
        conformal_threshold([], 0.5)
    with pytest.raises(ConfigError, match="n_test: too small; expected at least 1, got 0"):
        false_positives(100, 0, 0.05)
    with pytest.raises(DataError, match="no laws to add up"):
        joint_band([])
    with pytest.raises(ConfigError, match="not a level; expected above 0 and below 1, got 99"):
        joint_band([FalsePositives(5, 1, 1)], 99)
