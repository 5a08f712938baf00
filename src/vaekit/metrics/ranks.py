"""Many methods over many data sets, compared by their ranks.

Values of different data sets do not compare, but orders within each do.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2, rankdata, studentized_range, wilcoxon

from vaekit.errors import ConfigError, DataError, ShapeError

__all__ = ["MethodRanks", "critical_difference", "holm", "rank_methods"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MethodRanks:
    """What the ranks of methods over data sets say; everything goes from best to worst.

    Attributes:
        methods: Their names, by mean rank.
        mean_ranks: 1 is best, the number of methods worst; shape (k,).
        wins: Data sets where no method was better; a shared win counts for each, shape (k,).
        sets: Data sets, n.
        alpha: The level of all tests.
        chi_square: Friedman's statistic, corrected for ties.
        friedman_p: The probability of one as large if all methods were alike.
        critical_difference: Of two mean ranks, by Nemenyi.
        p_values: Of each pair by Wilcoxon's signed ranks, corrected by Holm; (k, k), 1 on the
            diagonal.
        groups: Methods that Nemenyi's test does not tell apart: places of the first and last of
            each longest run, two or more methods, from 0.
        holm_groups: The same by ``p_values``, which unlike Nemenyi's test for a pair does not
            change much with the other methods.
    """

    methods: tuple[str, ...]
    mean_ranks: Floats
    wins: NDArray[np.int64]
    sets: int
    alpha: float
    chi_square: float
    friedman_p: float
    critical_difference: float
    p_values: Floats
    groups: tuple[tuple[int, int], ...]
    holm_groups: tuple[tuple[int, int], ...]

    def to_frame(self) -> pd.DataFrame:
        """One line a method: ``mean_rank`` and ``wins``."""
        columns = {"mean_rank": self.mean_ranks, "wins": self.wins}
        return pd.DataFrame(columns, index=pd.Index(self.methods, name="method"))


def rank_methods(
    values: pd.DataFrame | Mapping[str, Sequence[float]], alpha: float = 0.05
) -> MethodRanks:
    r"""Rank methods on each data set, and test what the ranks tell.

    Friedman's test asks whether the k methods differ at all over n sets. With mean ranks
    :math:`R_j` and, for ties, c the variance of all ranks over :math:`(k^2 - 1) / 12`,

    .. math:: \chi^2 = \frac{12 n}{c \, k (k + 1)} \sum_j \Big(R_j - \frac{k + 1}2\Big)^2 .

    Nemenyi's then tells apart methods whose mean ranks lie further apart than
    :func:`critical_difference`. Wilcoxon's signed ranks test each pair on its own; differences of
    0 count half for each side.

    Args:
        values: One row a data set, one column a method, higher is better; a mapping is read as
            columns. Round values first where small differences mean nothing.
        alpha: The level of the tests, above 0 and below 1.

    Raises:
        ConfigError: If alpha is not between 0 and 1.
        DataError: If a value is missing or no finite number.
        ShapeError: If there are fewer than two methods or two data sets.

    References:
        Statistical Comparisons of Classifiers over Multiple Data Sets (Demšar, 2006), JMLR 7. On
        Should We Really Use Post-Hoc Tests Based on Mean-Ranks? (Benavoli, Corani & Mangili,
        2016), JMLR 17, for pairs by Wilcoxon's test.

    Example:
        >>> found = rank_methods({"pca": [0.7, 0.6, 0.8], "vae": [0.8, 0.9, 0.8]})
        >>> found.methods, found.mean_ranks, found.wins
        (('vae', 'pca'), array([1.167, 1.833]), array([3, 1]))
    """
    table, names = _table(values)
    ranks = rankdata(-table, axis=1)
    order = np.argsort(ranks.mean(0), kind="stable")
    table, ranks = table[:, order], ranks[:, order]
    mean_ranks = ranks.mean(0)
    n, k = table.shape
    chi_square = _friedman(ranks)
    distance = critical_difference(k, n, alpha)
    p_values = _pairs(table)
    gap = mean_ranks[:, None] - mean_ranks
    return MethodRanks(
        methods=tuple(names[j] for j in order),
        mean_ranks=mean_ranks,
        wins=(table == table.max(1, keepdims=True)).sum(0),
        sets=n,
        alpha=alpha,
        chi_square=chi_square,
        friedman_p=float(chi2.sf(chi_square, k - 1)),
        critical_difference=distance,
        p_values=p_values,
        groups=_runs(k, lambda i, j: gap[j, i] < distance),
        holm_groups=_runs(k, lambda i, j: bool(p_values[i : j + 1, i : j + 1].min() > alpha)),
    )


def critical_difference(methods: int, sets: int, alpha: float = 0.05) -> float:
    r"""How far apart two mean ranks must be to differ, by Nemenyi.

    .. math:: q_\alpha \sqrt{\frac{k (k + 1)}{6 n}}

    with q the upper quantile of the studentised range of k values over √2.

    Args:
        methods: k, all that are compared.
        sets: n, data sets.
        alpha: The probability that any two of k equal methods are told apart.

    Raises:
        ConfigError: If alpha is not between 0 and 1, or there are fewer than two methods or no
            data sets.

    References:
        Statistical Comparisons of Classifiers over Multiple Data Sets (Demšar, 2006), JMLR 7.

    Example:
        >>> critical_difference(methods=4, sets=14)
        1.25
    """
    if not 0 < alpha < 1:
        raise ConfigError("not a level", expected="above 0 and below 1", got=alpha, where="alpha")
    if methods < 2 or sets < 1:
        raise ConfigError(
            "too few to compare",
            expected="at least 2 methods and 1 data set",
            got=f"{methods} and {sets}",
        )
    quantile = studentized_range.ppf(1 - alpha, methods, np.inf) / math.sqrt(2)
    return float(quantile * math.sqrt(methods * (methods + 1) / (6 * sets)))


def holm(p_values: ArrayLike) -> Floats:
    r"""p-values of m tests, corrected so that one false rejection is as rare as the level says.

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1) \, p_{(j)})

    Args:
        p_values: Of the tests, shape (m,).

    References:
        A Simple Sequentially Rejective Multiple Test Procedure (Holm, 1979), Scandinavian Journal
        of Statistics 6(2).

    Example:
        >>> holm([0.01, 0.04, 0.03])
        array([0.03, 0.06, 0.06])
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return np.minimum(corrected, 1.0)


