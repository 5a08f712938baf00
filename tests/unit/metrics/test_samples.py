"""Distances between samples against closed forms, brute force and sets small enough to see."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch

from vaekit.errors import ConfigError, DataError, ShapeError
from vaekit.metrics import (
    compare_manifolds,
    frechet_distance,
    frechet_normals,
    jackknife,
    kernel_distance,
)
from vaekit.objectives import mmd


def normal(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


# --- Fréchet ------------------------------------------------------------------------------------


def test_frechet_of_commuting_normals_is_the_closed_form():
    """With diagonal covariances: Σ (μ₁ − μ₂)² + (σ₁ − σ₂)²."""
    a, b = torch.tensor([1.0, 0.5, 0.0]), torch.tensor([2.0, 0.5, 3.0])
    shift = torch.tensor([1.0, 0.0, -2.0])
    found = frechet_normals(torch.zeros(3), a.square().diag(), shift, b.square().diag())
    assert float(found) == pytest.approx(5 + 1 + 9, rel=1e-12)


def test_frechet_of_any_normals_equals_scipy():
    x, y = normal(50, 4) @ normal(4, 4, seed=1), 1 + normal(60, 4, seed=2) @ normal(4, 4, seed=3)
    first, second = np.cov(x.numpy().T), np.cov(y.numpy().T)
    root = scipy.linalg.sqrtm(first @ second).real
    shift = ((x.mean(0) - y.mean(0)) ** 2).sum()
    expected = float(shift) + np.trace(first) + np.trace(second) - 2 * np.trace(root)
    assert float(frechet_distance(x, y)) == pytest.approx(expected, rel=1e-9)


def test_frechet_of_fewer_rows_than_features():
    """Both covariances are singular; a shift of all rows by δ is at distance |δ|²."""
    x = normal(10, 40)
    assert float(frechet_distance(x, x)) == pytest.approx(0, abs=1e-9)
    assert float(frechet_distance(x, x + 0.5)) == pytest.approx(40 / 4, rel=1e-9)


# --- the jackknife ------------------------------------------------------------------------------


def test_the_jackknife_error_of_a_difference_of_means_is_that_of_the_theory():
    """Averaged over repetitions, se² is σ²/n + τ²/m: unbiased for linear statistics."""
    x, y = normal(400, 200), 3 * normal(400, 100, seed=1)
    squared = [
        float(jackknife(lambda i, j, a=a, b=b: a[i].mean() - b[j].mean(), 200, 100)[1]) ** 2
        for a, b in zip(x, y, strict=True)
    ]
    exact = 1 / 200 + 9 / 100
    error = np.std(squared) / math.sqrt(400)
    assert np.mean(squared) == pytest.approx(exact, abs=4 * error)
    assert error < 0.05 * exact


def test_ten_groups_of_single_rows_are_the_ordinary_jackknife():
    x = normal(20)
    value, error = jackknife(lambda i, j: x[i].mean(), 20, 20, groups=10)
    groups = x.reshape(2, 10).mean(0)  # row i is in group i mod 10
    assert float(value) == pytest.approx(float(x.mean()), abs=1e-12)
    assert float(error) == pytest.approx(float(groups.std()) / math.sqrt(10), rel=1e-9)


# --- kernel distance ----------------------------------------------------------------------------


def test_mmd_by_brute_force():
    x, y = normal(5, 3), normal(4, 3, seed=1) + 1

    def k(a, b):
        return (float(a @ b) / 3 + 1) ** 3

    xx = np.mean([k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    yy = np.mean([k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
    xy = np.mean([k(a, b) for a in x for b in y])
    assert float(mmd(x, y, kernel="polynomial")) == pytest.approx(xx + yy - 2 * xy, rel=1e-12)


def test_kernel_distance_is_unbiased_and_knows_its_error():
    """Over many samples: mean 0 for equal distributions, and z-scores of variance one."""
    found = [
        kernel_distance(normal(100, 2, seed=2 * s), normal(100, 2, seed=2 * s + 1))
        for s in range(200)
    ]
    values, errors = np.array(found).T
    assert abs(values.mean()) < 4 * values.std() / math.sqrt(200)
    assert np.mean(errors**2) == pytest.approx(values.var(), rel=0.5)


def test_kernel_distance_equals_the_closed_form_for_a_shift():
    """In one dimension x ~ N(0, 1), y ~ N(1, 1): Σⱼ C(3, j) (E xʲ − E yʲ)² = 3 + 3 + 16."""
    x, y = normal(20_000, 1), 1 + normal(20_000, 1, seed=1)
    value, error = kernel_distance(x, y)
    assert value == pytest.approx(3 * 1 + 3 * 1 + 4**2, abs=4 * error)
    assert error < 1


# --- precision, recall, density, coverage -------------------------------------------------------


def by_brute_force(x, y, k):
    """The definitions, one ball at a time."""

    def radius(rows, i):
        return sorted(np.linalg.norm(rows - rows[i], axis=1))[k]

    x, y = x.numpy(), y.numpy()
    rx, ry = [radius(x, i) for i in range(len(x))], [radius(y, j) for j in range(len(y))]
    d = np.linalg.norm(x[:, None] - y[None], axis=-1)
    in_x = [[d[i, j] <= rx[i] for i in range(len(x))] for j in range(len(y))]
    in_y = [[d[i, j] <= ry[j] for j in range(len(y))] for i in range(len(x))]
    precision, recall = np.mean([any(r) for r in in_x]), np.mean([any(r) for r in in_y])
    density = np.sum(in_x) / (k * len(y))
    coverage = np.mean([any(in_x[j][i] for j in range(len(y))) for i in range(len(x))])
    return [precision, recall, density, coverage]


@pytest.mark.parametrize("k", [1, 5])
def test_shares_by_brute_force(k):
    x, y = normal(40, 3), 0.5 + 0.7 * normal(30, 3, seed=1)
    values, errors = compare_manifolds(x, y, k=k)
    assert [float(v) for v in values] == pytest.approx(by_brute_force(x, y, k), abs=1e-12)
    assert all(float(e) > 0 for e in errors)


def test_a_generator_that_forgets_half_of_the_data():
    """Two far clusters, of which one is generated: all realistic, half recalled and covered."""
    near, far = normal(50, 2), 100 + normal(50, 2, seed=1)
    generated = near[torch.arange(100) % 50]
    values, _ = compare_manifolds(torch.cat([near, far]), generated + 1e-6)
    assert float(values.precision) == 1.0
    assert float(values.coverage) == 0.5
    assert float(values.recall) <= 0.5


def test_an_outlier_lifts_precision_but_not_density():
    """The ball of one outlier holds all generated rows; they count 1/k in the density."""
    data = torch.cat([normal(40, 2), torch.tensor([[50.0, 0.0]], dtype=torch.float64)])
    generated = torch.tensor([30.0, 0.0], dtype=torch.float64) + 0.1 * normal(40, 2, seed=1)
    values, _ = compare_manifolds(data, generated, k=5)
    assert float(values.precision) == 1.0
    assert float(values.density) == pytest.approx(1 / 5, abs=1e-12)
    assert float(values.coverage) == pytest.approx(1 / 41, abs=1e-12)


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance, compare_manifolds])
def test_wrong_samples_are_refused(distance):
    with pytest.raises(ShapeError, match=r"\(n, F\) and \(m, F\)"):
        distance(torch.zeros(30, 2), torch.zeros(30, 3))
    with pytest.raises(DataError, match="at least 2 of each, got 1"):
        distance(torch.zeros(30, 2), torch.zeros(1, 2))
    with pytest.raises(DataError, match="generated rows: features that are no finite numbers"):
        distance(torch.zeros(30, 2), torch.full((30, 2), torch.nan))


def test_too_few_rows_or_neighbours_are_refused():
    with pytest.raises(DataError, match="at least 20 of each, got 19"):
        kernel_distance(torch.zeros(30, 2), torch.zeros(19, 2))
    with pytest.raises(DataError, match="expected at least 20, got 19"):
        compare_manifolds(normal(30, 2), normal(19, 2))
    with pytest.raises(ConfigError, match="between 1 and 17, got 18"):
        compare_manifolds(normal(20, 2), normal(30, 2), k=18)
