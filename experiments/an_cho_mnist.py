"""Digits as anomalies: each digit of MNIST held out in turn (An & Cho, 2015).

A model learns from the training images of nine digits and scores all test images; those of the
tenth digit are the anomalies.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from experiments.held_out_class import (
    MEASURES,
    Floats,
    HeldOut,
    baseline_scores,
    by_method,
    fit_and_score,
    picture,
    table_of,
)
from experiments.record import Results, default_mnist, parser
from vaekit.baselines import PCA, KernelPCA
from vaekit.data import RawData, load, split
from vaekit.latents import Point
from vaekit.likelihoods import Bernoulli
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.objectives import Cosine
from vaekit.training import Adam, PolicySpec, Training

DIGITS = tuple(range(10))
LATENT_DIM, LARGE_DIM = 2, 32
EXCESS = "ELBO + entropy"
PUBLISHED = {
    "VAE, 2-d, ELBO (Tonnaer)": (0.96, 0.73, 0.97, 0.94, 0.73, 0.92, 0.95, 0.77, 0.92, 0.66),
    "VAE, 32-d, ELBO (Tonnaer)": (0.81, 0.09, 0.92, 0.87, 0.78, 0.86, 0.87, 0.51, 0.89, 0.58),
    "convolutional VAE, error (heuer-ja)": (
        *(0.910, 0.449, 0.948, 0.881, 0.858),
        *(0.883, 0.906, 0.736, 0.909, 0.650),
    ),
}
"""AUROC by digit: Tonnaer's thesis, table 3.3; github.com/heuer-ja/uni23ss_VAE-anomaly-detection,
whose test sets have 43 % anomalies."""


class Effort(NamedTuple):
    """How much to spend on a digit."""

    rows: int
    epochs: int
    hidden: tuple[int, ...]
    samples: int
    members: int
    kernel_rows: int
    digits: tuple[int, ...]
    large: tuple[int, ...]


FULL = Effort(
    rows=60_000,
    epochs=12,
    hidden=(128, 128, 128),
    samples=10,
    members=4,
    kernel_rows=2_000,
    digits=DIGITS,
    large=(1, 7),
)
SMALL = Effort(
    rows=1_500,
    epochs=20,
    hidden=(64,),
    samples=5,
    members=2,
    kernel_rows=300,
    digits=(0, 1),
    large=(1,),
)


def main(words: list[str] | None = None) -> Any:
    """Run the experiment and write its results."""
    options = parser(__doc__ or "").parse_args(words)
    effort = SMALL if options.small else FULL
    results = Results("an_cho_mnist", options.out, title="Digits as anomalies")
    source = options.data or ("digits" if options.small else default_mnist())
    raw = load(source)
    rows: list[dict[str, Any]] = []
    for digit in effort.digits:
        held = hold_out(raw, digit, effort.rows)
        rows += measured(held, effort, large=digit in effort.large)
    show(results, rows, effort, held)
    return results.write(data=source.rsplit("/", 1)[-1], **effort._asdict())


def hold_out(raw: RawData, digit: int, most: int) -> HeldOut:
    """Grey images in [0, 1]: of the other digits to learn from, of all to tell apart."""
    assert raw.labels is not None
    splits = split(raw, validation=0.0, test=0.2)
    x = (raw.x.reshape(len(raw), -1) / raw.x.max()).astype(np.float32)
    learned = splits.train[raw.labels[splits.train] != digit]
    learned = np.random.default_rng(0).permutation(learned)[:most]
    return HeldOut(str(digit), x[learned], x[splits.test], raw.labels[splits.test] == digit)


def measured(held: HeldOut, effort: Effort, *, large: bool) -> list[dict[str, Any]]:
    """The measures of every method on one digit."""
    train, test, k = held.train, held.test, LATENT_DIM
    how = training(effort)

    def neural(spec: FlatVAE, seed: int = 0) -> dict[str, Any]:
        run = how.replace(seed=seed)
        found = fit_and_score(spec, run, train, test, samples=effort.samples)
        return {**found, EXCESS: found["ELBO"] + entropy(test)} if "ELBO" in found else found

    members = [neural(vae(k, effort), seed) for seed in range(effort.members)]
    together = {name: np.mean([one[name] for one in members], 0) for name in members[0]}
    scores = {
        f"VAE, {k}-d": members[0],
        f"VAE, {k}-d ({effort.members} of them)": together,
        f"autoencoder, {k}-d": neural(vae(k, effort).replace(posterior=Point())),
        f"PCA, {k}-d": baseline_scores(PCA(latent_dim=k).build(), train, test),
        f"kernel PCA, {k}-d": baseline_scores(
            KernelPCA(latent_dim=k, max_rows=effort.kernel_rows).build(), train, test
        ),
    }
    if large:
        scores[f"VAE, {LARGE_DIM}-d"] = neural(vae(LARGE_DIM, effort))
    rows = by_method(held, scores)
    for row in rows:
        print(row, flush=True)
    return rows


def entropy(x: NDArray[np.float32]) -> Floats:
    """The entropy in nats of pixels that are 1 with the probability of their grey, shape (n,)."""
    p = x.astype(np.float64)
    return -(xlogy(p, p) + xlogy(1 - p, 1 - p)).sum(-1)


def vae(k: int, effort: Effort) -> FlatVAE:
    """The VAE of grey images with a code of k numbers."""
    return FlatVAE(latent_dim=k, encoder=MLP(hidden=effort.hidden), likelihood=Bernoulli())


def training(effort: Effort) -> Training:
    """One recipe for all digits."""
    return Training(
        epochs=effort.epochs,
        batch_size=128,
        optimizer=Adam(lr=3e-3),
        lr_schedule=Cosine(warm_up=0.05),
        speed=PolicySpec(precision="32-true", compile="off"),
    )


def show(results: Results, rows: list[dict[str, Any]], effort: Effort, held: HeldOut) -> None:
    """The rows, a table for each measure, and the picture."""
    results.text(
        "Each digit in turn is the anomaly: a model learns from at most "
        f"{effort.rows:,} training images of the other nine, and all {len(held.test):,} test "
        "images are scored, those of the tenth digit among them."
    )
    results.text(
        "The likelihood is Bernoulli, and a grey pixel the probability that it is white: the ELBO "
        "is that of images binarised at random, in the mean. Its best value, −H(x), is lower for "
        "an image with more grey pixels whichever model reads it. ELBO + entropy is what the "
        "model loses beyond that: −KL(x‖p) of the pixels, less the rate."
    )
    results.text(
        "The relative error is the squared error as a share of the image's squared length: an "
        "image with little ink, as of the digit 1, has little to get wrong; one with much ink, as "
        "of the digit 0, is then forgiven much. *Between the errors* is the geometric mean of the "
        "two, the squared error over the image's length. It was added after the others had been "
        "seen on these test images."
    )
    results.text(
        f"Dense layers of {' and '.join(map(str, effort.hidden))}, {effort.epochs} epochs, no "
        "labels and no anomaly in training or in any choice of weights. The autoencoder has the "
        f"same layers. The scores of {effort.members} VAEs are means over models that differ in "
        "their seed alone: where one decodes a digit badly by chance, another does not. PCA, "
        "kernel PCA and the autoencoder score by their reconstruction error; "
        f"kernel PCA learns from {effort.kernel_rows:,} of the training images. The "
        "reconstruction probability is E log p(x|z), the mean over "
        f"K = {effort.samples} codes. F1 is the best of all thresholds. One "
        "seed, where An & Cho take the mean of ten runs."
    )
    main_rows = [row for row in rows if f"{LARGE_DIM}-d" not in row["method"]]
    digits = [f"{digit}" for digit in effort.digits]
    results.values["measured"] = rows
    for measure in MEASURES:
        results.text(f"## {measure}")
        lines = table_of(main_rows, measure)
        if measure == "AUROC":
            lines += [
                [name, "published", *(values[digit] for digit in effort.digits)]
                for name, values in PUBLISHED.items()
            ]
        named = [[*line, float(np.mean(line[2:]))] for line in lines]
        results.table(measure, ["method", "score", *digits, "mean"], named)
    results.text(
        "Published values are from Tonnaer's thesis (table 3.3) and from "
        "github.com/heuer-ja/uni23ss_VAE-anomaly-detection, whose test sets have 43 % anomalies."
    )
    results.text(f"## A code of {LARGE_DIM}")
    results.text(
        "A larger code can describe the digit that it has never seen, and rows are then told "
        "apart by how complicated they are."
    )
    columns = ["held out", "method", "score", *MEASURES]
    contrast = [
        [row[column] for column in columns]
        for row in rows
        if row["method"].startswith("VAE") and int(row["held out"]) in effort.large
    ]
    results.table("larger code", columns, contrast)
    caption = "AUROC: digits as faint dots, their mean as a large one."
    results.picture("auroc", caption, picture(main_rows))


if __name__ == "__main__":
    main()
