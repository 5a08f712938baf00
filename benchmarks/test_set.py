"""log p(x) of a whole test set from 5,000 codes an image: seconds and memory, beside the limit.

10,000 binary images and the network of Burda et al. (784-200-200, tanh, a code of 50, and its
mirror) with fresh weights: neither time nor memory depends on what it has learned.

    python -m benchmarks.test_set [--images 10000] [--samples 5000]
"""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Mapping, Sequence

import torch
from experiments.iwae_mlp import STAGES, composition

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
from benchmarks.plain import Net, Products
from benchmarks.report import Report, words_of
from vaekit.metrics import score

PIXELS = 784
AT_ONCE = 16
"""Images that the limit takes at a time."""
LIMIT = "limit: the decoder's products"


def peak() -> float:
    """The most memory that this process has held, in GB."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used * (1 if sys.platform == "darwin" else 1024) / 1e9


def limit(settings: Settings) -> Result:
    """The products of decoding K codes an image, and nothing else."""
    net = Net(PIXELS, hidden=(200, 200), latent=50)
    products = Products(net, AT_ONCE * settings["samples"])
    start = time.perf_counter()
    for _ in range(math.ceil(settings["images"] / AT_ONCE)):
        products.forward(encode=False)
    return {"seconds": time.perf_counter() - start, "gb": peak()}


def vaekit(settings: Settings) -> Result:
    """``metrics.score``, the draws of each image its own."""
    torch.manual_seed(settings["seed"])
    made = composition(stages=STAGES, batch_size=20)
    model = made.model.build(event_shape=(1, 28, 28))
    x = torch.randint(2, (settings["images"], 1, 28, 28)).float()
    start = time.perf_counter()
    score(model, x, samples=settings["samples"], first_row=0)
    return {"seconds": time.perf_counter() - start, "gb": peak()}


CONTESTANTS = {LIMIT: Contestant(limit), "vaekit": Contestant(vaekit)}


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print, and write ``benchmarks/results/test_set``."""
    options_of = parser(__doc__ or "")
    options_of.add_argument("--images", type=int, default=10_000, help="to measure")
    options_of.add_argument("--samples", type=int, default=5_000, help="codes an image")
    options = options_of.parse_args(words)
    if options.small:
        options.rounds, options.images, options.samples = 1, 20, 50
    settings = {"images": options.images, "samples": options.samples, "seed": 0}
    outcomes = race("test_set", select(CONTESTANTS, options), settings, options)
    report = Report("test_set", title="The likelihood of a test set", words=words_of(words))
    report.text(
        f"{options.images:,} binary images, {options.samples:,} codes each, 784-200-200 tanh with "
        f"a code of 50 and its mirror; medians of {options.rounds} round(s), each in a fresh "
        "process, whose memory counts torch itself."
    )
    write_table(report, outcomes)
    report.runs(outcomes)
    report.write(options)


def write_table(report: Report, outcomes: Mapping[str, Outcome]) -> None:
    """Seconds beside the limit, and the peak of memory."""
    bound = outcomes[LIMIT].median("seconds") if LIMIT in outcomes else None
    table = []
    for name, outcome in outcomes.items():
        own = outcome.median("seconds")
        table.append([label(name, outcome), own, ratio(own, bound), outcome.median("gb")])
    columns = ["contestant", "seconds", "times the limit", "peak memory (GB)"]
    report.table("test_set", columns, table)


if __name__ == "__main__":
    main()
