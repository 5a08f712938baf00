"""The nearest-neighbour probe against a vote counted by hand and against scikit-learn."""

import numpy as np
import pytest
import sklearn.datasets
import sklearn.neighbors
import torch

from vaekit.errors import ConfigError, DataError
from vaekit.metrics import knn_accuracy


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
