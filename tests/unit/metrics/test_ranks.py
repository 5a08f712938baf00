"""Ranks of methods against SciPy and the worked example of Demšar (2006).

Its table 6 ranks four variants of C4.5 on 14 data sets by AUC; mean ranks, Friedman's statistic
and critical differences follow from these ranks.
"""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import friedmanchisquare, wilcoxon

from vaekit.errors import ConfigError, DataError, ShapeError
from vaekit.metrics import critical_difference, holm, rank_methods

NAMES = ["C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"]
RANKS = np.array(
    [
        [4, 3, 2, 1],
        [1, 2, 3, 4],
        [4, 1, 2, 3],
        [4, 1, 3, 2],
        [4, 2, 3, 1],
        [1, 2.5, 4, 2.5],
        [3, 2, 4, 1],
        [2.5, 2.5, 4, 1],
        [4, 3, 2, 1],
        [2.5, 2.5, 2.5, 2.5],
        [4, 2.5, 1, 2.5],
        [3, 2, 4, 1],
        [4, 1, 2, 3],
        [3, 1, 4, 2],
    ]
)


@pytest.fixture
def table():
    generator = np.random.default_rng(1)
    shift = np.array([0, 0.4, 0.8, 0.8, 2.5])
    return pd.DataFrame(np.round(generator.normal(size=(20, 5)) + shift, 1), columns=list("abcde"))


def test_the_worked_example():
    found = rank_methods(pd.DataFrame(-RANKS, columns=NAMES))
    assert found.methods == ("C4.5+m+cf", "C4.5+m", "C4.5+cf", "C4.5")
    assert np.round(found.mean_ranks, 3).tolist() == [1.964, 2.0, 2.893, 3.143]
    assert found.sets == 14
    # The paper's 9.28 leaves ties as they are; SciPy and we divide by what they take away.
    ties = 3 * (2**3 - 2) + (4**3 - 4)  # three sets where two tie, one where all do
    assert found.chi_square * (1 - ties / (14 * (4**3 - 4))) == pytest.approx(9.28, abs=0.005)
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    assert found.groups == ((0, 3),)
    at_ten = rank_methods(pd.DataFrame(-RANKS, columns=NAMES), alpha=0.1)
    assert at_ten.critical_difference == pytest.approx(1.12, abs=0.005)
    assert at_ten.groups == ((0, 2), (2, 3))


@pytest.mark.parametrize(
    ("alpha", "quantiles"),
    [
        (0.05, [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]),
        (0.10, [1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920]),
    ],
)
def test_critical_values_are_those_printed(alpha, quantiles):
    """Table 5a, of 2 to 10 methods; with n = k (k + 1) / 6 they are the difference itself."""
    for k, q in enumerate(quantiles, start=2):
        found = critical_difference(k, 6, alpha) * 6 / np.sqrt(k * (k + 1))
        assert found == pytest.approx(q, abs=0.0011)


def test_friedman_is_that_of_scipy(table):
    theirs = friedmanchisquare(*table.to_numpy().T)
    found = rank_methods(table)
    assert found.chi_square == pytest.approx(theirs.statistic, rel=1e-10)
    assert found.friedman_p == pytest.approx(theirs.pvalue, rel=1e-8)


def test_ranks_and_wins_are_those_counted(table):
    found = rank_methods(table)
    values = table.to_numpy()
    for place, name in enumerate(found.methods):
        own = table[name].to_numpy()[:, None]
        above, tied = (values > own).sum(1), (values == own).sum(1)
        assert found.mean_ranks[place] == pytest.approx(np.mean(above + (tied + 1) / 2))
        assert found.wins[place] == (above == 0).sum()
    assert list(found.mean_ranks) == sorted(found.mean_ranks)
    frame = found.to_frame()
    assert frame.loc[found.methods[1], "wins"] == found.wins[1]
    assert frame["mean_rank"].is_monotonic_increasing


def test_pairs_are_tested_by_wilcoxon_and_corrected(table):
    found = rank_methods(table)
    pairs = list(itertools.combinations(range(5), 2))
    columns = [table[name].to_numpy() for name in found.methods]
    raw = [wilcoxon(columns[i], columns[j], zero_method="zsplit").pvalue for i, j in pairs]
    for rank, index in enumerate(np.argsort(raw)):
        smaller = [min(1, (10 - r) * raw[i]) for r, i in enumerate(np.argsort(raw)[: rank + 1])]
        i, j = pairs[index]
        assert found.p_values[i, j] == pytest.approx(max(smaller), rel=1e-10)
        assert found.p_values[j, i] == found.p_values[i, j]
    assert (np.diag(found.p_values) == 1).all()


def test_groups_are_the_longest_runs_without_a_difference(table):
    found = rank_methods(table)

    def longest(alike):
        runs = {(i, j) for i, j in itertools.combinations(range(5), 2) if alike(i, j)}
        within = {(a, b) for a, b in runs for i, j in runs - {(a, b)} if i <= a and b <= j}
        return tuple(sorted(runs - within))

    r = found.mean_ranks
    assert found.groups == longest(lambda i, j: r[j] - r[i] < found.critical_difference)
    assert found.holm_groups == longest(
        lambda i, j: all(
            found.p_values[a, b] > 0.05 for a, b in itertools.combinations(range(i, j + 1), 2)
        )
    )
    assert found.groups
    assert found.holm_groups
    assert found.methods[0] == "e"
    assert found.holm_groups[0][0] > 0  # e is better than any other


def test_the_level_of_nemenyi_holds_for_equal_methods():
    """Of equal methods, any two are told apart about as often as α says."""
    generator = np.random.default_rng(2)
    ranks = generator.normal(size=(4000, 60, 5)).argsort(-1).argsort(-1) + 1
    means = ranks.mean(1)
    rate = np.mean(np.ptp(means, axis=1) >= critical_difference(5, 60, 0.1))
    assert rate == pytest.approx(0.1, abs=4 * np.sqrt(0.09 / 4000))


def test_methods_that_never_differ():
    found = rank_methods({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 3.0]})
    assert (found.chi_square, found.friedman_p) == (0.0, 1.0)
    assert found.p_values.min() == 1.0
    assert found.wins.tolist() == [3, 3]
    assert found.groups == found.holm_groups == ((0, 1),)


def test_holm_by_hand():
    """4 × 0.01, then 3 × 0.02, then 2 × 0.02 held up to 0.06, then 1 × 0.9."""
    np.testing.assert_allclose(holm([0.02, 0.01, 0.9, 0.02]), [0.06, 0.04, 0.9, 0.06])
    np.testing.assert_allclose(holm([0.6, 0.7]), [1.0, 1.0])


def test_wrong_inputs_are_refused():
    good = [0.1, 0.2]
    with pytest.raises(DataError, match="b: a value is missing or not finite; got nan on 1"):
        rank_methods({"a": good, "b": [0.1, np.nan]})
    with pytest.raises(DataError, match="b: not numbers"):
        rank_methods({"a": good, "b": ["x", "y"]})
    with pytest.raises(ShapeError, match="one value a data set for each method"):
        rank_methods({"a": good, "b": [0.1]})
    with pytest.raises(ShapeError, match="got 2 × 1"):
        rank_methods({"a": good})
    with pytest.raises(ShapeError, match="got 1 × 2"):
        rank_methods({"a": [0.1], "b": [0.2]})
    with pytest.raises(ConfigError, match="alpha: not a level"):
        rank_methods({"a": good, "b": good}, alpha=5)
    with pytest.raises(ConfigError, match="too few to compare"):
        critical_difference(1, 10)
