"""Epochs of the worked example: vaekit beside Pythae, Lightning, a hand-written loop, the limit.

The network is 784-256-128-2 and its mirror, Bernoulli, batches of 64, Adam at 1e-3, the training
rows of MNIST. Everybody starts from fresh weights in a process of its own.

    python -m benchmarks.train_mlp [--epochs 3] [--rows N] [--data FILE]
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from experiments.record import default_mnist
from torch import Tensor

from benchmarks.harness import (
    Contestant,
    Outcome,
    Result,
    Settings,
    label,
    located,
    median,
    parser,
    race,
    ratio,
    select,
)
from benchmarks.ours import Watch, loss_of_vaekit
from benchmarks.peers import fit_lightning, fit_pythae, pythae_vae
from benchmarks.plain import Net, Products, fit_plain, mean_loss
from benchmarks.report import Report, words_of
from vaekit.likelihoods import Bernoulli
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO
from vaekit.tasks import Composition, DataSpec, build_model, prepare_data
from vaekit.training import PolicySpec, Trainer, Training, flush_denormals

BATCH = 64
LIMIT, PYTHAE = "limit: products and Adam", "Pythae"


class Clock:
    """Marks on a stopwatch; the first epoch holds everything since :meth:`start`."""

    def __init__(self) -> None:
        self.marks: list[float] = []

    def start(self) -> None:
        """Begin anew."""
        self.marks = [time.perf_counter()]

    def mark(self) -> None:
        """The end of an epoch."""
        self.marks.append(time.perf_counter())

    @property
    def seconds(self) -> list[float]:
        """Seconds between the marks."""
        return np.diff(self.marks).tolist()


def result(clock: Clock, *, loss: float | None, note: str = "") -> Result:
    """What a contestant reports: the warm-up is what the first epoch took beyond the second."""
    first, *rest = clock.seconds
    steady = median(rest)
    assert steady is not None
    return {
        "warm_up": max(0.0, first - rest[0]),
        "steady": steady,
        "last": rest[-1],
        "loss": loss,
        "epochs": clock.seconds,
        "note": note,
    }


def rows_of(settings: Settings) -> Tensor:
    """The training rows, float32 ``(n, features)``."""
    return torch.from_numpy(np.load(settings["rows_file"]))


def fresh(settings: Settings) -> tuple[Net, Tensor, Clock]:
    """A new network, the rows, and a clock."""
    torch.manual_seed(settings["seed"])
    x = rows_of(settings)
    return Net(x.shape[1]), x, Clock()


def limit(settings: Settings) -> Result:
    """Matrix products and one fused Adam, nothing else."""
    net, x, clock = fresh(settings)
    products = Products(net, BATCH)
    with flush_denormals():
        clock.start()
        for _ in range(settings["epochs"]):
            for _ in range(-(-len(x) // BATCH)):
                products.step()
            clock.mark()
    return result(clock, loss=None)


def hand_written(settings: Settings) -> Result:
    """The plain loop."""
    net, x, clock = fresh(settings)
    with flush_denormals():
        clock.start()
        fit_plain(net, x, batch=BATCH, epochs=settings["epochs"], mark=clock.mark)
    return result(clock, loss=mean_loss(net.posterior, net.mean, x, bernoulli=True))


def lightning(settings: Settings) -> Result:
    """A bare Lightning trainer around the plain network."""
    return peer(settings, fit_lightning, lambda net: net, flushed=True)


def pythae(settings: Settings, *, flushed: bool) -> Result:
    """Pythae's trainer and VAE around the plain network, with denormals flushed from outside."""
    return peer(settings, fit_pythae, pythae_vae, flushed=flushed)


def peer(
    settings: Settings, fit: Callable[..., str], model_of: Callable[..., Any], *, flushed: bool
) -> Result:
    """Another library's trainer around the plain network."""
    net, x, clock = fresh(settings)
    with flush_denormals() if flushed else contextlib.nullcontext():
        note = fit(
            model_of(net),
            x,
            batch=BATCH,
            epochs=settings["epochs"],
            start=clock.start,
            on_epoch=clock.mark,
        )
    loss = mean_loss(net.posterior, net.mean, x, bernoulli=True)
    return result(clock, loss=loss, note=note)


def composition(*, epochs: int, seed: int, speed: PolicySpec) -> Composition:
    """The worked example at a constant learning rate of 1e-3, as everybody here trains it."""
    model = FlatVAE(latent_dim=2, encoder=MLP(hidden=(256, 128)), likelihood=Bernoulli())
    training = Training(epochs=epochs, batch_size=BATCH, seed=seed, speed=speed)
    return Composition(model, ELBO(), training)


