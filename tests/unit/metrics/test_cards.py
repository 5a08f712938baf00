"""Card Precision@k against days read one by one with plain lists."""

import numpy as np
import pandas as pd
import pytest

from vaekit.errors import ConfigError, DataError, ShapeError
from vaekit.metrics import card_precision


def by_hand(day, card, label, score, k, remove_detected):
    rows = list(zip(day, card, label, score, strict=True))
    blocked, found = set(), []
    for d in sorted(set(day)):
        best, fraud = {}, {}
        for _, c, y, s in (row for row in rows if row[0] == d and row[1] not in blocked):
            best[c] = max(s, best.get(c, -np.inf))
            fraud[c] = fraud.get(c, False) or bool(y)
        top = sorted(best, key=lambda c: (-best[c], c))[:k]
        caught = [c for c in top if fraud[c]]
        found.append(len(caught) / k)
        if remove_detected:
            blocked.update(caught)
    return np.mean(found)


@pytest.mark.parametrize("remove_detected", [True, False])
@pytest.mark.parametrize("digits", [6, 0], ids=["no ties", "ties"])
@pytest.mark.parametrize("k", [1, 5, 100])
def test_days_one_by_one(remove_detected, digits, k):
    generator = np.random.default_rng(k)
    day, card = generator.integers(0, 12, 900), generator.integers(0, 40, 900)
    label = (generator.random(900) < 0.08) | (card < 3)
    score = np.round(generator.normal(size=900) + label, digits)
    found = card_precision(day, card, label, score, k, remove_detected=remove_detected)
    expected = by_hand(day, card, label, score, k, remove_detected)
    assert found == pytest.approx(expected, rel=1e-12)
    order = generator.permutation(900)
    shuffled = (values[order] for values in (day, card, label, score))
    assert card_precision(*shuffled, k, remove_detected=remove_detected) == found


def test_a_detected_card_is_missed_later():
    frame = pd.DataFrame(
        {
            "day": pd.to_datetime(["2018-04-01", "2018-04-01", "2018-04-02", "2018-04-02"]),
            "card": ["a", "b", "a", "b"],
            "label": [1, 0, 1, 0],
            "score": [0.9, 0.1, 0.9, 0.1],
        }
    )
    columns = [frame[name] for name in frame]
    assert card_precision(*columns, k=1) == 0.5
    assert card_precision(*columns, k=1, remove_detected=False) == 1.0


def test_a_card_is_as_suspicious_as_its_worst_transaction():
    """Card 7 is fraudulent by one transaction and leads by another; its frauds of day 2 do not
    count on day 1."""
    day, card, label = [1, 1, 1, 2, 2], [7, 7, 8, 8, 7], [1, 0, 0, 1, 0]
    assert card_precision(day, card, label, [0.1, 0.9, 0.5, 0.4, 0.3], k=1) == 1.0
    assert card_precision(day, card, label, [0.1, 0.2, 0.5, 0.4, 0.3], k=1) == 0.5


def test_wrong_inputs_are_refused():
    with pytest.raises(
        ConfigError, match="k: not a number of cards to check; expected at least 1"
    ):
        card_precision([1, 1], [1, 2], [0, 1], [0.1, 0.2], k=0)
    with pytest.raises(ShapeError, match=r"day: one value for each transaction; expected \(2,\)"):
        card_precision([1], [1, 2], [0, 1], [0.1, 0.2], k=1)
    with pytest.raises(DataError, match="card: missing value; got at index 1"):
        card_precision([1, 1], ["a", None], [0, 1], [0.1, 0.2], k=1)
    with pytest.raises(DataError, match="one class only"):
        card_precision([1, 1], [1, 2], [0, 0], [0.1, 0.2], k=1)
