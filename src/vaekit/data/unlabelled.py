"""Labels that are missing: how they are written in memory, and how some are hidden on purpose."""

from __future__ import annotations

import numpy as np

__all__ = ["hidden", "missing", "without"]

NO_NUMBER = np.iinfo(np.int64).min
"""In place of a missing whole number, as NumPy and pandas have it for dates."""


def missing(labels: np.ndarray) -> np.ndarray:
    """Which labels are missing, shape (n,): empty text, or the least of all int64.

    Example:
        >>> missing(np.array(["ant", "", "cat"])).tolist()
        [False, True, False]
    """
    mask: np.ndarray = labels == (NO_NUMBER if labels.dtype.kind == "i" else "")
    return mask


def without(labels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The labels, but missing where ``mask`` says so.

    Example:
        >>> missing(without(np.array([3, 4]), np.array([True, False]))).tolist()
        [True, False]
    """
    return np.where(mask, NO_NUMBER if labels.dtype.kind == "i" else "", labels)


def hidden(labels: np.ndarray, rows: np.ndarray, keep: int, *, seed: int) -> np.ndarray:
    """The labels, but of ``rows`` only ``keep`` are left, as many of each class as there can be.

    Args:
        labels: Classes, shape (n,).
        rows: Numbers of the rows that may lose theirs; all others stay as they are.
        keep: How many of these rows keep their label.
        seed: Of the choice.

    Example:
        >>> labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
        >>> kept = hidden(labels, np.arange(8), 4, seed=0)
        >>> [int((kept == name).sum()) for name in (0, 1)]
        [2, 2]
    """
    order = np.random.default_rng(seed).permutation(rows)
    order = order[~missing(labels[order])]
    classes = np.unique(labels[order], return_inverse=True)[1]
    turn = np.empty(len(order), np.int64)
    for name in range(classes.max(initial=-1) + 1):
        members = classes == name
        turn[members] = np.arange(members.sum())
    lost = np.zeros(len(labels), bool)
    lost[order[np.argsort(turn, kind="stable")[keep:]]] = True
    return without(labels, lost)
