"""Frauds without labels: simulated card transactions over time, and real ones.

No method is told which of the rows that it learns from are frauds; each says how unusual a new row
is. But 3 of the 15 columns of the simulated transactions, the inputs of every method, are made
from past labels: the share of known frauds at a terminal over 1, 7 and 30 days, a week late. What
the last of them finds alone is a line of its own.

Measured are the area under the ROC curve, average precision, and Card Precision@100: which share
of the 100 most suspicious cards of a day are frauds that nobody has reported yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from experiments.fraud_baselines import AutoencoderError, OneColumn, PCAError
from experiments.fraud_data import (
    FEATURES,
    LATER,
    PUBLISHED,
    ULB,
    Split,
    simulated,
    split,
    transactions,
    ulb_split,
)
from experiments.record import Results, parser
from vaekit import VAEDetector, plots
from vaekit.metrics import card_precision

SEEDS = (0, 1)
CHECKED = (10, 25, 50, 100, 200)
MEASURES = ("AUROC", "average precision", "CP@100")
REAL = MEASURES[:2]
CONTAMINATION = 0.02
WEEKS = {"two weeks later": LATER, "the published week": PUBLISHED}
Scores = NDArray[np.float64]


class Effort(NamedTuple):
    """How much to spend."""

    seeds: tuple[int, ...]
    epochs: int
    epochs_real: int


FULL = Effort(seeds=SEEDS, epochs=48, epochs_real=100)
SMALL = Effort(seeds=SEEDS, epochs=2, epochs_real=2)


class Method(NamedTuple):
    """A detector with ``fit(X)`` and ``score_samples(X)``, higher for what is more normal.

    Attributes:
        name: What the tables call it.
        make: From a seed and a number of epochs; X has columns in standard units.
        random: Whether the seed matters.
        published: AUROC, average precision and CP@100 in the handbook.
    """

    name: str
    make: Callable[[int, int], Any]
    random: bool = True
    published: str | None = None


FOREST = Method(
    "isolation forest, 100 trees", lambda seed, epochs: IsolationForest(random_state=seed)
)
AUTOENCODER = Method(
    "autoencoder",
    lambda seed, epochs: AutoencoderError(epochs, random_state=seed),
    published="0.836, 0.180, 0.217",
)


def vae(seed: int, epochs: int, **params: Any) -> VAEDetector:
    """A VAE whose noise depends on the code: a card that spends much varies much.

    Set by hand; no record says on which data.
    """
    return VAEDetector(
        latent_dim=8,
        likelihood="gaussian:scale=per-element:floor=0.05",
        epochs=max(1, epochs // 4),
        batch_size=512,
        random_state=seed,
        **params,
    )


def column(name: str) -> OneColumn:
    """One feature as the score."""
    return OneColumn(FEATURES.index(name))


VAES = [
    Method("VAE, all by default", lambda seed, epochs: VAEDetector(random_state=seed)),
    Method("VAE", vae),
    Method("VAE, log p(x)", lambda seed, epochs: vae(seed, epochs, scoring="iwae", n_draws=16)),
    Method("stacked VAE", lambda seed, epochs: vae(seed, epochs, stacked=(16,))),
]
METHODS = [
    Method("amount alone", lambda seed, epochs: column("amount"), random=False),
    Method(
        "terminal risk of 30 days alone",
        lambda seed, epochs: column("terminal_risk_30d"),
        random=False,
    ),
    Method("PCA error, 6 of 15", lambda seed, epochs: PCAError(6), random=False),
    Method(
        "isolation forest, 10 trees, their seed",
        lambda seed, epochs: IsolationForest(n_estimators=10, random_state=42),
        random=False,
        published="0.808, 0.164, 0.190",
    ),
    Method(
        "isolation forest, 10 trees",
        lambda seed, epochs: IsolationForest(n_estimators=10, random_state=seed),
    ),
    FOREST,
    AUTOENCODER,
    *VAES,
]
REAL_METHODS = [
    Method("PCA error, 15 of 29", lambda seed, epochs: PCAError(15), random=False),
    FOREST,
    AUTOENCODER,
    *VAES,
]


def main(words: list[str] | None = None) -> Path:
    """Run the experiment and write its results."""
    options = parser((__doc__ or "").splitlines()[0]).parse_args(words)
    effort = SMALL if options.small else FULL
    results = Results("fraud_detect", options.out, title="Frauds without labels")
    results.text((__doc__ or "").partition("\n\n")[2])
    if options.small:
        made = simulated()
        results.text("Here on small simulated data, so that no published figure compares.")
    else:
        made = transactions(*named(options.data))
    results.text(PROTOCOL)
    results.text(CHOSEN)
    curves = {}
    for name, start in WEEKS.items():
        compared = start == PUBLISHED and not options.small
        curves[name] = show(results, name, split(made, start), effort, compared=compared)
    caption = "Frauds among the most suspicious cards of a day, by how many are checked."
    results.picture(
        "checked", caption, plots.panels(CHECKED, curves, xlabel="cards checked in a day")
    )
    if ULB.is_file() and not options.small:
        show_real(results, effort)
    return results.write(**effort._asdict())


PROTOCOL = (
    "Simulated transactions with the 15 features, the split and the metrics of Reproducible "
    "Machine Learning for Credit Card Fraud Detection (Le Borgne, Siblini, Lebichot & Bontempi, "
    "2022). Training rows are all transactions of a week, frauds among them; cards whose fraud "
    "has become known, a week after it happened, are not in the test. Columns are standardised "
    "by the training rows. Published figures are those of its chapter on autoencoders, of one "
    "seed; ours are means over two seeds where those matter, and ± is the standard deviation of "
    "these two, which says little."
)

CHOSEN = (
    "The published week is one to choose on, so the week two weeks later comes first: its test "
    "rows took no part in any choice that is on record (its training rows are the test rows of "
    "the published week). PCA keeps the even number of components whose AUROC is highest in the "
    "published week. The autoencoder has the 48 epochs after which the handbook's run stopped, by "
    "the error on the test rows of that week. *VAE*, *VAE, log p(x)* and *stacked VAE* are not "
    "the default: a code of 8, noise that depends on the code with a floor of 0.05, a quarter of "
    "the autoencoder's epochs, batches of 512. These were set by hand, and no record says on what "
    "or how many settings were tried: take it that the published week was looked at, and its "
    "figures flatter them. Nothing in *VAE, all by default* was set for these data; the defaults "
    "were chosen on 16 sets of ADBench."
)

REAL_PROTOCOL = (
    "## Real frauds\n\nThe sample of the card transactions of Dal Pozzolo et al. (2015): 473 "
    "distinct frauds and 4,920 others, 29 columns. Half of the others is for training, the other "
    "half and the frauds for the test; where training has frauds, the test lacks those. A mean "
    "and a standard deviation over two seeds of the halves. Frauds are as many as one in six test "
    "rows, so that average precision does not compare with that at their natural rate of 0.17 %. "
    "No column is made from labels. The 15 of 29 components of PCA, the 100 epochs (25 of the "
    "VAEs) and the other settings of the VAEs, which are those above, were set by hand and no "
    "record says on what; nothing is kept apart from choosing here. Fewer components would do "
    "better: one of 29, the best odd number on these same test rows, has an AUROC of 0.950 and an "
    "average precision of 0.883 with normal rows in training."
)


def named(data: str | None) -> tuple[Path, ...]:
    """The file of the option, if there is one."""
    return () if data is None else (Path(data),)


def show(
    results: Results, name: str, week: Split, effort: Effort, *, compared: bool
) -> dict[str, list[float]]:
    """The table of one week; returns the card precision of each method over the cards checked."""
    results.text(
        f"## {name[0].upper()}{name[1:]}\n\n{len(week.train):,} training rows "
        f"({week.train_fraud.sum():,} frauds), {len(week.test):,} test rows "
        f"({week.fraud.sum():,} frauds)"
    )
    rows, curves = [], {}
    for method in METHODS:
        start = time.perf_counter()
        scores = list(scored(method, week.train, week.test, effort.seeds, effort.epochs))
        seconds = (time.perf_counter() - start) / len(scores)
        values = np.array([measure(week, score) for score in scores])
        published = method.published if compared else None
        rows.append({**line(method, values, MEASURES), "published": published, "seconds": seconds})
        print(name, rows[-1], flush=True)
        curves[method.name] = [
            float(np.mean([caught(week, score, k) for score in scores])) for k in CHECKED
        ]
    results.table(name, list(rows[0]), [list(row.values()) for row in rows])
    return curves


def scored(
    method: Method, train: Scores, test: Scores, seeds: tuple[int, ...], epochs: int
) -> Iterator[Scores]:
    """How suspicious each test row is, higher for more, of each seed."""
    for seed in seeds if method.random else seeds[:1]:
        detector = make_pipeline(StandardScaler(), method.make(seed, epochs)).fit(train)
        yield -np.asarray(detector.score_samples(test), np.float64)


def measure(week: Split, score: Scores) -> list[float]:
    """The three measures of the handbook."""
    return [*measured(week.fraud, score), caught(week, score, 100)]


def measured(fraud: NDArray[np.bool_], score: Scores) -> list[float]:
    """Area under the ROC curve and average precision."""
    return [float(roc_auc_score(fraud, score)), float(average_precision_score(fraud, score))]


def caught(week: Split, score: Scores, k: int) -> float:
    """Card Precision@k."""
    return card_precision(week.day, week.card, week.fraud, score, k)


def line(method: Method, values: NDArray[np.float64], names: tuple[str, ...]) -> dict[str, Any]:
    """Mean and spread of each measure."""
    row: dict[str, Any] = {"method": method.name}
    for i, name in enumerate(names):
        row[name] = float(values[:, i].mean())
        row[f"± {name}"] = float(values[:, i].std(ddof=1)) if len(values) > 1 else None
    return row


def show_real(results: Results, effort: Effort) -> None:
    """The table of real frauds: training rows without frauds, and with some among them."""
    rows, contaminated = {}, f"{CONTAMINATION:.0%} frauds in training"
    for name, share in (("normal rows in training", 0.0), (contaminated, CONTAMINATION)):
        parts = {seed: ulb_split(seed, contamination=share) for seed in effort.seeds}
        for method in REAL_METHODS:
            values = [
                measured(fraud, next(scored(method, train, test, (seed,), effort.epochs_real)))
                for seed, (train, test, fraud) in parts.items()
            ]
            rows[name, method.name] = {"training": name, **line(method, np.array(values), REAL)}
            print(rows[name, method.name], flush=True)
    results.text(REAL_PROTOCOL)
    results.table(
        "real", list(next(iter(rows.values()))), [list(r.values()) for r in rows.values()]
    )


if __name__ == "__main__":
    main()
