"""Features of transactions, splits that wait for labels, and what is reported of them."""

import numpy as np
import pandas as pd
import pytest
from experiments import fraud_data
from experiments.fraud_data import FEATURES, PUBLISHED, featured, simulated, split
from experiments.fraud_detect import METHODS, SEEDS, WEEKS, measure, scored
from sklearn.ensemble import IsolationForest
from sklearn.preprocessing import StandardScaler

from vaekit.errors import DataError
from vaekit.metrics import card_precision

DAY = pd.Timedelta(days=1)

# The first training row in standard units, as the handbook prints it.
FIRST = [-0.1323, -0.6306, 2.1808, -0.3003, 0.1241, -1.6917, 0.5035, -1.6630, -0.0482]
FIRST += [-0.9810, -0.0816, -1.9895, -0.1231, -0.9719, -0.1436]

needs_transactions = pytest.mark.skipif(
    not fraud_data.TRANSACTIONS.is_file(), reason="the simulated transactions are not here"
)
needs_ulb = pytest.mark.skipif(
    not fraud_data.ULB.is_file(), reason="the sample of real transactions is not here"
)


def table(rows=400, days=60, seed=0):
    """Few cards and terminals, whole hours, so that windows have rows on their ends."""
    rng = np.random.default_rng(seed)
    hours = np.sort(rng.choice(days * 24, rows, replace=False))
    return pd.DataFrame(
        {
            "time": pd.Timestamp("2018-05-01") + pd.to_timedelta(hours, unit="h"),
            "card": rng.integers(4, size=rows),
            "terminal": rng.integers(3, size=rows),
            "amount": rng.gamma(2, 20, rows).round(2),
            "fraud": (rng.random(rows) < 0.1).astype(int),
        }
    )


def by_hand(raw, now):
    """The features of one row, by going through all of them."""
    card = raw[raw["card"] == now["card"]]
    terminal = raw[raw["terminal"] == now["terminal"]]
    found = [now["amount"], now["time"].weekday() in (5, 6), now["time"].hour < 7]
    for days in (1, 7, 30):
        recent = card[(card["time"] > now["time"] - days * DAY) & (card["time"] <= now["time"])]
        found += [len(recent), recent["amount"].mean()]
    for days in (1, 7, 30):
        end = now["time"] - 7 * DAY
        known = terminal[(terminal["time"] > end - days * DAY) & (terminal["time"] <= end)]
        found += [len(known), known["fraud"].mean() if len(known) else 0.0]
    return found


def test_features_are_those_of_every_row_by_hand():
    raw = table()
    made = featured(raw.sample(frac=1, random_state=0))
    expected = np.array([by_hand(raw, now) for _, now in raw.iterrows()], dtype=float)
    np.testing.assert_allclose(made[list(FEATURES)].to_numpy(float), expected, rtol=1e-9)
    assert (made["day"] == (raw["time"] - pd.Timestamp("2018-05-01")).dt.days).all()
    assert expected[:, 10].max() > 0  # some terminal was at risk


def test_a_split_removes_cards_whose_fraud_is_known():
    days = [0, 3, 7, 8, 14, 15, 16, 17]
    cards = [1, 2, 3, 4]
    rows = [(day, card) for day in days for card in cards]
    frauds = {(3, 1), (7, 2), (8, 3), (14, 4)}  # in training, and on three later days
    raw = pd.DataFrame(rows, columns=["day", "card"])
    raw["time"] = pd.Timestamp("2018-05-01 12:00") + raw.pop("day") * DAY
    raw = raw.assign(terminal=0, amount=1.0, fraud=[int(row in frauds) for row in rows])
    found = split(featured(raw), "2018-05-01")
    assert (len(found.train), found.train_fraud.sum()) == (8, 1)
    left = {int(day): set(found.card[found.day == day].tolist()) for day in set(found.day)}
    # On day d a fraud is known if it was before d − 7: that of day 7 from day 15 on.
    assert left == {14: {2, 3, 4}, 15: {3, 4}, 16: {4}, 17: {4}}
    assert found.fraud.sum() == 1


