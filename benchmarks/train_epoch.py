"""One epoch of the worked example: vaekit beside a hand-written loop, in turns, in one process.

The network is 784-256-128-2 and its mirror, batches of 64, binary cross-entropy and KL, Adam. The
hand-written loop keeps float32 data in memory, batches by index, uses one fused Adam, flushes
denormals, and records nothing. After each epoch of vaekit it makes one of its own on the same
rows, so that both see the same machine.

    python -m benchmarks.train_epoch [--data FILE] [--epochs 8]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vaekit.likelihoods import Bernoulli
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO
from vaekit.tasks import Composition, DataSpec, build_model, prepare_data
from vaekit.training import Callback, Trainer, Training

HERE = Path(__file__).resolve().parent
MNIST = HERE.parent.parent / "shared" / "data" / "images" / "mnist.npz"
BATCH = 64


class HandWritten:
    """The loop that one would write without a library."""

    def __init__(self, x: Tensor) -> None:
        self.x = x
        self.encoder = nn.Sequential(
            nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU()
        )
        self.head = nn.Linear(128, 4)
        self.decoder = nn.Sequential(
            nn.Linear(2, 128), nn.ReLU(), nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 784)
        )
        parts = nn.ModuleList([self.encoder, self.head, self.decoder])
        self.optimizer = torch.optim.Adam(parts.parameters(), lr=1e-3, fused=True)

    def epoch(self) -> float:
        """Seconds of one epoch."""
        start = time.perf_counter()
        for index in torch.randperm(len(self.x)).split(BATCH):
            x = self.x[index]
            loc, log_var = self.head(self.encoder(x)).chunk(2, -1)
            z = loc + (0.5 * log_var).exp() * torch.randn_like(loc)
            logits = self.decoder(z)
            distortion = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
            rate = 0.5 * (log_var.exp() + loc.square() - 1 - log_var).sum()
            self.optimizer.zero_grad()
            ((distortion + rate) / len(x)).backward()
            self.optimizer.step()
        return time.perf_counter() - start


class InTurns(Callback):
    """After each epoch of vaekit, one of the hand-written loop."""

    def __init__(self, other: HandWritten) -> None:
        self.other = other
        self.ours: list[float] = []
        self.theirs: list[float] = []

    def on_epoch(self, record: Mapping[str, Any]) -> None:
        """Keep both times."""
        self.ours.append(record["seconds"])
        self.theirs.append(self.other.epoch())
        print(f"vaekit {self.ours[-1]:.2f} s, hand-written {self.theirs[-1]:.2f} s", flush=True)


def main() -> None:
    """Measure, print, and write ``benchmarks/results/train_epoch.json``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    source = str(MNIST) if MNIST.is_file() else "openml:mnist_784"
    parser.add_argument("--data", default=source)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "train_epoch.json")
    options = parser.parse_args()
    prepared = prepare_data(DataSpec(source=options.data))
    model = FlatVAE(latent_dim=2, encoder=MLP(hidden=(256, 128)), likelihood=Bernoulli())
    training = Training(epochs=options.epochs, batch_size=BATCH)
    composition = Composition(model, ELBO(), training)
    train = prepared.part("train")
    rows = next(iter(train.batches(len(train)))).x.flatten(1).contiguous()
    turns = InTurns(HandWritten(rows))
    built = build_model(composition, prepared)
    Trainer(built, prepared.parts, training, objective=ELBO(), callbacks=[turns]).fit()
    result = {
        "command": "python -m benchmarks.train_epoch",
        "rows": len(train),
        "epochs": options.epochs,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "vaekit_median_s": statistics.median(turns.ours[1:]),
        "hand_written_median_s": statistics.median(turns.theirs[1:]),
        "ratio_median": statistics.median(
            a / b for a, b in zip(turns.ours[1:], turns.theirs[1:], strict=True)
        ),
        "vaekit_s": turns.ours,
        "hand_written_s": turns.theirs,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps({k: v for k, v in result.items() if not k.endswith("_s")}, indent=2))


if __name__ == "__main__":
    main()
