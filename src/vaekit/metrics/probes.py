"""What a simple classifier can read from the codes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.neighbors import KNeighborsClassifier

from vaekit.errors import ConfigError, DataError

__all__ = ["knn_accuracy"]


def knn_accuracy(
    train_codes: ArrayLike,
    train_labels: ArrayLike,
    codes: ArrayLike,
    labels: ArrayLike,
    k: int = 5,
) -> float:
    """The share of rows whose label their k nearest training codes predict by majority.

    Args:
        train_codes: Codes to vote, shape (m, latent_dim).
        train_labels: Their classes, shape (m,).
        codes: Codes to classify, shape (n, latent_dim).
        labels: Their classes, shape (n,).
        k: How many neighbours vote, by Euclidean distance.

    Raises:
        ConfigError: If k is not between 1 and the number of training codes.
        DataError: If codes and labels do not pair up.

    Example:
        >>> knn_accuracy([[0.0], [1.0]], [0, 1], [[0.1], [0.2], [0.9]], [0, 1, 1], k=1)
        0.6667
    """
    train, test = np.asarray(train_codes), np.asarray(codes)
    for name, values, classes in (
        ("train_labels", train, np.asarray(train_labels)),
        ("labels", test, np.asarray(labels)),
    ):
        if classes.shape != (len(values),):
            raise DataError(
                "one label for each code", expected=(len(values),), got=classes.shape, where=name
            )
    if not 1 <= k <= len(train):
        raise ConfigError("not enough neighbours", expected=f"between 1 and {len(train)}", got=k)
    votes = KNeighborsClassifier(n_neighbors=k).fit(train, np.asarray(train_labels))
    return float(votes.score(test, np.asarray(labels)))
