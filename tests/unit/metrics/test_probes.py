"""Probes of the codes against counts by hand, normal equations and scikit-learn."""

import numpy as np
import pytest
import sklearn.datasets
import sklearn.neighbors
import torch

from vaekit.errors import ConfigError, DataError
from vaekit.metrics import (
    cluster_agreement,
    knn_accuracy,
    linear_r2,
    logistic_accuracy,
    trustworthiness,
)


def by_hand(train, train_labels, codes, labels, k):
    distance = ((codes[:, None] - train[None]) ** 2).sum(-1)
    nearest = train_labels[np.argsort(distance, axis=1)[:, :k]]
    votes = [np.bincount(row).argmax() for row in nearest]
    return np.mean(votes == labels)


@pytest.mark.parametrize("k", [1, 5])
def test_accuracy_on_wine(k):
    x, y = sklearn.datasets.load_wine(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order] + 1e-6 * np.random.default_rng(1).normal(size=x.shape), y[order]
    parts = x[:100], y[:100], x[100:], y[100:]
    found = knn_accuracy(*parts, k=k)
    assert found == by_hand(*parts, k)
    direct = sklearn.neighbors.KNeighborsClassifier(k).fit(*parts[:2]).score(*parts[2:])
    assert found == direct
    assert 0.5 < found < 0.9


def test_tensors_and_words_are_welcome():
    codes = torch.tensor([[0.0], [1.0]])
    assert knn_accuracy(codes, ["a", "b"], codes + 0.1, ["a", "a"], k=1) == 0.5


def test_wrong_inputs_are_refused():
    codes = np.zeros((4, 2))
    with pytest.raises(ConfigError, match="expected between 1 and 4, got 5"):
        knn_accuracy(codes, [0, 1, 0, 1], codes, [0, 1, 0, 1])
    with pytest.raises(DataError, match=r"labels: one label for each code; expected \(4,\)"):
        knn_accuracy(codes, [0, 1, 0, 1], codes, [0], k=1)


def test_logistic_accuracy_does_not_depend_on_the_scale_of_the_codes():
    x, y = sklearn.datasets.load_wine(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    found = logistic_accuracy(x[:100], y[:100], x[100:], y[100:])
    scale = np.logspace(-6, 6, x.shape[1])
    assert found == logistic_accuracy(x[:100] * scale, y[:100], x[100:] * scale, y[100:])
    assert found > 0.95


def test_linear_r2_by_the_normal_equations():
    generator = np.random.default_rng(0)
    z, new = generator.normal(size=(80, 3)), generator.normal(size=(40, 3))
    weights = np.array([1.0, -2.0, 0.5])
    y, wanted = (c @ weights + 3 + generator.normal(size=len(c)) for c in (z, new))
    design = np.c_[z, np.ones(80)]
    fit = np.linalg.solve(design.T @ design, design.T @ y)
    residual = wanted - np.c_[new, np.ones(40)] @ fit
    expected = 1 - (residual**2).sum() / ((wanted - wanted.mean()) ** 2).sum()
    assert linear_r2(z, y, new, wanted) == pytest.approx(expected, rel=1e-10)
    assert 0.5 < expected < 0.95


def test_clusters_of_separated_groups_are_the_classes():
    generator = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c"], 30)
    codes = generator.normal(size=(90, 2)) + 50 * np.repeat(np.arange(3), 30)[:, None]
    assert cluster_agreement(codes, labels) == (1.0, pytest.approx(1.0))
    found = cluster_agreement(codes, generator.permutation(labels))
    assert abs(found.ari) < 0.1
    assert found.nmi < 0.1


def test_clusters_by_the_pairs_that_agree():
    """Three tight pairs of codes against classes that split one pair: Rand index by counting."""
    codes = np.array([[0.0], [0.1], [9.0], [9.1], [99.0], [99.1]])
    groups, labels = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 0, 1, 2, 2, 2])
    pairs = [(i, j) for i in range(6) for j in range(i)]
    together = sum(groups[i] == groups[j] and labels[i] == labels[j] for i, j in pairs)
    same_group = sum(groups[i] == groups[j] for i, j in pairs)
    same_label = sum(labels[i] == labels[j] for i, j in pairs)
    chance = same_group * same_label / len(pairs)
    expected = (together - chance) / ((same_group + same_label) / 2 - chance)
    assert cluster_agreement(codes, labels).ari == pytest.approx(expected, rel=1e-12)