def _table(values: pd.DataFrame | Mapping[str, Sequence[float]]) -> tuple[Floats, list[str]]:
    if not isinstance(values, pd.DataFrame):
        lengths = {name: len(column) for name, column in values.items()}
        if len(set(lengths.values())) > 1:
            raise ShapeError("one value a data set for each method", got=lengths, where="values")
    frame = pd.DataFrame(values)
    if frame.shape[0] < 2 or frame.shape[1] < 2:
        raise ShapeError(
            "too few to compare",
            expected="at least 2 data sets × 2 methods",
            got=f"{frame.shape[0]} × {frame.shape[1]}",
            where="values",
        )
    names = [str(name) for name in frame.columns]
    for name, (_, column) in zip(names, frame.items(), strict=True):
        if not pd.api.types.is_numeric_dtype(column):
            raise DataError("not numbers", got=column.dtype, where=name)
        bad = np.flatnonzero(~np.isfinite(column.to_numpy(dtype=np.float64, na_value=np.nan)))
        if bad.size:
            raise DataError(
                "a value is missing or not finite",
                got=f"{column.iloc[bad[0]]} on {frame.index[bad[0]]!r}",
                where=name,
                remedy="drop the data set, or give a method that failed its worst value",
            )
    return frame.to_numpy(dtype=np.float64), names


def _friedman(ranks: Floats) -> float:
    n, k = ranks.shape
    spread = ((ranks - (k + 1) / 2) ** 2).sum() / (n * (k - 1))
    return 0.0 if spread == 0 else float(n * ((ranks.mean(0) - (k + 1) / 2) ** 2).sum() / spread)


def _pairs(table: Floats) -> Floats:
    """Wilcoxon's p-values of all pairs of columns, corrected, as a symmetric matrix."""
    k = table.shape[1]
    pairs = list(itertools.combinations(range(k), 2))
    found = np.ones((k, k))
    corrected = holm([_wilcoxon(table[:, i] - table[:, j]) for i, j in pairs])
    for (i, j), p in zip(pairs, corrected, strict=True):
        found[i, j] = found[j, i] = p
    return found


def _wilcoxon(difference: Floats) -> float:
    if not difference.any():
        return 1.0
    return float(wilcoxon(difference, zero_method="zsplit").pvalue)


def _runs(k: int, alike: Callable[[int, int], bool]) -> tuple[tuple[int, int], ...]:
    """The longest runs of places of which the first and last are alike, none inside another."""
    runs: list[tuple[int, int]] = []
    for i in range(k):
        last = max(j for j in range(i, k) if j == i or alike(i, j))
        if last > i and (not runs or last > runs[-1][1]):
            runs.append((i, last))
    return tuple(runs)
