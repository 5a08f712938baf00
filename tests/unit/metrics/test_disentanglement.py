"""Scores of codes made by hand, whose scores are known, and scores computed another way."""

import json

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, mutual_info_score

from vaekit.errors import ConfigError, DataError
from vaekit.metrics import KEYS, dci, factor_vae_score, mig, put_disentanglement, sap

SIZES = (3, 4, 8, 8)
ALL = [mig, sap, factor_vae_score, lambda z, v: dci(z, v).disentanglement]
NAMES = ["mig", "sap", "factor", "dci"]


@pytest.fixture(scope="module")
def factors():
    """All combinations."""
    return np.indices(SIZES).reshape(len(SIZES), -1).T


@pytest.fixture(scope="module")
def noise(factors):
    return np.random.default_rng(1).standard_normal((len(factors), 6))


@pytest.fixture(scope="module")
def turned(factors):
    """Noisy codes that mix the factors in pairs, beside one that says nothing."""
    z = (factors - factors.mean(0)) / factors.std(0)
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    angle = np.array([[c, -s], [s, c]])
    rest = np.random.default_rng(2).standard_normal((len(z), 5))
    return np.hstack([z[:, :2] @ angle, z[:, 2:] @ angle, np.zeros((len(z), 1))]) + 0.3 * rest


def test_perfect_codes(factors):
    assert mig(factors, factors) == pytest.approx(1, abs=1e-12)
    assert sap(factors, factors) == pytest.approx(np.mean([1 - 1 / n for n in SIZES]), abs=1e-12)
    assert factor_vae_score(factors, factors) == 1
    found = dci(factors, factors)
    assert (found.disentanglement, found.completeness, found.informativeness) == (1, 1, 1)


def test_useless_codes(factors, noise):
    many, codes = np.tile(factors, (8, 1)), np.tile(noise, (8, 1))
    codes = np.random.default_rng(3).permutation(codes)
    assert mig(codes, many) < 0.01
    assert sap(codes, many) < 0.02
    found = dci(codes, many)
    assert found.disentanglement < 0.02
    assert found.completeness < 0.02
    chance = np.mean([1 / n for n in SIZES])
    assert found.informativeness == pytest.approx(chance, abs=0.03)
    voted = factor_vae_score(codes, many, votes=4_000)
    assert voted == pytest.approx(1 / len(SIZES), abs=5 * np.sqrt(0.25 * 0.75 / 4_000))


def test_codes_that_do_not_vary_know_nothing(factors):
    nothing = np.ones((len(factors), 3))
    assert mig(nothing, factors) == 0
    assert sap(nothing, factors) == pytest.approx(0, abs=1e-12)
    found = dci(nothing, factors)
    assert (found.disentanglement, found.completeness) == (0, 0)
    assert factor_vae_score(nothing, factors) < 0.35


@pytest.mark.parametrize("measure", ALL, ids=NAMES)
def test_order_and_sign_of_codes_do_not_matter(measure, factors, turned):
    changed = turned[:, [3, 0, 4, 1, 2]] * [1, -1, 1, -1, -1]
    tolerance = {"mig": 0.01, "sap": 0.01}  # edges of intervals and ties of thresholds
    assert measure(changed, factors) == pytest.approx(
        measure(turned, factors), abs=tolerance.get(getattr(measure, "__name__", ""), 0.03)
    )


@pytest.mark.parametrize("measure", ALL, ids=NAMES)
def test_mixed_codes_lie_between(measure, factors, noise, turned):
    assert measure(noise, factors) < measure(turned, factors) <= measure(factors, factors)


def test_mig_is_that_of_scikit_learn(factors, turned):
    cut = [np.digitize(z, np.linspace(z.min(), z.max(), 21)[1:-1]) for z in turned.T]
    gaps = []
    for v in factors.T:
        known = sorted(mutual_info_score(v, z) for z in cut)
        gaps.append((known[-1] - known[-2]) / mutual_info_score(v, v))
    assert mig(turned, factors) == pytest.approx(np.mean(gaps), abs=1e-12)


def test_sap_by_the_best_threshold_of_all():
    rng = np.random.default_rng(0)
    v = (rng.random(300) < 0.3).astype(int)
    z = np.stack([v + rng.normal(size=300), v + 2 * rng.normal(size=300)], axis=1)
    best = [
        max(
            max(balanced_accuracy_score(v, code > t), balanced_accuracy_score(v, code <= t))
            for t in code
        )
        for code in z.T
    ]
    # the tree minimises Gini impurity, which is near the least error but not the same
    assert sap(z, v[:, None]) == pytest.approx(best[0] - best[1], abs=0.02)