def vaekit(settings: Settings, **speed: Any) -> Result:
    """vaekit's trainer, its data as its codec stores it."""
    prepared = prepare_data(DataSpec(source=settings["source"]))
    train = prepared.part("train")
    train = train.subset(torch.arange(min(settings["rows"] or len(train), len(train))))
    made = composition(epochs=settings["epochs"], seed=settings["seed"], speed=PolicySpec(**speed))
    model = build_model(made, prepared)
    clock = Clock()
    watch = Watch(on_epoch=clock.mark)
    trainer = Trainer(
        model,
        {"train": train},
        made.training,
        objective=made.objective,
        callbacks=[watch],
        accelerator="cpu",
    )
    clock.start()
    trainer.fit()

    x = next(iter(train.batches(len(train)))).x
    loss = loss_of_vaekit(model, x, bernoulli=True)
    return result(clock, loss=loss, note=watch.note)


CONTESTANTS = {
    LIMIT: Contestant(limit),
    "hand-written loop": Contestant(hand_written),
    "Lightning Trainer": Contestant(lightning, needs="lightning"),
    PYTHAE: Contestant(lambda settings: pythae(settings, flushed=False), needs="pythae"),
    "Pythae, denormals flushed": Contestant(
        lambda settings: pythae(settings, flushed=True), needs="pythae", slow=True
    ),
    "vaekit, eager": Contestant(lambda settings: vaekit(settings, compile="off")),
    "vaekit, compiled": Contestant(lambda settings: vaekit(settings, compile="on"), slow=True),
    "vaekit, compiled, bfloat16": Contestant(
        lambda settings: vaekit(settings, compile="on", precision="bf16-mixed"), slow=True
    ),
}


def write_rows(source: str, rows: int | None, file: Path) -> int:
    """Store the training rows as everybody but vaekit reads them; returns their number."""
    train = prepare_data(DataSpec(source=source)).part("train")
    x = next(iter(train.batches(rows or len(train)))).x.flatten(1).contiguous()
    np.save(file, x.numpy())
    return len(x)


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print, and write ``benchmarks/results/train_mlp``."""
    options_of = parser(__doc__ or "")
    options_of.add_argument("--data", default=None, help="another source of images")
    options_of.add_argument("--epochs", type=int, default=3, help="of each contestant in a round")
    options_of.add_argument("--rows", type=int, default=None, help="the first rows only")
    options = options_of.parse_args(words)
    if options.epochs < 2:
        raise SystemExit("the first epoch is a warm-up: --epochs 2 or more")
    if options.small:
        options.rounds, options.epochs, options.rows = 1, 2, 256
    source = options.data or ("digits" if options.small else default_mnist())
    with tempfile.TemporaryDirectory(prefix="vaekit-benchmark-") as folder:
        file = Path(folder) / "rows.npy"
        rows = write_rows(source, options.rows, file)
        settings = {
            "source": located(source),
            "rows_file": str(file),
            "rows": options.rows,
            "epochs": options.epochs,
            "seed": 0,
        }
        outcomes = race("train_mlp", select(CONTESTANTS, options), settings, options)
    report = Report("train_mlp", title="Training a dense VAE", words=words_of(words))
    report.text(
        f"{rows:,} rows, 784-256-128-2 and its mirror, Bernoulli, batches of {BATCH}, Adam; "
        f"{options.rounds} round(s) of {options.epochs} epochs, each in a fresh process; medians."
    )
    write_table(report, outcomes)
    report.runs(outcomes)
    report.write(options)


def write_table(report: Report, outcomes: Mapping[str, Outcome]) -> None:
    """Steady epochs beside the limit, and beside Pythae's last one."""
    bound = outcomes[LIMIT].median("steady") if LIMIT in outcomes else None
    peer = outcomes[PYTHAE].median("last") if PYTHAE in outcomes else None
    rows = []
    for name, outcome in outcomes.items():
        steady = outcome.median("steady")
        rows.append(
            [
                label(name, outcome),
                outcome.median("warm_up"),
                steady,
                outcome.median("last"),
                ratio(steady, bound),
                ratio(peer, steady),
                outcome.median("loss"),
            ]
        )
    columns = [
        "contestant",
        "warm-up (s)",
        "steady epoch (s)",
        "last epoch (s)",
        "times the limit",
        "times faster than Pythae's last epoch",
        "−ELBO after training (nats)",
    ]
    report.table("epochs", columns, rows)
    report.text(
        "Warm-up is what the first epoch took beyond the second, compilation included. A steady "
        "epoch is the median of all but the first."
    )


if __name__ == "__main__":
    main()
