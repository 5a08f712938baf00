"""How many numbers: what codes of 2 to 32 dimensions keep, by method, on three kinds of data.

Images of digits (classes), a numeric table (a class and a number that is not in it), and pictures
of objects on a turntable (20 objects, and the angle). Every method sees the same training rows in
the same units. On held-out rows: the mean squared error of the reconstruction, log p(x), what a
linear classifier and a linear regression read from the code, and whether neighbours in the code
are neighbours in the data.

Densities are normal in model units (images in [0, 1], columns standardised), in nats per row:
exact for probabilistic PCA (one σ) and factor analysis (a σ for each element, which pays on pixels
that hardly vary), importance-sampled for the VAE (one σ). No σ of the last two is below 0.05. The
others have no density. The VAE and the autoencoder keep the weights of the epoch that was best on
a tenth of the training rows, which they do not learn from. These two and the Boltzmann machines
are averaged over two seeds. t-SNE embeds at most 1,000 rows and interpolates the others.
"""

from __future__ import annotations

import io
import re
import tarfile
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import sklearn.datasets
import torch
from numpy.typing import NDArray
from PIL import Image

from experiments.record import MNIST, Results, default_mnist, parser
from vaekit import plots
from vaekit.baselines import (
    DBN,
    ICA,
    NMF,
    PCA,
    PPCA,
    TSNE,
    FactorAnalysis,
    KernelPCA,
    Representation,
)
from vaekit.data import RawData, TensorData, load, prepare, split
from vaekit.latents import Diagonal, Point
from vaekit.likelihoods import Gaussian
from vaekit.metrics import linear_r2, logistic_accuracy, trustworthiness
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO, Autoencoding, Objective
from vaekit.tasks import ModelRepresentation
from vaekit.training import Trainer, Training

FLOOR = 0.05
PATIENCE = 30
COIL = MNIST.parent / "coil20.tar"
DIMS = (2, 4, 8, 16, 32)
SEEDS = (0, 1)
RANDOM = {"VAE", "autoencoder", "Boltzmann stack"}
MEASURES = ("mse", "log p(x)", "accuracy", "R²", "trustworthiness")
Parts = dict[str, NDArray[Any]]


class Effort(NamedTuple):
    """How much to spend on a fit."""

    rows: int
    steps: int
    embedded: int
    iterations: int
    samples: int


FULL = Effort(rows=6_000, steps=3_000, embedded=1_000, iterations=1_000, samples=100)
SMALL = Effort(rows=300, steps=40, embedded=100, iterations=250, samples=5)


class Task(NamedTuple):
    """A data set in model units, and what to read from its codes."""

    name: str
    parts: dict[str, TensorData]
    x: Parts
    classes: Parts
    numbers: Parts | None


def main(words: list[str] | None = None) -> Any:
    """Run the experiment and write its results."""
    options = parser("How many numbers: codes of 2 to 32 dimensions by ten methods.").parse_args(
        words
    )
    effort, dims = (SMALL, DIMS[:2]) if options.small else (FULL, DIMS)
    results = Results("latent_dim", options.out, title="How many numbers does a code need?")
    results.text((__doc__ or "").partition("\n\n")[2])
    for task in tasks(options.data, effort, small=options.small):
        rows = list(measured(task, dims, effort))
        show(results, task, rows)
    return results.write(seeds=list(SEEDS), **effort._asdict())


def tasks(source: str | None, effort: Effort, *, small: bool) -> Iterator[Task]:
    """Three data sets of different kinds."""
    digits = load(source or ("digits" if small else default_mnist()))
    yield task_of("digits", digits, None, effort)
    found = sklearn.datasets.load_breast_cancer()
    yield task_of(
        "cells", RawData(found.data[:, :20], found.target), np.log(found.data[:, 23]), effort
    )
    if COIL.is_file() and not small:
        raw, angles = turntable()
        yield task_of("turntable", raw, angles, effort)
    else:
        shapes = load("shapes")
        assert shapes.factors is not None
        yield task_of("shapes", shapes, shapes.factors[:, 1:].astype(float), effort)


def turntable() -> tuple[RawData, NDArray[np.float64]]:
    """COIL-20: objects as labels, sine and cosine of the angle."""
    with tarfile.open(COIL) as archive:
        files = {
            (int(found[1]), int(found[2])): archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in archive
            if (found := re.search(r"obj(\d+)__(\d+)\.png$", member.name))
        }
    keys = sorted(files)
    images = np.stack([np.asarray(Image.open(io.BytesIO(files[key]))) for key in keys])
    angle = np.radians([5.0 * pose for _, pose in keys])
    return RawData(images, [made for made, _ in keys]), np.stack([np.cos(angle), np.sin(angle)], 1)


def task_of(name: str, raw: RawData, numbers: NDArray[Any] | None, effort: Effort) -> Task:
    """At most so many rows, a quarter of them held out."""
    kept = np.sort(np.random.default_rng(0).permutation(len(raw))[: effort.rows])
    raw = raw.subset(kept)
    if raw.split is not None:
        raw = RawData(raw.x, raw.labels)
    splits = split(raw, validation=0.075, test=0.25)
    _, parts = prepare(raw, splits=splits)
    index = {"train": np.concatenate([splits.train, splits.validation]), "test": splits.test}
    learned = np.concatenate([values_of(parts["train"]), values_of(parts["validation"])])
    x = {"train": learned, "test": values_of(parts["test"])}
    assert raw.labels is not None
    classes = {p: raw.labels[rows] for p, rows in index.items()}
    wanted = None if numbers is None else {p: numbers[kept][rows] for p, rows in index.items()}
    return Task(name, parts, x, classes, wanted)


