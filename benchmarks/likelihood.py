"""Importance-sampled log p(x) with 500 codes an image: vaekit beside Pythae, a loop, the limit.

One network (784-256-128-2, Bernoulli) is trained for an epoch; everybody then measures the same
weights on the same held-out images.

    python -m benchmarks.likelihood [--images 1000] [--samples 500] [--data FILE]
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from experiments.record import default_mnist
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from benchmarks.harness import (
    Contestant,
    Outcome,
    Result,
    Settings,
    label,
    parser,
    race,
    ratio,
    select,
)
from benchmarks.ours import as_vaekit
from benchmarks.peers import pythae_vae
from benchmarks.plain import Net, Products, fit_plain
from benchmarks.report import Report, words_of
from vaekit.metrics import score
from vaekit.tasks import DataSpec, prepare_data
from vaekit.training import flush_denormals

BATCH = 64
BOUND = 10.0
"""vaekit's posterior keeps log σ within ±10, smoothly; so does the network here, for all."""
AT_ONCE = 16
"""Images that the plain loop and the limit take at a time."""
LIMIT, PYTHAE, FAIR = "limit: the decoder's products", "Pythae, as it ships", "Pythae, one batch"


def trained(settings: Settings) -> tuple[Net, Tensor]:
    """The network with the weights that all measure, and the images, flat."""
    x = torch.from_numpy(np.load(Path(settings["folder"]) / "images.npy"))
    net = Net(x.shape[1], bound=BOUND)
    net.load_state_dict(load_file(Path(settings["folder"]) / "weights.safetensors"))
    return net.eval(), x


def timed(measure: Callable[[Tensor], float | None], x: Tensor) -> Result:
    """Milliseconds an image, after a few images that are not counted; and the mean of log p(x)."""
    measure(x[:AT_ONCE])
    start = time.perf_counter()
    log_p = measure(x)
    return {"ms": 1e3 * (time.perf_counter() - start) / len(x), "log_p": log_p}


def limit(settings: Settings) -> Result:
    """The products of decoding K codes an image, and nothing else."""
    net, x = trained(settings)
    products = Products(net, AT_ONCE * settings["samples"])

    def measure(x: Tensor) -> None:
        for _ in range(math.ceil(len(x) / AT_ONCE)):
            products.forward(encode=False)

    return timed(measure, x)


@torch.no_grad()
def plain_log_p(net: Net, x: Tensor, samples: int) -> Tensor:
    """log p(x) of each image: encode once, decode all codes together."""
    loc, log_var = net.encode(x)
    noise = torch.randn(samples, *loc.shape)
    z = loc + (0.5 * log_var).exp() * noise
    logits = net.decoder(z.flatten(0, 1)).unflatten(0, z.shape[:2])
    log_px = -F.binary_cross_entropy_with_logits(
        logits, x.expand_as(logits), reduction="none"
    ).sum(-1)
    log_ratio = 0.5 * (noise.square() + log_var - z.square()).sum(-1)  # log p(z) − log q(z|x)
    return (log_px + log_ratio).logsumexp(0) - math.log(samples)


def hand_written(settings: Settings) -> Result:
    """The plain batched loop."""
    net, x = trained(settings)
    torch.manual_seed(settings["seed"])

    def measure(x: Tensor) -> float:
        parts = [plain_log_p(net, rows, settings["samples"]) for rows in x.split(AT_ONCE)]
        return float(torch.cat(parts).double().mean())

    return timed(measure, x)


def pythae(settings: Settings, *, fair: bool) -> Result:
    """Pythae's ``get_nll``, which returns the mean of log p(x) in spite of its name.

    As it ships: batches of 100 codes, a graph for gradients that nobody asks for. Fair: all codes
    of an image in one batch, without the graph.
    """
    net, x = trained(settings)
    model = pythae_vae(net).eval()
    samples = settings["samples"]
    torch.manual_seed(settings["seed"])

    def measure(x: Tensor) -> float:
        if not fair:
            return float(model.get_nll(x, n_samples=samples))
        with torch.no_grad():
            return float(model.get_nll(x, n_samples=samples, batch_size=samples))

    return timed(measure, x)


