"""Remedies against posterior collapse, each by itself, on a model that collapses.

Two causes. A *deep decoder* that can do without most of the code: five hidden layers, 50 latent
dimensions, dynamically binarised images; many dimensions end at the prior. A *scale that is too
large*: a Gaussian decoder with a fixed σ, so large that no code is worth its nats (Lucas, Tucker,
Grosse & Norouzi, 2019, arXiv:1911.02469). Every model is measured by the same bound with β = 1,
whatever it was trained with; a dimension is active where the variance of its posterior mean over
images exceeds 0.01 (Burda, Grosse & Salakhutdinov, 2015, arXiv:1509.00519).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from experiments.record import Results, default_mnist, parser
from vaekit import plots
from vaekit.likelihoods import Bernoulli, Gaussian
from vaekit.metrics import (
    active_units,
    mean_and_error,
    posterior_means,
    rate_by_dimension,
    score,
)
from vaekit.models import FlatVAE, VAEModel
from vaekit.networks import MLP
from vaekit.objectives import ELBO, Cosine, Cyclic, Linear
from vaekit.spec import Spec
from vaekit.tasks import Composition, DataSpec, Prepared, build_model, prepare_data
from vaekit.training import Adam, Trainer, Training

LATENT = 50
SAMPLES = 100
KL = "kl"
CARRIED = 0.01
"""Nats above which a dimension carries something."""

DEEP: dict[str, Spec] = {
    "plain": ELBO(),
    "warm-up: β from 0 to 1 over half of the run": ELBO(beta=Linear(end=1.0, over=0.5)),
    "cyclic: β rises four times": ELBO(beta=Cyclic(cycles=4)),
    "free bits: 0.1 nats a dimension": ELBO(free_bits=0.1, per="dimension"),
    "free bits: 25 nats in all": ELBO(free_bits=25.0, per="total"),
    "lower weight: β = 0.5": ELBO(beta=0.5),
}
WIDE: dict[str, Spec] = {
    "σ = 1": Gaussian(scale=1.0),
    "σ = 3": Gaussian(scale=3.0),
    "σ shared and learned": Gaussian(scale="shared"),
    "σ optimal for the batch": Gaussian(scale="optimal"),
}


def train(
    prepared: Prepared, likelihood: Spec, objective: Spec, *, layers: int, width: int, epochs: int
) -> VAEModel:
    """One model; the same seed, network and training for all."""
    network = MLP(hidden=(width,) * layers)
    training = Training(
        epochs=epochs,
        batch_size=128,
        optimizer=Adam(lr=2e-3),
        lr_schedule=Cosine(warm_up=0.02),
    )
    model = FlatVAE(latent_dim=LATENT, encoder=network, likelihood=likelihood)
    made = Composition(model, objective, training)
    built = build_model(made, prepared)
    data = {"train": prepared.part("train")}
    Trainer(built, data, training, objective=made.objective).fit()
    return built


def measure(model: VAEModel, prepared: Prepared, *, n: int) -> dict[str, Any]:
    """Bound, rate and use of the code on held-out rows, in nats."""
    batch = next(prepared.held_out.batches(n))
    bound = score(model, batch.x, samples=1, first_row=0)
    few = batch.x[: n // 10]
    likelihood = score(model, few, samples=SAMPLES, first_row=0).log_marginal
    (kl,) = rate_by_dimension(model, batch.x)
    return {
        "bound": mean_and_error(bound.elbo)[0],
        f"log p(x), K = {SAMPLES}, first {len(few)} rows": mean_and_error(likelihood)[0],
        "rate": float(bound.rate.mean()),
        "distortion": float(bound.distortion.mean()),
        "active units": active_units(posterior_means(model, batch.x)),
        "dimensions that carry 0.01 nats": int((kl > CARRIED).sum()),
        KL: sorted(kl.tolist(), reverse=True),
    }


def main(words: list[str] | None = None) -> Path:
    """Run the experiment and write its results."""
    options = parser((__doc__ or "").splitlines()[0]).parse_args(words)
    small = options.small
    source = options.data or ("digits" if small else default_mnist())
    epochs, layers, width, n = (1, 2, 16, 100) if small else (20, 5, 256, 10_000)
    results = Results("collapse", options.out, title="Remedies against posterior collapse")
    drawn = prepare_data(DataSpec(source=source, binarise="dynamic", validation=0.0))
    deep = {}
    for name, objective in DEEP.items():
        model = train(drawn, Bernoulli(), objective, layers=layers, width=width, epochs=epochs)
        deep[name] = shown(name, measure(model, drawn, n=n))
    grey = prepare_data(DataSpec(source=source, validation=0.0))
    wide = {}
    for name, likelihood in WIDE.items():
        model = train(grey, likelihood, ELBO(), layers=2, width=width, epochs=max(1, epochs // 2))
        wide[name] = shown(name, measure(model, grey, n=n))
    results.text(
        f"{LATENT} latent dimensions, batches of 128, Adam at 2e-3 falling along half a cosine. "
        f"*Deep decoder*: {layers} hidden layers of {width} on either side, {epochs} epochs. "
        f"*Scale*: 2 hidden layers, {max(1, epochs // 2)} epochs. Nats per image of the test set."
    )
    write_table(results, "deep", "remedy", deep)
    results.text(
        "Grey values in [0, 1] under a Gaussian: densities, so bounds of different σ are on one "
        "scale and may be positive."
    )
    write_table(results, "scale", "decoder", wide)
    return results.write(data=source.rsplit("/", 1)[-1], epochs=epochs)


def shown(name: str, row: dict[str, Any]) -> dict[str, Any]:
    """The row, printed as it is made."""
    said = {name: value for name, value in row.items() if name != KL}
    print(time.strftime("%H:%M:%S"), name, said, flush=True)
    return row


def write_table(results: Results, key: str, first: str, rows: dict[str, dict[str, Any]]) -> None:
    """One row and one line for each model."""
    columns = [name for name in next(iter(rows.values())) if name != KL]
    table = [[name, *(row[column] for column in columns)] for name, row in rows.items()]
    results.table(key, [first, *columns], table)
    results.picture(
        key,
        "KL of each latent dimension, in nats, from the largest down.",
        plots.curve(
            range(1, LATENT + 1),
            {name: row[KL] for name, row in rows.items()},
            xlabel="dimension, by rank",
            ylabel="KL (nats)",
        ),
    )


if __name__ == "__main__":
    main()
