"""Card transactions: features of windows in time, splits that wait for labels, real frauds.

The simulated transactions, the features and the splits are those of Reproducible Machine Learning
for Credit Card Fraud Detection (Le Borgne, Siblini, Lebichot & Bontempi, 2022), "the handbook":
1,754,155 transactions of 5,000 cards at 10,000 terminals from April to September 2018, 14,681 of
them frauds. A fraud becomes known a week after it happened, and so does its terminal's risk: three
of the 15 features are made from past labels. Which of its three scenarios made a fraud is no
feature.

Its autoencoder and isolation forest learn without labels from all 66,928 transactions (633 frauds)
of the week from :data:`PUBLISHED`, and are measured in the week from 25 July, which also stops the
training of its autoencoder. The split from :data:`LATER` is the one that the handbook tests on:
its test week, from 8 August, took no part in that.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from experiments.record import HERE
from vaekit.errors import DataError

__all__ = [
    "FEATURES",
    "LATER",
    "PUBLISHED",
    "ULB",
    "Split",
    "featured",
    "simulated",
    "split",
    "transactions",
    "ulb",
    "ulb_split",
]

TABLES = HERE.parent.parent / "shared" / "data" / "tabular"
TRANSACTIONS = TABLES / "fraud_transactions.parquet"
ULB = TABLES / "creditcard_sample.csv"

WINDOWS = (1, 7, 30)
DELAY = 7
DAY = 86_400
PUBLISHED = "2018-07-11"
LATER = "2018-07-25"
COLUMNS = {
    "TX_DATETIME": "time",
    "CUSTOMER_ID": "card",
    "TERMINAL_ID": "terminal",
    "TX_AMOUNT": "amount",
    "TX_FRAUD": "fraud",
}
FEATURES = (
    "amount",
    "weekend",
    "night",
    *(f"card_{what}_{days}d" for days in WINDOWS for what in ("count", "mean")),
    *(f"terminal_{what}_{days}d" for days in WINDOWS for what in ("count", "risk")),
)


class Split(NamedTuple):
    """Features in their units (float64), and whom and when they describe.

    Attributes:
        train: Features of the training week, shape (n, 15).
        train_fraud: Their labels, which no method here reads but as the risk of a terminal later.
        test: Features of the test week, shape (m, 15).
        fraud: Labels of the test week, Boolean.
        day: Its days, counted from the first of the data.
        card: Its cards.
    """

    train: NDArray[np.float64]
    train_fraud: NDArray[np.bool_]
    test: NDArray[np.float64]
    fraud: NDArray[np.bool_]
    day: NDArray[np.int64]
    card: NDArray[np.int64]


@functools.cache
def transactions(path: Path = TRANSACTIONS) -> pd.DataFrame:
    """The handbook's transactions with their features; read once, and not to be changed.

    Returns:
        Columns ``time``, ``day``, ``card``, ``terminal``, ``fraud`` and :data:`FEATURES`, in order
        of time.

    Raises:
        DataError: If there is no such file.
    """
    if not path.is_file():
        raise DataError(
            "the simulated transactions are not here",
            got=path.name,
            remedy="join the daily files of the handbook's raw data into one Parquet file, or "
            "use --small",
        )
    return featured(pd.read_parquet(path, columns=list(COLUMNS)).rename(columns=COLUMNS))


def featured(raw: pd.DataFrame) -> pd.DataFrame:
    """Transactions with features of their time, their card and their terminal.

    A card's window of w days ends with the transaction itself, (t − w, t]: how many, and their
    mean amount. A terminal's ends :data:`DELAY` days earlier, (t − w − 7, t − 7]: how many, and
    which share of them were frauds (0 of none). Night is before 7 o'clock, as in the handbook.

    Args:
        raw: Columns ``time``, ``card``, ``terminal``, ``amount`` (in whole cents) and ``fraud``.

    Returns:
        The same rows in order of time, with ``day`` and :data:`FEATURES`.

    Example:
        >>> days = pd.to_datetime(["2018-04-01 09:00", "2018-04-03 00:00", "2018-04-09 00:00"])
        >>> raw = pd.DataFrame({"time": days, "card": 1, "terminal": 1, "fraud": [1, 0, 0]})
        >>> made = featured(raw.assign(amount=[10.0, 20.0, 60.0]))
        >>> made[["night", "card_count_7d", "card_mean_7d", "terminal_risk_1d"]].values.tolist()
        [[0.0, 1.0, 10.0, 0.0], [1.0, 2.0, 15.0, 0.0], [1.0, 2.0, 40.0, 1.0]]
    """
    made = raw.sort_values("time", kind="stable", ignore_index=True)
    time = made["time"]
    seconds = time.to_numpy("datetime64[s]").astype(np.int64)
    made["day"] = seconds // DAY - seconds[0] // DAY
    made["weekend"] = (time.dt.day_of_week >= 5).astype(float)
    made["night"] = (time.dt.hour <= 6).astype(float)
    cards, terminals = (Rolling(made[who].to_numpy(), seconds) for who in ("card", "terminal"))
    cents = np.rint(100 * made["amount"].to_numpy(float)).astype(np.int64)
    frauds = made["fraud"].to_numpy(np.int64)
    for days in WINDOWS:
        count, total = cards.window(cents, days)
        made[f"card_count_{days}d"], made[f"card_mean_{days}d"] = count, total / count / 100
        count, total = terminals.window(frauds, days, delay=DELAY)
        made[f"terminal_count_{days}d"] = count
        made[f"terminal_risk_{days}d"] = total / np.maximum(count, 1)
    return made[["time", "day", "card", "terminal", "fraud", *FEATURES]]


class Rolling:
    """Windows in time for every row, of the rows of the same key.

    Args:
        key: Whose row it is, shape (n,).
        seconds: Whole seconds, ascending, shape (n,).
    """

    def __init__(self, key: NDArray[Any], seconds: NDArray[np.int64]) -> None:
        codes = np.unique(key, return_inverse=True)[1].astype(np.int64)
        self.order = np.argsort(codes, kind="stable")
        # One number line for all keys, with room between them for the longest window.
        room = int(np.ptp(seconds)) + 2 * (max(WINDOWS) + DELAY) * DAY
        self.line = codes[self.order] * room + (seconds - seconds[0])[self.order]

    def window(
        self, values: NDArray[np.int64], days: int, *, delay: int = 0
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How many rows are in (t − delay − days, t − delay], and the sum of their values.

        Whole numbers, as rounding would let rows outside a window change its sum.

        Without a delay a window ends with its own row, also where another has the same time.
        """
        n = len(self.line)
        end = np.arange(1, n + 1)
        if delay:
            end = np.searchsorted(self.line, self.line - delay * DAY, side="right")
        start = np.searchsorted(self.line, self.line - (delay + days) * DAY, side="right")
        sums = np.concatenate([[0], np.cumsum(values[self.order])])
        count, total = np.empty(n), np.empty(n)
        count[self.order] = end - start
        total[self.order] = sums[end] - sums[start]
        return count, total


