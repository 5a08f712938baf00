r"""Whether each coordinate of a code stands for one generative factor of the data.

All scores are functions of codes ``(n, d)`` and of the factors that made the rows, whole numbers
``(n, F)``, each of which counts as a set of classes. With a table S of how much code i tells about
factor j:

========================  =======================================  ==============  =============
score                     compares                                 perfect         useless codes
========================  =======================================  ==============  =============
:func:`mig`               mutual information, best and next code   1               0
:func:`sap`               balanced accuracy, best and next code    mean 1 − 1/V    0
:func:`dci`               entropies of importances; accuracy       1               0; chance
:func:`factor_vae_score`  votes for the code that varies least     1               1/F
========================  =======================================  ==============  =============

No score changes when codes are permuted or change sign. A code whose variance over the rows is
below 1 % of the largest one is dead and says nothing (a histogram would stretch its noise), so
codes must come in comparable units, as those of a model with a standard normal prior do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from vaekit.errors import ConfigError, DataError
from vaekit.metrics.bootstrap import bootstrap_error

__all__ = ["DCI", "dci", "factor_vae_score", "mig", "put_disentanglement", "sap"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DEAD = 0.01
BINS = 20
TREES = 10
LEAF = 5
VOTES = 800
DRAWN = 64
MOST_ROWS = 2_000
"""Rows, drawn at random, on which a table of metrics takes codes apart."""
BOOTSTRAPS = 10
REPEATS = 3


def mig(codes: ArrayLike, factors: ArrayLike, *, bins: int = BINS) -> float:
    r"""The mutual information gap, averaged over factors.

    .. math:: \frac{1}{F} \sum_j \frac{1}{H(v_j)}
              \left( I(z_{(1)}; v_j) - I(z_{(2)}; v_j) \right)

    with the two codes that know most of factor j. From n rows the plug-in estimate of I is too
    high by about (bins − 1)(V − 1) / 2n nats for each code alike, so that the gap is not.

    Args:
        codes: Shape (n, d).
        factors: Whole numbers, shape (n, F); a factor that does not vary is left out.
        bins: Each code is cut into so many equal intervals between its extremes.

    Returns:
        Between 0 and 1.

    Raises:
        DataError: If rows do not pair up, or no factor varies.

    References:
        Isolating Sources of Disentanglement in Variational Autoencoders (Chen, Li, Grosse &
        Duvenaud, 2018), arXiv:1802.04942.

    Example:
        >>> both = np.indices((4, 3)).reshape(2, -1).T
        >>> mig(both, both), mig(both @ [[1, 1], [1, -1]], both) < 0.3
        (1.0, True)
    """
    z, v = _paired(codes, factors)
    if bins < 2:
        raise ConfigError("too few intervals", expected="at least 2", got=bins, where="bins")
    span = np.ptp(z, axis=0)
    cut = ((z - z.min(0)) / np.where(span > 0, span, 1.0) * bins).astype(np.int64)
    cut = cut.clip(max=bins - 1)
    known = np.array([[_information(a, b) for b in v.T] for a in cut.T])
    entropy = np.array([_information(b, b) for b in v.T])
    return _gap(known / entropy, floor=np.zeros(len(entropy)))


def sap(codes: ArrayLike, factors: ArrayLike) -> float:
    """The separated attribute predictability score: a gap of accuracies, averaged over factors.

    Code i predicts factor j of V values by V − 1 thresholds, set greedily on the same rows; its
    accuracy counts every value alike. The gap is that between the two best codes. On all
    combinations of the factors, the second code of a perfect set has accuracy 1/V, so that the
    score is at most the mean of 1 − 1/V.

    Args:
        codes: Shape (n, d).
        factors: Whole numbers, shape (n, F); a factor that does not vary is left out.

    Raises:
        DataError: If rows do not pair up, or no factor varies.

    References:
        Variational Inference of Disentangled Latent Concepts from Unlabeled Observations (Kumar,
        Sattigeri & Balakrishnan, 2017), arXiv:1711.00848, with their classification of unordered
        factors for all, and chance where they have 0 for codes that are dead.

    Example:
        >>> both = np.indices((4, 4)).reshape(2, -1).T
        >>> sap(both, both)
        0.75
    """
    z, v = _paired(codes, factors)
    values = np.array([len(np.unique(b)) for b in v.T])
    scores = [
        [_threshold_accuracy(a, b, k) for b, k in zip(v.T, values, strict=True)] for a in z.T
    ]
    return _gap(np.array(scores), floor=1 / values)


@dataclasses.dataclass(frozen=True, slots=True)
class DCI:
    """What :func:`dci` gives, each between 0 and 1, 1 being best.

    Attributes:
        disentanglement: Whether each code is important for one factor only.
        completeness: Whether each factor needs one code only.
        informativeness: Accuracy of the predicted factors on rows not learnt from.
    """

    disentanglement: float
    completeness: float
    informativeness: float


def dci(codes: ArrayLike, factors: ArrayLike, *, seed: int = 0) -> DCI:
    r"""Disentanglement, completeness and informativeness of codes.

    On a random half of the rows, a forest for each factor j learns to predict it and says how
    important each code is, :math:`R_{ij} \ge 0` with :math:`\sum_i R_{ij} = 1`. Disentanglement is
    :math:`1 - H_F(R_{i\cdot} / \sum_j R_{ij})` averaged over codes in proportion to
    :math:`\sum_j R_{ij}`; completeness is :math:`1 - H_d(R_{\cdot j})` averaged over factors; H is
    in units of the entropy of the uniform distribution. Informativeness is the accuracy on the
    other half.

    Args:
        codes: Shape (n, d).
        factors: Whole numbers, shape (n, F); a factor that does not vary is left out.
        seed: Of the halves and the forests.

    Raises:
        DataError: If rows do not pair up, or no factor varies.

    References:
        A Framework for the Quantitative Evaluation of Disentangled Representations (Eastwood &
        Williams, 2018), openreview By-7dz-AZ; informativeness as an accuracy, not an error.

    Example:
        >>> both = np.indices((4, 4)).reshape(2, -1).T.repeat(20, 0)
        >>> dci(both, both)
        DCI(disentanglement=1.0, completeness=1.0, informativeness=1.0)
    """
    z, v = _paired(codes, factors)
    order = np.random.default_rng(seed).permutation(len(z))
    learnt, kept = order[: -(-len(z) // 2)], order[-(-len(z) // 2) :]
    importance, accuracy = [], []
    for factor in v.T:
        forest = RandomForestClassifier(
            TREES, max_features=None, min_samples_leaf=LEAF, random_state=seed
        ).fit(z[learnt], factor[learnt])
        importance.append(forest.feature_importances_)
        accuracy.append(forest.score(z[kept], factor[kept]))
    table = np.stack(importance, axis=1)
    return DCI(
        disentanglement=_concentration(table, among=v.shape[1]),
        completeness=_concentration(table.T, among=np.shape(codes)[1]),
        informativeness=float(np.mean(accuracy)),
    )


def factor_vae_score(
    codes: ArrayLike, factors: ArrayLike, *, votes: int = VOTES, seed: int = 0
) -> float:
    """The accuracy of guessing which factor was held fixed from the code that varies least.

    A vote holds a random factor at a random value, draws 64 of its rows with replacement, and
    names the code of least variance relative to that over all rows. The majority of ``votes``
    votes says which factor a code stands for; the score is the accuracy of that on as many new
    votes. Chance is 1/F.

    Args:
        codes: Shape (n, d).
        factors: Whole numbers, shape (n, F), preferably all combinations; a factor that does not
            vary is left out.
        votes: How many are counted, and how many are judged.
        seed: Of the draws.

    Raises:
        DataError: If rows do not pair up, or no factor varies.

    References:
        Disentangling by Factorising (Kim & Mnih, 2018), arXiv:1802.05983.

    Example:
        >>> both = np.indices((4, 4)).reshape(2, -1).T
        >>> factor_vae_score(both, both)
        1.0
    """
    z, v = _paired(codes, factors)
    rng = np.random.default_rng(seed)
    scale = np.maximum(z.var(0), np.finfo(float).tiny)
    alike = [[np.flatnonzero(column == k) for k in np.unique(column)] for column in v.T]
    fixed = rng.integers(len(alike), size=2 * votes)
    least = np.empty(2 * votes, np.int64)
    for vote, factor in enumerate(fixed):
        rows = alike[factor][rng.integers(len(alike[factor]))]
        least[vote] = np.argmin(z[rng.choice(rows, DRAWN)].var(0) / scale)
    table = np.zeros((z.shape[1], v.shape[1]))
    np.add.at(table, (least[:votes], fixed[:votes]), 1)
    return float(np.mean(table.argmax(1)[least[votes:]] == fixed[votes:]))


def put_disentanglement(
    found: dict[str, Any], codes: ArrayLike, factors: ArrayLike | None, *, seed: int = 0
) -> None:
    """Put all scores in a table of metrics; nothing where the factors are not known.

    At most 2,000 rows are looked at. The errors of ``mig`` and ``sap`` are those of 10 bootstraps
    over these rows. Those of the scores that draw (``dci_*``, ``factor_vae_score``) are standard
    errors of the mean of 3 seeds on the same rows: what halves, forests and votes make of it, and
    not what other rows would.

    Args:
        found: The table.
        codes: Shape (n, d).
        factors: Shape (n, F), or None.
        seed: Of rows, bootstraps and draws.
    """
    if factors is None:
        return
    z, v = np.asarray(codes, np.float64), np.asarray(factors)
    rng = np.random.default_rng(seed)
    if len(z) > MOST_ROWS:
        some = rng.permutation(len(z))[:MOST_ROWS]
        z, v = z[some], v[some]
    try:
        _paired(z, v)
    except DataError as error:
        found["notes"].append(f"no scores of disentanglement: {error}")
        return
    for name, measure in (("mig", mig), ("sap", sap)):
        found[name] = measure(z, v)
        found[f"{name}_error"] = _bootstrap(measure, z, v, rng)
    seeds = range(seed, seed + REPEATS)
    forests = [dataclasses.asdict(dci(z, v, seed=s)) for s in seeds]
    repeated = {f"dci_{name}": [f[name] for f in forests] for name in forests[0]}
    repeated["factor_vae_score"] = [factor_vae_score(z, v, seed=s) for s in seeds]
    for name, values in repeated.items():
        found[name] = float(np.mean(values))
        found[f"{name}_error"] = float(np.std(values, ddof=1) / np.sqrt(REPEATS))


def _bootstrap(
    measure: Callable[[Floats, Ints], float], z: Floats, v: Ints, rng: np.random.Generator
) -> float:
    """The error of a score over rows."""
    error = bootstrap_error(lambda i: measure(z[i], v[i]), len(z), draws=BOOTSTRAPS, rng=rng)
    return float(error)


def _paired(codes: ArrayLike, factors: ArrayLike) -> tuple[Floats, Ints]:
    """The codes that live, at least one, and the factors that vary."""
    z, v = np.asarray(codes, np.float64), np.asarray(factors)
    if z.ndim != 2 or v.ndim != 2 or len(z) != len(v) or not z.size:
        raise DataError(
            "codes and factors do not pair up",
            expected="shapes (n, d) and (n, F)",
            got=f"{z.shape} and {v.shape}",
        )
    if v.dtype.kind not in "bui" or not np.isfinite(z).all():
        raise DataError(
            "not codes and factors",
            expected="finite numbers and whole numbers",
            got=f"dtypes {z.dtype} and {v.dtype}, {np.sum(~np.isfinite(z))} not finite",
        )
    varies = np.ptp(v, axis=0) > 0
    if not varies.any():
        raise DataError("no factor varies over these rows", got=f"{len(v)} rows")
    variance = z.var(0)
    alive = variance >= DEAD * variance.max()
    return z[:, alive], v[:, varies].astype(np.int64)


def _information(a: Ints, b: Ints) -> float:
    """Mutual information of two columns of whole numbers from their joint histogram, in nats."""
    b = np.unique(b, return_inverse=True)[1]
    joint = np.bincount((a - a.min()) * (b.max() + 1) + b).astype(np.float64)
    joint.resize(int(np.ptp(a)) + 1, int(b.max()) + 1)
    joint /= joint.sum()
    independent = joint.sum(1, keepdims=True) * joint.sum(0)
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / independent[seen])).sum())


def _threshold_accuracy(code: Floats, factor: Ints, values: int) -> float:
    """Balanced accuracy with which ``values − 1`` thresholds on a code predict a factor."""
    tree = DecisionTreeClassifier(max_leaf_nodes=values, class_weight="balanced", random_state=0)
    predicted = tree.fit(code[:, None], factor).predict(code[:, None])
    return float(np.mean([np.mean(predicted[factor == k] == k) for k in np.unique(factor)]))


def _gap(table: Floats, *, floor: Floats) -> float:
    """Mean over factors of the best code's value minus the second's, which is at least the floor.

    Args:
        table: Codes × factors.
        floor: What a code that knows nothing has, one a factor.
    """
    best = np.sort(np.vstack([table, floor, floor]), axis=0)
    return float(np.mean(best[-1] - best[-2]))


def _concentration(table: Floats, *, among: int) -> float:
    """One minus the normalised entropy of each row, weighted by the rows' sums."""
    sums = table.sum(1)
    live = table[sums > 0] / sums[sums > 0, None]
    logs = np.log(live, out=np.zeros_like(live), where=live > 0)
    entropy = -(live * logs).sum(1) / np.log(max(among, 2))
    weight = sums[sums > 0]
    return float((weight * (1 - entropy)).sum() / weight.sum()) if len(weight) else 0.0
