"""What simple methods can read from the codes: classes, numbers, groups and neighbours."""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.manifold import trustworthiness as _trustworthiness
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from vaekit.errors import ConfigError, DataError

__all__ = [
    "Clusters",
    "cluster_agreement",
    "knn_accuracy",
    "linear_r2",
    "logistic_accuracy",
    "trustworthiness",
]

MAX_STEPS = 1_000
STARTS = 4


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
        DataError: If there are no codes, they are not finite or do not pair up with the labels, or
            all training labels are the same.

    Example:
        >>> knn_accuracy([[0.0], [1.0]], [0, 1], [[0.1], [0.2], [0.9]], [0, 1, 1], k=1)
        0.6667
    """
    return float(np.mean(knn_hits(train_codes, train_labels, codes, labels, k)))


def knn_hits(
    train_codes: ArrayLike,
    train_labels: ArrayLike,
    codes: ArrayLike,
    labels: ArrayLike,
    k: int = 5,
) -> NDArray[np.bool_]:
    """Which rows :func:`knn_accuracy` counts, shape (n,)."""
    train, test = np.asarray(train_codes), np.asarray(codes)
    _need_pairs(train_labels=(train, train_labels), labels=(test, labels))
    if not 1 <= k <= len(train):
        raise ConfigError("not enough neighbours", expected=f"between 1 and {len(train)}", got=k)
    _need_classes(train_labels, where="train_labels")
    votes = KNeighborsClassifier(n_neighbors=k).fit(train, np.asarray(train_labels))
    return np.asarray(votes.predict(test) == np.asarray(labels))


def logistic_accuracy(
    train_codes: ArrayLike, train_labels: ArrayLike, codes: ArrayLike, labels: ArrayLike
) -> float:
    """The share of rows that a logistic regression on standardised training codes classifies well.

    Args:
        train_codes: Codes to fit, shape (m, latent_dim).
        train_labels: Their classes, shape (m,).
        codes: Codes to classify, shape (n, latent_dim).
        labels: Their classes, shape (n,).

    Raises:
        DataError: If there are no codes, they are not finite or do not pair up with the labels, or
            all training labels are the same.

    Example:
        >>> logistic_accuracy([[0.0], [1.0]], ["a", "b"], [[-3.0], [0.9]], ["a", "b"])
        1.0
    """
    return float(np.mean(logistic_hits(train_codes, train_labels, codes, labels)))


def logistic_hits(
    train_codes: ArrayLike, train_labels: ArrayLike, codes: ArrayLike, labels: ArrayLike
) -> NDArray[np.bool_]:
    """Which rows :func:`logistic_accuracy` counts, shape (n,)."""
    train, test = np.asarray(train_codes), np.asarray(codes)
    _need_pairs(train_labels=(train, train_labels), labels=(test, labels))
    _need_classes(train_labels, where="train_labels")
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=MAX_STEPS))
    with _as_far_as_it_goes():
        probe.fit(train, np.asarray(train_labels))
    return np.asarray(probe.predict(test) == np.asarray(labels))


def linear_r2(
    train_codes: ArrayLike, train_targets: ArrayLike, codes: ArrayLike, targets: ArrayLike
) -> float:
    """R² of a least-squares fit of numeric targets to the codes, on rows that it has not seen.

    Args:
        train_codes: Codes to fit, shape (m, latent_dim).
        train_targets: Their numbers, shape (m,).
        codes: Codes to predict from, shape (n, latent_dim).
        targets: Their numbers, shape (n,).

    Returns:
        1 for a perfect prediction, 0 for one as good as the mean, below for worse ones.

    Raises:
        DataError: If codes or targets are not finite or do not pair up, there are fewer than two
            rows, or their targets do not vary.

    Example:
        >>> linear_r2([[0.0], [1.0]], [1.0, 3.0], [[2.0], [3.0]], [5.0, 7.0])
        1.0
    """
    wanted = np.asarray(targets)
    return explained(wanted, linear_predictions(train_codes, train_targets, codes, wanted))


def linear_predictions(
    train_codes: ArrayLike, train_targets: ArrayLike, codes: ArrayLike, targets: ArrayLike
) -> NDArray[np.float64]:
    """What :func:`linear_r2` compares the targets with, shape (n,)."""
    train, test, wanted = np.asarray(train_codes), np.asarray(codes), np.asarray(targets)
    _need_pairs(train_targets=(train, train_targets), targets=(test, wanted))
    if len(test) < 2:
        raise DataError("no variance to explain", expected="at least 2 rows", got=len(test))
    if not np.ptp(wanted):
        raise DataError(
            "no variance to explain",
            expected="numbers that vary",
            got=f"{len(wanted)} times {wanted[0]:g}",
            where="targets",
        )
    fit = LinearRegression().fit(train, np.asarray(train_targets))
    return np.asarray(fit.predict(test), np.float64)


def explained(targets: NDArray[Any], predictions: NDArray[np.float64]) -> float:
    """R² of predictions: one minus the share of the variance that is left; NaN without any."""
    variance = np.square(targets - np.mean(targets)).sum()
    left = np.square(targets - predictions).sum()
    return float(1 - left / variance) if variance > 0 else math.nan


class Clusters(NamedTuple):
    """How far groups of codes are the classes; 1 when they are the same.

    Attributes:
        ari: Adjusted Rand index: 0 in expectation for random groups.
        nmi: Normalised mutual information, by the arithmetic mean of both entropies.
    """

    ari: float
    nmi: float


def cluster_agreement(codes: ArrayLike, labels: ArrayLike, *, seed: int = 0) -> Clusters:
    """Agreement of classes with as many k-means clusters of the codes as there are classes.

    Args:
        codes: Codes, shape (n, latent_dim).
        labels: Their classes, shape (n,).
        seed: Of the starts of k-means; the best of four counts.

    Raises:
        DataError: If codes are not finite or do not pair up with the labels, or there are not
            between two classes and one fewer than rows: then any groups agree.

    Example:
        >>> cluster_agreement([[0.0], [0.1], [9.0], [9.1]], ["a", "a", "b", "b"])
        Clusters(ari=1.0, nmi=1.0)
    """
    return agreement(np.asarray(labels), clusters(codes, labels, seed=seed))


def clusters(codes: ArrayLike, labels: ArrayLike, *, seed: int = 0) -> NDArray[np.int32]:
    """The groups that :func:`cluster_agreement` compares with the classes, shape (n,)."""
    values, classes = np.asarray(codes), np.asarray(labels)
    _need_pairs(labels=(values, classes))
    _need_classes(classes, where="labels", fewer_than=len(classes))
    kmeans = KMeans(len(np.unique(classes)), n_init=STARTS, random_state=seed)
    with _as_far_as_it_goes():
        return np.asarray(kmeans.fit_predict(values))


def agreement(classes: NDArray[Any], groups: NDArray[np.int32]) -> Clusters:
    """How far groups of rows are the classes."""
    return Clusters(
        float(adjusted_rand_score(classes, groups)),
        float(normalized_mutual_info_score(classes, groups)),
    )


def trustworthiness(x: ArrayLike, codes: ArrayLike, *, k: int = 5) -> float:
    """How far neighbours among the codes are neighbours in the data, from 0 to 1.

    Args:
        x: Data, shape ``(n, *event)``.
        codes: Their codes, shape (n, latent_dim).
        k: How many neighbours.

    Raises:
        DataError: If rows and codes do not pair up, or are not finite.
        ConfigError: If k is not between 1 and below n / 2.

    References:
        Neighborhood Preservation in Nonlinear Projection Methods (Venna & Kaski, 2001).

    Example:
        >>> x = np.random.default_rng(0).normal(size=(30, 3))
        >>> trustworthiness(x, 2 * x)
        1.0
    """
    rows, values = np.asarray(x, np.float64), np.asarray(codes, np.float64)
    if len(rows) != len(values):
        raise DataError("one code for each row", expected=len(rows), got=len(values))
    if not 1 <= k < len(rows) / 2:
        raise ConfigError(
            "not a number of neighbours", expected=f"at least 1, below {len(rows) / 2:g}", got=k
        )
    for name, numbers in (("x", rows), ("codes", values)):
        _need_finite(numbers, where=name)
    return float(_trustworthiness(rows.reshape(len(rows), -1), values, n_neighbors=k))


def _need_pairs(**pairs: tuple[NDArray[Any], ArrayLike]) -> None:
    for name, (values, targets) in pairs.items():
        codes = "train_codes" if name.startswith("train_") else "codes"
        got = np.asarray(targets).shape
        if got != (len(values),):
            raise DataError(
                f"one {name.removeprefix('train_')[:-1]} for each code",
                expected=(len(values),),
                got=got,
                where=name,
            )
        if not len(values):
            raise DataError("no codes to probe", where=codes)
        _need_finite(values, where=codes)
        _need_finite(np.asarray(targets), where=name)


def _need_finite(values: NDArray[Any], *, where: str) -> None:
    """Refuse numbers that are not finite; what is no number passes."""
    if values.dtype.kind not in "fc":
        return
    rows = ~np.isfinite(values.reshape(len(values), -1)).all(1)
    if rows.any():
        raise DataError(
            "values that are not finite",
            expected="finite numbers",
            got=f"{rows.sum():,} of {len(rows):,} rows with others, the first row {rows.argmax()}",
            where=where,
        )


def _need_classes(labels: ArrayLike, *, where: str, fewer_than: float = math.inf) -> None:
    """Refuse classes between which nothing could be told apart, or that every row is alone in."""
    classes = len(np.unique(labels))
    if 2 <= classes < fewer_than:
        return
    fewer = f" and fewer than the {fewer_than} rows" if classes >= 2 else ""
    raise DataError(
        "nothing to tell apart", expected=f"at least 2 classes{fewer}", got=classes, where=where
    )


def _as_far_as_it_goes() -> warnings.catch_warnings[Any]:
    """Optimisers may stop early on collapsed codes: that is a finding, and no reason to warn."""
    return warnings.catch_warnings(action="ignore", category=ConvergenceWarning)