def split(
    made: pd.DataFrame, start: str = PUBLISHED, *, train: int = 7, delay: int = 7, test: int = 7
) -> Split:
    """A training week, a week in which its frauds become known, and a test week.

    A card leaves the test at the day after one of its frauds since ``start`` became known: for the
    test day d, a fraud of a day before d − delay. So the test asks for cards that are newly
    compromised.

    Args:
        made: From :func:`featured`.
        start: First day of training, ``YYYY-MM-DD``.
        train: Days of training.
        delay: Days until a fraud is known.
        test: Days of test.

    Raises:
        DataError: If training or test would have no row.
    """
    origin = made["time"].iloc[0].normalize()
    first = (pd.Timestamp(start) - origin).days
    day, fraud = made["day"], made["fraud"] == 1
    learned = made[(day >= first) & (day < first + train)]
    known = made[fraud & (day >= first)].groupby("card")["day"].min()
    begin = first + train + delay
    week = made[(day >= begin) & (day < begin + test)]
    known_since = week["card"].map(known).to_numpy(float)  # NaN, never: comparisons are false
    week = week[~(known_since < week["day"].to_numpy() - delay)]
    if learned.empty or week.empty:
        raise DataError(
            "a part of the split has no transaction",
            expected=f"days of the data, {origin:%Y-%m-%d} to {made['time'].iloc[-1]:%Y-%m-%d}",
            got=f"{train} + {delay} + {test} days from {start}",
        )
    names = list(FEATURES)
    return Split(
        learned[names].to_numpy(float),
        learned["fraud"].to_numpy() == 1,
        week[names].to_numpy(float),
        week["fraud"].to_numpy() == 1,
        week["day"].to_numpy(np.int64),
        week["card"].to_numpy(np.int64),
    )


