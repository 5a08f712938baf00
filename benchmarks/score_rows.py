"""A million rows of a table: codes and ELBOs, vaekit beside Pythae, a plain loop and the limit.

Rows of 30 numbers in float32 in memory, a dense VAE 30-64-32-8 and its mirror, normal with σ = 1.

    python -m benchmarks.score_rows [--rows 1000000]
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

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
from benchmarks.plain import Net, Products
from benchmarks.report import Report, words_of
from vaekit.metrics import elbo
from vaekit.tasks import ModelRepresentation

COLUMNS = 30
BATCH = 4_096
"""Rows at a time of everybody but vaekit, which chooses for itself."""
LIMIT = "limit: products"


def table(settings: Settings) -> np.ndarray:
    """Correlated normal rows."""
    generator = np.random.default_rng(settings["seed"])
    codes = generator.standard_normal((settings["rows"], 5), dtype=np.float32)
    mixing = generator.standard_normal((5, COLUMNS), dtype=np.float32)
    noise = generator.standard_normal((settings["rows"], COLUMNS), dtype=np.float32)
    rows: np.ndarray = codes @ mixing + 0.1 * noise
    return rows


def network(settings: Settings) -> Net:
    """The network, with the same fresh weights for everybody."""
    torch.manual_seed(settings["seed"])
    return Net(COLUMNS, hidden=(64, 32), latent=8, bound=10.0, bernoulli=False).eval()


def rate(work: Callable[[np.ndarray], Any], rows: np.ndarray) -> tuple[float, Any]:
    """Rows a second, after a few rows that are not counted, and what the work returned."""
    work(rows[:BATCH])
    start = time.perf_counter()
    found = work(rows)
    return len(rows) / (time.perf_counter() - start), found


def limit(settings: Settings) -> Result:
    """The products of the encoder; those of encoder and decoder."""
    products, rows = Products(network(settings), BATCH), table(settings)

    def work(rows: np.ndarray, *, decode: bool) -> None:
        for _ in range(-(-len(rows) // BATCH)):
            products.forward(decode=decode)

    encoded, _ = rate(lambda rows: work(rows, decode=False), rows)
    scored, _ = rate(lambda rows: work(rows, decode=True), rows)
    return {"encode": encoded, "score": scored, "loss": None}


def hand_written(settings: Settings) -> Result:
    """A plain loop over batches."""
    net, rows = network(settings), table(settings)

    @torch.no_grad()
    def encode(rows: np.ndarray) -> Tensor:
        return torch.cat([net.encode(x)[0] for x in torch.from_numpy(rows).split(BATCH)])

    @torch.no_grad()
    def score(rows: np.ndarray) -> Tensor:
        parts = []
        for x in torch.from_numpy(rows).split(BATCH):
            loc, log_var = net.encode(x)
            z = loc + (0.5 * log_var).exp() * torch.randn_like(loc)
            distortion = 0.5 * (net.decoder(z) - x).square().sum(-1)
            kl = 0.5 * (log_var.exp() + loc.square() - 1 - log_var).sum(-1)
            parts.append(distortion + kl)
        return torch.cat(parts)

    encoded, _ = rate(encode, rows)
    scored, losses = rate(score, rows)
    return {"encode": encoded, "score": scored, "loss": float(losses.double().mean())}


def pythae(settings: Settings) -> Result:
    """Pythae's ``embed``, batch by batch without a graph; it has no scores of single rows."""
    net, rows = network(settings), table(settings)
    model = pythae_vae(net).eval()

    @torch.no_grad()
    def encode(rows: np.ndarray) -> Tensor:
        return torch.cat([model.embed(x) for x in torch.from_numpy(rows).split(BATCH)])

    encoded, _ = rate(encode, rows)
    return {"encode": encoded, "score": None, "loss": None}


def vaekit(settings: Settings) -> Result:
    """Codes by the task protocol, checks and float64 included; the ELBO by ``metrics.elbo``."""
    model, rows = as_vaekit(network(settings)), table(settings)
    codes = ModelRepresentation(model)
    encoded, _ = rate(codes.encode, rows)
    scored, scores = rate(lambda rows: elbo(model, torch.from_numpy(rows)), rows)
    constant = 0.5 * COLUMNS * float(np.log(2 * np.pi))
    return {
        "encode": encoded,
        "score": scored,
        "loss": -float(scores.elbo.mean()) - constant,
    }


CONTESTANTS = {
    LIMIT: Contestant(limit),
    "plain loop": Contestant(hand_written),
    "Pythae": Contestant(pythae, needs="pythae"),
    "vaekit": Contestant(vaekit),
}


def main(words: Sequence[str] | None = None) -> None:
    """Measure, print, and write ``benchmarks/results/score_rows``."""
    options_of = parser(__doc__ or "")
    options_of.add_argument("--rows", type=int, default=1_000_000, help="of the table")
    options = options_of.parse_args(words)
    if options.small:
        options.rounds, options.rows = 1, 20_000
    settings = {"rows": options.rows, "seed": 0}
    outcomes = race("score_rows", select(CONTESTANTS, options), settings, options)
    report = Report("score_rows", title="Scoring a table", words=words_of(words))
    report.text(
        f"{options.rows:,} rows of {COLUMNS} float32 numbers in memory, 30-64-32-8 and its "
        f"mirror; medians of {options.rounds} round(s), each in a fresh process. −ELBO is the "
        "mean over all rows without the normal's constant; the draws differ."
    )
    write_table(report, outcomes)
    report.runs(outcomes)
    report.write(options)


def write_table(report: Report, outcomes: Mapping[str, Outcome]) -> None:
    """Rows a second beside the limit."""
    bounds = {
        what: outcomes[LIMIT].median(what) if LIMIT in outcomes else None
        for what in ("encode", "score")
    }
    table = []
    for name, outcome in outcomes.items():
        row: list[Any] = [label(name, outcome)]
        for what, bound in bounds.items():
            own = outcome.median(what)
            row += [own, ratio(bound, own)]
        table.append([*row, outcome.median("loss")])
    columns = [
        "contestant",
        "encoded rows/s",
        "times the limit's time",
        "scored rows/s",
        "times the limit's time, scored",
        "−ELBO (nats)",
    ]
    report.table("rows", columns, table)


if __name__ == "__main__":
    main()
