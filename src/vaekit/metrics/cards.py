"""What an investigator of fraud sees: the most suspicious cards of each day."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from vaekit.errors import ConfigError, DataError, ShapeError
from vaekit.metrics.labelled import Floats, labelled

__all__ = ["card_precision"]


def card_precision(
    day: ArrayLike,
    card: ArrayLike,
    label: ArrayLike,
    score: ArrayLike,
    k: int,
    *,
    remove_detected: bool = True,
) -> float:
    r"""Card Precision@k: how many of the k most suspicious cards of a day are fraudulent.

    .. math::
        \frac1{|D|} \sum_{d \in D} \frac{|\{\text{fraudulent cards in the top } k\}|}k

    Each day ranks the cards by their highest score of that day; a card is fraudulent if one of its
    transactions that day is. A day with fewer than k cards still divides by k. Cards that tie are
    ranked by their number or name, so that the order of the rows does not matter.

    Args:
        day: Of each transaction: anything that sorts, shape (n,).
        card: Of each transaction: anything that sorts, shape (n,).
        label: 1 for a fraudulent transaction, 0 for a genuine one, shape (n,).
        score: Higher is more suspicious, shape (n,).
        k: How many cards are checked each day.
        remove_detected: Whether a fraudulent card that was among the k of a day is blocked, and
            so missing from the lists of all later days.

    Raises:
        ConfigError: If k is below 1.
        DataError: If there is one class only, a score is not finite, or a day or card is missing.
        ShapeError: If the lengths differ, or there are no rows.

    References:
        Reproducible Machine Learning for Credit Card Fraud Detection: Practical Handbook (Le
        Borgne, Siblini, Lebichot & Bontempi, 2022), section "Precision top-k metrics".

    Example:
        >>> card_precision(
        ...     day=[1, 1, 1, 2, 2], card=["a", "a", "b", "a", "b"],
        ...     label=[0, 1, 0, 1, 0], score=[0.2, 0.9, 0.5, 0.8, 0.7], k=1,
        ... )
        0.5
    """
    if k < 1:
        raise ConfigError(
            "not a number of cards to check", expected="at least 1", got=k, where="k"
        )
    fraud, found = labelled(label, score)
    days, cards = _numbers(day, "day", len(found)), _numbers(card, "card", len(found))
    starts, cards, fraud, found = _by_day_and_card(days, cards, fraud, found)
    ends = np.append(starts[1:], len(cards))
    blocked = np.zeros(cards.max() + 1, dtype=bool)
    hits = 0
    for start, end in zip(starts, ends, strict=True):
        rows = start + np.flatnonzero(~blocked[cards[start:end]])
        top = rows[np.argsort(-found[rows], kind="stable")[:k]]
        caught = cards[top[fraud[top]]]
        hits += len(caught)
        if remove_detected:
            blocked[caught] = True
    return hits / (k * len(starts))


def _numbers(values: ArrayLike, where: str, n: int) -> NDArray[np.int64]:
    """The values numbered from 0 in sorted order."""
    array = np.asarray(values)
    if array.shape != (n,):
        raise ShapeError(
            "one value for each transaction", expected=(n,), got=array.shape, where=where
        )
    codes, _ = pd.factorize(array, sort=True)
    if (codes < 0).any():
        raise DataError("missing value", got=f"at index {codes.argmin()}", where=where)
    return codes.astype(np.int64)


def _by_day_and_card(
    days: NDArray[np.int64], cards: NDArray[np.int64], fraud: NDArray[np.bool_], scores: Floats
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], Floats]:
    """One row a day and card, sorted: where each day starts, the card, any fraud, the maximum."""
    order = np.lexsort((cards, days))
    days, cards = days[order], cards[order]
    new_day = np.append(True, days[1:] != days[:-1])
    first = np.flatnonzero(new_day | np.append(True, cards[1:] != cards[:-1]))
    starts = np.flatnonzero(new_day[first])
    return (
        starts,
        cards[first],
        np.logical_or.reduceat(fraud[order], first),
        np.maximum.reduceat(scores[order], first),
    )