def simulated(*, cards: int = 200, days: int = 80, seed: int = 0) -> pd.DataFrame:
    """Small transactions of the same kind from 1 June 2018, with features, for a quick try.

    Each card spends about its own mean amount. Every few days a terminal is compromised, which
    makes half of its transactions frauds for four weeks, and a card, of which a third of the
    transactions are five times as large for two weeks.
    """
    rng = np.random.default_rng(seed)
    terminals = 2 * cards
    card = np.repeat(np.arange(cards), rng.poisson(rng.uniform(0.2, 4, cards) * days))
    n = len(card)
    day = rng.integers(days, size=n)
    second = (day + np.clip(rng.normal(0.5, 0.23, n), 0, 0.999)) * DAY
    near = rng.integers(terminals, size=(cards, 20))
    terminal = near[card, rng.integers(20, size=n)]
    amount = np.abs(rng.normal(1, 0.5, n)) * rng.uniform(5, 100, cards)[card]
    fraud = np.zeros(n, bool)
    for since in range(0, days, 2):
        lately = (day >= since) & (day < since + 28)
        fraud |= lately & (terminal == rng.integers(terminals)) & (rng.random(n) < 1 / 2)
        lately = (day >= since) & (day < since + 14)
        taken = lately & (card == rng.integers(cards)) & (rng.random(n) < 1 / 3)
        amount[taken] *= 5
        fraud |= taken
    amount = amount.round(2)
    time = pd.Timestamp("2018-06-01") + pd.to_timedelta(second.astype(np.int64), unit="s")
    parts = {"time": time, "card": card, "terminal": terminal, "amount": amount, "fraud": fraud}
    return featured(pd.DataFrame(parts).astype({"fraud": int}))


@functools.cache
def ulb(path: Path = ULB) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Real card transactions: 473 distinct frauds and 4,920 others, 29 columns.

    A sample of the two days of Dal Pozzolo, Caelen, Johnson & Bontempi (2015): of 284,807, all 492
    frauds, of which 19 repeat another, and 4,920 others. So frauds are 8.8 %, not 0.17 %: an area
    under the ROC curve compares with that of the full data, an average precision does not. The
    seconds since the first transaction are left out.

    Returns:
        Rows (V1 to V28, amount), and whether each is a fraud.

    Raises:
        DataError: If there is no such file.
    """
    if not path.is_file():
        raise DataError("the sample of real card transactions is not here", got=path.name)
    table = pd.read_csv(path).drop_duplicates()
    return table.drop(columns=["Time", "Class"]).to_numpy(float), table["Class"].to_numpy() == 1


def ulb_split(
    seed: int, *, contamination: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Half of the normal rows to learn from; the others and the frauds to tell apart.

    Args:
        seed: Of the halves.
        contamination: Share of frauds among the training rows, which then are not in the test;
            0.0017 is that of the full data.

    Returns:
        Training rows, test rows, and whether each test row is a fraud.

    Raises:
        DataError: If there is no such file, or not enough frauds for this contamination.
    """
    x, fraud = ulb()
    rng = np.random.default_rng(seed)
    normal, bad = rng.permutation(np.flatnonzero(~fraud)), rng.permutation(np.flatnonzero(fraud))
    half = len(normal) // 2
    mixed = round(half * contamination / (1 - contamination)) if contamination < 1 else len(bad)
    if not 0 <= mixed < len(bad):
        raise DataError(
            "too few frauds", expected=f"fewer than {len(bad)} in training", got=contamination
        )
    train = np.concatenate([normal[:half], bad[:mixed]])
    test = np.concatenate([normal[half:], bad[mixed:]])
    return x[train], x[test], fraud[test]