def test_collapsed_codes_are_a_finding_and_no_warning():
    labels = np.arange(40) % 2
    found = cluster_agreement(np.zeros((40, 2)), labels)
    assert found == (0.0, 0.0)
    assert logistic_accuracy(np.zeros((40, 2)), labels, np.zeros((40, 2)), labels) == 0.5


def test_trustworthiness_by_its_definition():
    """1 minus the ranks by which false neighbours are too far, over the worst that can be."""
    generator = np.random.default_rng(0)
    x, z, k = generator.normal(size=(25, 4)), generator.normal(size=(25, 2)), 3
    x_rank = np.argsort(np.argsort(((x[:, None] - x) ** 2).sum(-1), axis=1), axis=1)
    z_near = np.argsort(((z[:, None] - z) ** 2).sum(-1), axis=1)[:, 1 : k + 1]
    penalty = sum(max(0, x_rank[i, j] - k) for i in range(25) for j in z_near[i])
    expected = 1 - 2 * penalty / (25 * k * (2 * 25 - 3 * k - 1))
    assert trustworthiness(x.reshape(25, 2, 2), z, k=k) == pytest.approx(expected, rel=1e-12)


def test_wrong_inputs_of_the_other_probes_are_refused():
    codes = np.zeros((4, 2))
    with pytest.raises(DataError, match="train_labels: nothing to tell apart"):
        logistic_accuracy(codes, [1, 1, 1, 1], codes, [1, 1, 1, 1])
    with pytest.raises(DataError, match=r"targets: one target for each code; expected \(4,\)"):
        linear_r2(codes, [0.0, 1.0, 2.0, 3.0], codes, [0.0])
    with pytest.raises(DataError, match="no variance to explain"):
        linear_r2(codes, [0.0, 1.0, 2.0, 3.0], codes[:1], [0.0])
    with pytest.raises(DataError, match="one label for each code"):
        cluster_agreement(codes, [0])
    with pytest.raises(DataError, match="one code for each row; expected 4, got 3"):
        trustworthiness(codes, codes[:3], k=1)
    with pytest.raises(ConfigError, match="at least 1, below 2, got 5"):
        trustworthiness(codes, codes)


PROBES = {
    "knn": lambda codes, labels: knn_accuracy(codes, labels, codes, labels, k=1),
    "logistic": lambda codes, labels: logistic_accuracy(codes, labels, codes, labels),
    "clusters": cluster_agreement,
}


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_one_class_is_refused_and_no_perfect_score(probe):
    with pytest.raises(DataError, match="nothing to tell apart; expected at least 2 classes"):
        probe(np.random.default_rng(0).normal(size=(8, 2)), np.ones(8, int))


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_codes_that_are_not_finite_are_refused(probe, wrong):
    codes = np.zeros((8, 2))
    codes[[3, 5], 1] = wrong
    with pytest.raises(DataError, match=r"codes: values that are not finite.*2 of 8 rows.*row 3"):
        probe(codes, np.arange(8) % 2)
    with pytest.raises(DataError, match="codes: values that are not finite"):
        trustworthiness(np.zeros((8, 2)), codes, k=1)
    with pytest.raises(DataError, match="x: values that are not finite"):
        trustworthiness(codes, np.zeros((8, 2)), k=1)
    with pytest.raises(DataError, match="train_codes: values that are not finite"):
        linear_r2(codes, np.arange(8.0), np.zeros((8, 2)), np.arange(8.0))
    with pytest.raises(DataError, match="targets: values that are not finite"):
        linear_r2(np.eye(8), np.arange(8.0), np.eye(8), codes[:, 1])


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_no_codes_are_refused(probe):
    with pytest.raises(DataError, match="no codes to probe"):
        probe(np.zeros((0, 2)), np.zeros(0, int))


def test_a_class_for_each_row_is_no_agreement():
    with pytest.raises(DataError, match="at least 2 classes and fewer than the 6 rows, got 6"):
        cluster_agreement(np.arange(6.0)[:, None], np.arange(6))


@pytest.mark.parametrize("wanted", [0.1, 5.0])
def test_numbers_that_do_not_vary_have_no_r2(wanted):
    codes = np.arange(6.0)[:, None]
    with pytest.raises(DataError, match=f"targets: no variance to explain; .* 6 times {wanted:g}"):
        linear_r2(codes, np.arange(6.0), codes, np.full(6, wanted))