def vaekit(settings: Settings, *, own: bool) -> Result:
    """vaekit's ``metrics.score``, with draws that all images share or each image's own."""
    net, x = trained(settings)
    model = as_vaekit(net)

    def measure(x: Tensor) -> float:
        scores = score(
            model,
            x,
            samples=settings["samples"],
            seed=settings["seed"],
            first_row=0 if own else None,
        )
        return float(scores.log_marginal.mean())

    return timed(measure, x)


CONTESTANTS = {
    LIMIT: Contestant(limit),
    "plain batched loop": Contestant(hand_written),
    PYTHAE: Contestant(lambda settings: pythae(settings, fair=False), needs="pythae"),
    FAIR: Contestant(lambda settings: pythae(settings, fair=True), needs="pythae"),
    "vaekit, draws shared": Contestant(lambda settings: vaekit(settings, own=False)),
    "vaekit, own draws": Contestant(lambda settings: vaekit(settings, own=True)),
}


def write_job(source: str, folder: Path, *, rows: int | None, images: int) -> int:
    """Train the network, store it and the images; returns the number of images."""
    prepared = prepare_data(DataSpec(source=source))
    train, held_out = prepared.part("train"), prepared.held_out
    x = next(iter(train.batches(rows or len(train)))).x.flatten(1).contiguous()
    torch.manual_seed(0)
    net = Net(x.shape[1], bound=BOUND)
    with flush_denormals():
        fit_plain(net, x, batch=BATCH, epochs=1, mark=lambda: None)
    save_file(net.state_dict(), folder / "weights.safetensors")
    some = next(iter(held_out.batches(images))).x.flatten(1)
    np.save(folder / "images.npy", some.numpy())
    return len(some)


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print, and write ``benchmarks/results/likelihood``."""
    options_of = parser(__doc__ or "")
    options_of.add_argument("--data", default=None, help="another source of images")
    options_of.add_argument("--images", type=int, default=1_000, help="held-out images to score")
    options_of.add_argument("--samples", type=int, default=500, help="codes an image")
    options = options_of.parse_args(words)
    if options.small:
        options.rounds, options.images, options.samples = 1, 32, 100
    source = options.data or ("digits" if options.small else default_mnist())
    with tempfile.TemporaryDirectory(prefix="vaekit-benchmark-") as folder:
        rows = 512 if options.small else None
        images = write_job(source, Path(folder), rows=rows, images=options.images)
        settings = {"folder": folder, "samples": options.samples, "seed": 0}
        outcomes = race("likelihood", select(CONTESTANTS, options), settings, options)
    report = Report("likelihood", title="Importance-sampled likelihood", words=words_of(words))
    report.text(
        f"{images:,} held-out images, {options.samples} codes each, the same weights for all "
        f"(784-256-128-2 after an epoch); medians of {options.rounds} round(s), each in a fresh "
        "process. The estimates draw different codes, so they agree up to that noise."
    )
    write_table(report, outcomes)
    report.runs(outcomes)
    report.write(options)


def write_table(report: Report, outcomes: Mapping[str, Outcome]) -> None:
    """Milliseconds an image beside the limit and both forms of Pythae, and the estimates."""
    ms = {name: outcome.median("ms") for name, outcome in outcomes.items()}
    rows = [
        [
            label(name, outcome),
            ms[name],
            ratio(ms[name], ms.get(LIMIT)),
            ratio(ms.get(PYTHAE), ms[name]),
            ratio(ms.get(FAIR), ms[name]),
            outcome.median("log_p"),
        ]
        for name, outcome in outcomes.items()
    ]
    columns = [
        "contestant",
        "ms an image",
        "times the limit",
        "times faster than Pythae as it ships",
        "than Pythae in one batch",
        "mean log p(x) (nats)",
    ]
    report.table("scores", columns, rows)


if __name__ == "__main__":
    main()