def test_a_split_outside_the_data_is_refused():
    with pytest.raises(DataError, match="no transaction"):
        split(simulated(cards=5), "2019-01-01")


def test_no_feature_of_the_past_reads_the_future():
    raw = table()
    later = raw["time"] >= "2018-06-15"
    changed = raw.copy()
    changed.loc[later, ["amount", "fraud"]] = [1e6, 1]
    names = list(FEATURES)
    np.testing.assert_array_equal(
        featured(raw)[names][~later.to_numpy()], featured(changed)[names][~later.to_numpy()]
    )
    labels = raw.assign(fraud=1)  # a label is unknown for a week, to its own row too
    same = featured(raw)["time"] < raw["time"].iloc[0] + 7 * DAY
    np.testing.assert_array_equal(featured(labels)[names][same], featured(raw)[names][same])


def test_missing_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"missing\.parquet"):
        fraud_data.transactions(tmp_path / "missing.parquet")
    with pytest.raises(DataError, match=r"missing\.csv"):
        fraud_data.ulb(tmp_path / "missing.csv")


@pytest.mark.parametrize(
    ("name", "feature"),
    [("amount alone", "amount"), ("terminal risk of 30 days alone", "terminal_risk_30d")],
)
def test_a_line_of_one_column_ranks_by_it(name, feature):
    week = split(simulated(), "2018-07-11")
    method = next(method for method in METHODS if method.name == name)
    (found,) = scored(method, week.train, week.test, SEEDS, 1)
    column = week.test[:, FEATURES.index(feature)]
    assert len(np.unique(column)) > 3
    np.testing.assert_array_equal(
        np.argsort(found, kind="stable"), np.argsort(column, kind="stable")
    )
    assert next(iter(WEEKS)) == "two weeks later"  # what was chosen on comes last


def test_card_precision_by_hand():
    day = np.repeat([1, 2, 3], 4)
    card = np.array([1, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 4])
    label = np.array([0, 1, 0, 0, 1, 1, 0, 0, 1, 0, 0, 1])
    score = np.array([9, 1, 8, 7, 9, 5, 6, 4, 9, 2, 1, 3.0])
    # Day 1: 1 (found), 2. Day 2 without 1: 3, 2 (found). Day 3 without 1 and 2: 4 (found), 3.
    assert card_precision(day, card, label, score, 2) == pytest.approx((1 + 1 + 1) / 6)
    assert card_precision(day, card, label, score, 1) == pytest.approx((1 + 0 + 1) / 3)
    assert card_precision(day, card, label, score, 4) == pytest.approx((1 + 1 + 1) / 12)


@needs_transactions
@pytest.mark.slow
def test_the_handbook_is_reproduced():
    made = fraud_data.transactions()
    assert (len(made), made["fraud"].sum()) == (1_754_155, 14_681)
    week = split(made, PUBLISHED)
    assert len(week.train) == 66_928
    scaler = StandardScaler().fit(week.train)
    np.testing.assert_allclose(scaler.transform(week.train[:1])[0], FIRST, atol=5.1e-5)
    forest = IsolationForest(n_estimators=10, random_state=42).fit(scaler.transform(week.train))
    score = -forest.score_samples(scaler.transform(week.test))
    assert np.round(measure(week, score), 3).tolist() == [0.808, 0.164, 0.190]


@needs_ulb
def test_real_frauds_are_distinct_and_in_one_part():
    x, fraud = fraud_data.ulb()
    assert (x.shape, fraud.sum()) == ((5_393, 29), 473)
    train, test, bad = fraud_data.ulb_split(3)
    assert (len(train), len(test), bad.sum()) == (2_460, 2_933, 473)
    both = np.concatenate([train, test])
    np.testing.assert_array_equal(np.sort(both[:, 0]), np.sort(x[:, 0]))
    train, test, bad = fraud_data.ulb_split(3, contamination=0.02)
    frauds = {row.tobytes() for row in x[fraud]}
    assert sum(row.tobytes() in frauds for row in train) == 50
    assert bad.sum() == 473 - 50
    with pytest.raises(DataError, match="too few frauds"):
        fraud_data.ulb_split(0, contamination=0.5)