def values_of(part: TensorData) -> NDArray[np.float64]:
    """All rows in model units."""
    values: NDArray[np.float64] = next(iter(part.batches(len(part)))).x.double().numpy()
    return values


def methods(task: Task, k: int, seed: int, effort: Effort) -> dict[str, Callable[[], Any]]:
    """What to fit, by name: each call returns a fitted representation."""
    train = task.x["train"]

    def epochs(batch_size: int) -> int:
        return max(1, effort.steps * batch_size // len(train))

    training = Training(epochs=epochs(64), batch_size=64, seed=seed, patience=PATIENCE)

    def fitted(spec: Any) -> Callable[[], Representation]:
        return lambda: spec.build().fit(train)

    lowest = "none" if train.min() >= 0 else "minimum"
    return {
        "VAE": lambda: neural(task, k, training, ELBO(), samples=effort.samples),
        "autoencoder": lambda: neural(task, k, training, Autoencoding(), posterior=Point()),
        "PCA": fitted(PCA(latent_dim=k)),
        "probabilistic PCA": fitted(PPCA(latent_dim=k)),
        "factor analysis": fitted(FactorAnalysis(latent_dim=k, floor=FLOOR)),
        "ICA": fitted(ICA(latent_dim=k)),
        "NMF": fitted(NMF(latent_dim=k, shift=lowest)),
        "kernel PCA": fitted(KernelPCA(latent_dim=k)),
        "t-SNE": fitted(
            TSNE(
                latent_dim=k,
                max_rows=effort.embedded,
                max_iter=effort.iterations,
                perplexity=min(30.0, effort.embedded / 10),
            )
        ),
        "Boltzmann stack": fitted(DBN(latent_dim=k, epochs=epochs(32), batch_size=32, seed=seed)),
    }


def neural(
    task: Task,
    k: int,
    training: Training,
    objective: Objective,
    *,
    posterior: Any = None,
    samples: int = 1,
) -> ModelRepresentation:
    """A VAE with one σ, or an autoencoder, at its best on the rows held out for that."""
    model = FlatVAE(
        latent_dim=k,
        encoder=MLP(),
        likelihood=Gaussian(floor=FLOOR),
        posterior=posterior or Diagonal(),
    )
    torch.manual_seed(training.seed)
    built = model.build(event_shape=task.x["train"].shape[1:])
    data = {name: task.parts[name] for name in ("train", "validation")}
    Trainer(built, data, training, objective=objective).fit()
    return ModelRepresentation(built, samples=samples)


def measured(task: Task, dims: tuple[int, ...], effort: Effort) -> Iterator[dict[str, Any]]:
    """A row for each dimension and method, averaged over seeds where the method is random."""
    width = task.x["train"][0].size
    for k in (k for k in dims if k < width):
        for name in methods(task, k, 0, effort):
            seeds = SEEDS if name in RANDOM else SEEDS[:1]
            start = time.perf_counter()
            found = [measure(task, methods(task, k, seed, effort)[name]()) for seed in seeds]
            seconds = (time.perf_counter() - start) / len(seeds)
            row = {"method": name, "k": k, **average(found), "seconds": seconds}
            print(task.name, row, flush=True)
            yield row


def measure(task: Task, method: Any) -> dict[str, float | None]:
    """The five measures of a fitted method."""
    x, classes, numbers = task.x, task.classes, task.numbers
    train, test = (method.encode(x[part]) for part in ("train", "test"))
    back, log_p = method.decode(test), method.score_samples(x["test"])
    return {
        "mse": None if back is None else float(((back - x["test"]) ** 2).mean()),
        "log p(x)": None if log_p is None else float(log_p.mean()),
        "accuracy": logistic_accuracy(train, classes["train"], test, classes["test"]),
        "R²": None if numbers is None else mean_r2(train, numbers["train"], test, numbers["test"]),
        "trustworthiness": trustworthiness(x["test"][:1_000], test[:1_000]),
    }


def mean_r2(train: Any, train_numbers: Any, test: Any, numbers: Any) -> float:
    """R² of the linear regression, averaged over the columns of what is predicted."""
    columns = zip(np.atleast_2d(train_numbers.T), np.atleast_2d(numbers.T), strict=True)
    return float(np.mean([linear_r2(train, a, test, b) for a, b in columns]))


def average(found: list[dict[str, float | None]]) -> dict[str, float | None]:
    """The mean over seeds; None where the measure does not exist."""
    return {
        name: None if found[0][name] is None else float(np.mean([f[name] for f in found]))
        for name in MEASURES
    }


def show(results: Results, task: Task, rows: list[dict[str, Any]]) -> None:
    """The table and the panels of one data set."""
    shape = "×".join(map(str, task.x["train"].shape[1:]))
    counts = " + ".join(str(len(task.x[part])) for part in ("train", "test"))
    results.text(f"## {task.name}: {counts} rows of {shape}")
    results.values[task.name] = rows
    dims = sorted({row["k"] for row in rows})
    names = list(dict.fromkeys(row["method"] for row in rows))
    found = {(row["method"], row["k"]): row for row in rows}
    every = {
        measure: {name: [found[name, k][measure] for k in dims] for name in names}
        for measure in MEASURES
    }
    ys = {
        measure: {name: values for name, values in lines.items() if values[0] is not None}
        for measure, lines in every.items()
    }
    for measure, lines in ys.items():
        if lines:
            header = [measure, *(f"k = {k}" for k in dims)]
            results.table(f"{task.name}: {measure}", header, [[m, *v] for m, v in lines.items()])
    figure = plots.panels(dims, {m: v for m, v in ys.items() if v}, xlabel="dimensions")
    results.picture(task.name, f"{task.name}: held-out rows, by dimension of the code.", figure)


if __name__ == "__main__":
    main()
