"""The probes of a table: their errors against the spread of fresh samples, rows without labels."""

import math

import numpy as np
import pytest

from vaekit.metrics import (
    blank_metrics,
    cluster_agreement,
    knn_accuracy,
    logistic_accuracy,
    put_neighbours,
    put_probes,
)
from vaekit.metrics.bootstrap import bootstrap_error

NAMES = ("knn_accuracy", "logistic_accuracy", "ari", "nmi")


def table(put, n, *arrays):
    found = blank_metrics(n)
    put(found, *arrays)
    return found


def two_classes(n, rng):
    """Codes of two classes that overlap."""
    y = rng.integers(2, size=n)
    return rng.normal(size=(n, 2)) + 2 * y[:, None], y


def test_the_bootstrap_error_of_a_mean_is_that_of_the_theory():
    x = np.random.default_rng(0).normal(size=300)
    found = bootstrap_error(lambda rows: x[rows].mean(), 300, draws=2_000)
    assert found == pytest.approx(x.std() / math.sqrt(300), rel=0.07)


def test_accuracies_have_the_standard_error_of_a_share():
    rng = np.random.default_rng(0)
    (train, known), (test, y) = two_classes(100, rng), two_classes(50, rng)
    found = table(put_probes, 50, train, known, test, y)
    direct = {
        "knn_accuracy": knn_accuracy(train, known, test, y),
        "logistic_accuracy": logistic_accuracy(train, known, test, y),
    }
    for name, share in direct.items():
        assert found[name] == pytest.approx(share, abs=1e-15)
        assert 0.5 < share < 1
        error = math.sqrt(share * (1 - share) / 49)  # s over n − 1
        assert found[f"{name}_error"] == pytest.approx(error, rel=1e-12)
    assert (found["ari"], found["nmi"]) == cluster_agreement(test, y)


def test_errors_are_the_spread_over_fresh_rows():
    """30 sets of 150 rows, measured by one training set."""
    rng = np.random.default_rng(0)
    train, known = two_classes(400, rng)
    found = [table(put_probes, 150, train, known, *two_classes(150, rng)) for _ in range(30)]
    for name in NAMES:
        spread = np.std([f[name] for f in found], ddof=1)
        errors = np.array([f[f"{name}_error"] for f in found])
        assert np.sqrt(np.mean(errors**2)) == pytest.approx(spread, rel=0.35), name


def test_errors_of_r2_and_trustworthiness_are_the_spread_over_fresh_rows():
    rng = np.random.default_rng(0)

    def rows(n):
        z = rng.normal(size=(n, 4)) * [3, 2, 1, 1]
        return z, z[:, 0] + 2 * rng.normal(size=n)

    train = rows(400)
    found = []
    for _ in range(60):
        z, y = rows(150)
        one = table(put_probes, 150, *train, z, y)
        put_neighbours(one, z, z[:, :2])
        found.append(one)
    for name in ("linear_r2", "trustworthiness"):
        spread = np.std([f[name] for f in found], ddof=1)
        errors = np.array([f[f"{name}_error"] for f in found])
        assert np.sqrt(np.mean(errors**2)) == pytest.approx(spread, rel=0.35), name


def test_rows_without_a_label_count_nowhere():
    """Half of the rows, far from all others, have the code −1 of a missing class."""
    rng = np.random.default_rng(0)
    (train, known), (test, y) = two_classes(100, rng), two_classes(50, rng)

    def mixed(codes, labels):
        return np.concatenate([codes, codes + 99]), np.concatenate([labels, 0 * labels - 1])

    found = table(put_probes, 50, train, known, test, y)
    assert table(put_probes, 50, *mixed(train, known), *mixed(test, y)) == found
    nobody = table(put_probes, 50, train, 0 * known - 1, test, y)
    assert nobody["notes"] == [
        "no knn_accuracy: no training row, or no evaluated one, has a label"
    ]
    assert all(nobody[name] is None for name in NAMES)


def test_numbers_below_zero_are_numbers():
    codes = np.linspace(-1, 1, 30)[:, None]
    found = table(put_probes, 30, codes, 3 * codes[:, 0], codes, 3 * codes[:, 0])
    assert found["linear_r2"] == pytest.approx(1)
    assert found["linear_r2_error"] == pytest.approx(0, abs=1e-12)


def test_few_rows_have_a_trustworthiness_without_an_error():
    x = np.random.default_rng(0).normal(size=(15, 3))
    found = table(put_neighbours, 15, x, x)
    assert found["trustworthiness"] == 1
    assert found["trustworthiness_error"] is None