def test_dci_by_hand(factors):
    """Two codes hold one factor each, a third holds the other two at once."""
    z = np.stack([factors[:, 0], factors[:, 1], factors[:, 2] * 8 + factors[:, 3]], axis=1)
    found = dci(np.tile(z / z.std(0), (4, 1)), np.tile(factors, (4, 1)))
    assert found.completeness == pytest.approx(1, abs=1e-9)  # each factor needs one code
    shared = 1 - np.log(2) / np.log(4)  # of importance 2 of 4, over two factors of four
    assert found.disentanglement == pytest.approx((1 + 1 + 2 * shared) / 4, abs=1e-9)
    assert found.informativeness == 1


def test_dci_completeness_by_hand():
    """Two codes hold one binary digit each of a factor, a third holds the other factor.

    The first split lowers the Gini impurity from 3/4 to 1/2 and the second to 0, so that in each
    tree one digit has importance 1/3 and the other 2/3; the mean over trees lies between.
    """
    v = np.indices((4, 2)).reshape(2, -1).T.repeat(500, 0)
    found = dci(np.stack([v[:, 0] // 2, v[:, 0] % 2, v[:, 1]], axis=1), v)
    assert found.disentanglement == pytest.approx(1, abs=1e-3)
    least, most = (
        1 + (p * np.log(p) + (1 - p) * np.log(1 - p)) / np.log(3) for p in (1 / 2, 1 / 3)
    )
    assert (1 + least) / 2 - 0.002 < found.completeness < (1 + most) / 2 + 0.002
    assert found.informativeness == 1


def test_factor_score_names_the_fixed_factor_from_noisy_codes(factors, noise):
    """A code that holds a factor under noise of 1/10 of its spread is still the calmest."""
    z = factors / factors.std(0) + 0.1 * noise[:, :4]
    assert factor_vae_score(z, factors) > 0.99
    assert factor_vae_score(z[:, :3], factors) == pytest.approx(0.75, abs=0.1)


def test_a_dead_code_is_left_out(factors, noise):
    leak = 1e-4 * factors[:, :1]  # would know the factor as well as the living code does
    with_leak = np.hstack([factors, leak])
    for measure in ALL:
        assert measure(with_leak, factors) == pytest.approx(measure(factors, factors), abs=0.05)
    assert mig(np.hstack([factors, factors[:, :1]]), factors) == pytest.approx(0.75, abs=1e-12)


def test_a_factor_that_does_not_vary_is_left_out(factors):
    v = np.hstack([factors, np.full((len(factors), 1), 7)])
    assert mig(factors, v) == pytest.approx(1, abs=1e-12)
    with pytest.raises(DataError, match="no factor varies"):
        mig(factors, v[:, 4:])


def test_bad_codes_are_refused(factors):
    with pytest.raises(DataError, match=r"do not pair up.*got \(5, 4\) and \(768, 4\)"):
        sap(factors[:5], factors)
    with pytest.raises(DataError, match=r"whole numbers.*float64, 0 not finite"):
        dci(factors, factors / 2)
    with pytest.raises(DataError, match="768 not finite"):
        factor_vae_score(factors * [np.nan, 1, 1, 1], factors)
    with pytest.raises(ConfigError, match="bins: too few intervals"):
        mig(factors, factors, bins=1)


def test_the_table(factors, turned):
    found = {"notes": []}
    put_disentanglement(found, turned, factors)
    assert found["mig"] == mig(turned, factors)
    assert found["sap"] == sap(turned, factors)
    runs = [dci(turned, factors, seed=s).completeness for s in range(3)]
    assert found["dci_completeness"] == pytest.approx(np.mean(runs))
    assert found["dci_completeness_error"] == pytest.approx(np.std(runs, ddof=1) / np.sqrt(3))
    assert set(found) - {"notes"} <= set(KEYS)
    assert 0 < found["mig_error"] < 0.05
    assert json.loads(json.dumps(found)) == found


def test_the_error_of_mig_is_its_spread_over_samples():
    """The bootstrap against what new data would do."""
    rng = np.random.default_rng(0)

    def sample():
        v = rng.integers(0, 4, (200, 2))
        return v + rng.normal(size=(200, 2)), v

    def error():
        found = {"notes": []}
        put_disentanglement(found, *sample())
        return found["mig_error"]

    spread = np.std([mig(*sample()) for _ in range(200)], ddof=1)
    assert np.mean([error() for _ in range(4)]) == pytest.approx(spread, rel=0.4)


def test_the_table_says_why_there_are_no_scores(factors):
    found = {"notes": []}
    put_disentanglement(found, factors, None)
    assert found == {"notes": []}
    put_disentanglement(found, factors[:1], factors[:1])
    assert found["notes"] == [
        "no scores of disentanglement: no factor varies over these rows; got 1 rows"
    ]
