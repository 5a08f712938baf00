"""Steps of Pythae's own convolutional networks for MNIST: its trainer, vaekit's, plain loops.

The networks come from the installed Pythae. Everybody starts from the same weights and takes the
same rows in the same order, in batches of 100, and minimises half the squared error and the rate
(Pythae's default) by Adam at 1e-3. Only the posterior's noise differs.

    python -m benchmarks.train_conv [--steps 12]          seconds a step
    python -m benchmarks.train_conv --loss-steps 300      the loss after so many steps
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
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
from benchmarks.ours import Enough, Watch, conv_as_vaekit, loss_of_vaekit
from benchmarks.peers import fit_pythae, pythae_conv
from benchmarks.plain import LR, mean_loss
from benchmarks.report import Report, words_of
from vaekit.objectives import ELBO
from vaekit.tasks import DataSpec, prepare_data
from vaekit.training import PolicySpec, Trainer, Training, flush_denormals

BATCH = 100
WARM = 2
HELD_OUT = 1_000
SEED = 0
EPOCHS = 100
"""Of the run that the speed policy decides for; only its first steps are made."""
PYTHAE, PLAIN = "Pythae", "hand-written loop"


class StepClock:
    """Marks each step and ends the run after the last one that is wanted."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.marks: list[float] = []

    def start(self) -> None:
        """Begin anew."""
        self.marks = [time.perf_counter()]

    def mark(self) -> None:
        """The end of a step."""
        self.marks.append(time.perf_counter())
        if len(self.marks) > self.steps:
            raise Enough

    def result(self, *, loss: float, note: str = "") -> Result:
        """Seconds a step after the warm-up; what the warm-up took beyond as many such steps."""
        seconds = np.diff(self.marks).tolist()
        step = median(seconds[WARM:])
        assert step is not None
        warm_up = max(0.0, sum(seconds[:WARM]) - WARM * step)
        return {"warm_up": warm_up, "step": step, "loss": loss, "note": note, "steps": seconds}


def start(settings: Settings) -> tuple[Any, StepClock]:
    """Pythae's model with the weights that all begin with, and a clock."""
    torch.manual_seed(settings["seed"])
    return pythae_conv(), StepClock(settings["steps"])


def rows(settings: Settings, part: str) -> Tensor:
    """Images, float32 ``(n, 1, 28, 28)``, or the order of the training rows."""
    return torch.from_numpy(np.load(Path(settings["folder"]) / f"{part}.npy"))


def loss_of(model: Any, settings: Settings) -> float:
    """The loss of a Pythae model on held-out rows."""
    model.eval()

    def posterior(x: Tensor) -> tuple[Tensor, Tensor]:
        output = model.encoder(x)
        return output.embedding, (0.5 * output.log_covariance).exp()

    return mean_loss(
        posterior,
        lambda z: model.decoder(z).reconstruction,
        rows(settings, "held_out"),
        bernoulli=False,
        chunk=BATCH,
    )


def pythae(settings: Settings) -> Result:
    """Pythae's trainer as it ships."""
    model, clock = start(settings)
    with contextlib.suppress(Enough):
        fit_pythae(
            model,
            rows(settings, "train"),
            batch=settings["batch"],
            epochs=EPOCHS,
            start=clock.start,
            order=rows(settings, "order").tolist(),
            on_step=clock.mark,
        )
    return clock.result(loss=loss_of(model, settings))


def hand_written(
    settings: Settings, *, channels_last: bool = False, bfloat16: bool = False
) -> Result:
    """A plain loop over the same modules, with a fused Adam and denormals flushed."""
    model, clock = start(settings)
    x = rows(settings, "train")
    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = model.to(memory_format=layout).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=LR, fused=True)
    with flush_denormals(), contextlib.suppress(Enough):
        clock.start()
        for batch in _batches(x, rows(settings, "order"), settings["batch"]):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bfloat16):
                loss = _plain_loss(model, batch.contiguous(memory_format=layout))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            clock.mark()
    return clock.result(loss=loss_of(model, settings))


def _batches(x: Tensor, order: Tensor, size: int) -> Iterator[Tensor]:
    while True:
        for index in order.split(size):
            yield x[index]


def _plain_loss(model: Any, x: Tensor) -> Tensor:
    output = model.encoder(x)
    loc, log_var = output.embedding.float(), output.log_covariance.float()
    z = loc + (0.5 * log_var).exp() * torch.randn_like(loc)
    mean = model.decoder(z).reconstruction.float()
    rate = 0.5 * (log_var.exp() + loc.square() - 1 - log_var).sum()
    return (0.5 * (mean - x).square().sum() + rate) / len(x)


def vaekit(settings: Settings, **speed: Any) -> Result:
    """vaekit's trainer, under the speed policy of a run of full length."""
    peer, clock = start(settings)
    model = conv_as_vaekit(peer)
    train = data(settings["source"]).part("train")
    training = Training(
        epochs=EPOCHS, batch_size=settings["batch"], seed=SEED, speed=PolicySpec(**speed)
    )
    watch = Watch(on_step=clock.mark)
    trainer = Trainer(
        model,
        {"train": train},
        training,
        objective=ELBO(),
        callbacks=[watch],
        accelerator="cpu",
    )
    with contextlib.suppress(Enough):
        clock.start()
        trainer.fit()
    loss = loss_of_vaekit(model, rows(settings, "held_out"), bernoulli=False, chunk=BATCH)
    return clock.result(loss=loss, note=watch.note)


CONTESTANTS = {
    PYTHAE: Contestant(pythae, needs="pythae"),
    PLAIN: Contestant(hand_written, needs="pythae"),
    "hand-written, channels-last": Contestant(
        lambda settings: hand_written(settings, channels_last=True), needs="pythae", slow=True
    ),
    "hand-written, channels-last, bfloat16": Contestant(
        lambda settings: hand_written(settings, channels_last=True, bfloat16=True),
        needs="pythae",
        slow=True,
    ),
    "vaekit": Contestant(vaekit, needs="pythae", slow=True),
    "vaekit, float32": Contestant(
        lambda settings: vaekit(settings, precision="32-true", compile="off"), needs="pythae"
    ),
    "vaekit, bfloat16": Contestant(
        lambda settings: vaekit(settings, precision="bf16-mixed", compile="off"),
        needs="pythae",
        slow=True,
    ),
    "vaekit, bfloat16, compiled": Contestant(
        lambda settings: vaekit(settings, precision="bf16-mixed", compile="on"),
        needs="pythae",
        slow=True,
    ),
}


def data(source: str) -> Any:
    """MNIST as it is; the small form's digits padded to its size."""
    return prepare_data(DataSpec(source=source, padding=10 if source == "digits" else 0))


def write_rows(source: str, folder: Path) -> int:
    """Store rows, their order and held-out rows for everybody; returns the number to train on."""
    prepared = data(source)
    parts = {"train": prepared.part("train"), "held_out": prepared.held_out}
    for name, part in parts.items():
        some = len(part) if name == "train" else min(HELD_OUT, len(part))
        np.save(folder / f"{name}.npy", next(iter(part.batches(some))).x.numpy())
    np.save(folder / "order.npy", parts["train"].order(SEED, 0).numpy())
    return len(parts["train"])


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print, and write ``benchmarks/results/train_conv`` or ``train_conv_loss``."""
    options_of = parser(__doc__ or "")
    options_of.add_argument("--data", default=None, help="another source of 28 × 28 images")
    options_of.add_argument("--steps", type=int, default=12, help="of each contestant in a round")
    options_of.add_argument("--batch", type=int, default=BATCH, help="rows of a step")
    options_of.add_argument(
        "--loss-steps", type=int, default=None, help="compare losses after so many steps, once"
    )
    options = options_of.parse_args(words)
    losses = options.loss_steps is not None
    if losses:
        options.steps, options.rounds = options.loss_steps, 1
    if options.small:
        options.steps, options.rounds, options.batch = WARM + 1, 1, 4
    if options.steps <= WARM:
        raise SystemExit(f"the first {WARM} steps are a warm-up: --steps {WARM + 1} or more")
    source = options.data or ("digits" if options.small else default_mnist())
    with tempfile.TemporaryDirectory(prefix="vaekit-benchmark-") as folder:
        n = write_rows(source, Path(folder))
        settings = {
            "source": located(source),
            "folder": folder,
            "steps": options.steps,
            "batch": options.batch,
            "seed": SEED,
        }
        outcomes = race("train_conv", select(CONTESTANTS, options), settings, options)
    name = "train_conv_loss" if losses else "train_conv"
    report = Report(
        name, title="Training a convolutional VAE", words=words_of(words), module="train_conv"
    )
    report.text(
        f"Pythae's encoder and decoder for MNIST, batches of {options.batch} of {n:,} rows, Adam. "
        f"{options.steps} steps in a fresh process, {options.rounds} round(s); the first {WARM} "
        "steps are the warm-up. The loss is that of held-out rows after these steps, half the "
        "squared error plus the rate, without the normal's constant."
    )
    write_table(report, outcomes)
    report.runs(outcomes)
    report.write(options)


def write_table(report: Report, outcomes: Mapping[str, Outcome]) -> None:
    """Seconds a step beside Pythae's, and the loss."""
    peer = outcomes[PYTHAE].median("step") if PYTHAE in outcomes else None
    table = []
    for name, outcome in outcomes.items():
        step = outcome.median("step")
        table.append(
            [
                label(name, outcome),
                outcome.median("warm_up"),
                step,
                ratio(peer, step),
                outcome.median("loss"),
            ]
        )
    columns = ["contestant", "warm-up (s)", "step (s)", "times faster than Pythae", "loss (nats)"]
    report.table("steps", columns, table)


if __name__ == "__main__":
    main()
