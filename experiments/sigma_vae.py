"""The scale of a Gaussian decoder: fixed, swept, shared, optimal, per pixel.

A β-VAE whose Gaussian has σ = 1 minimises ½‖x − x̂‖² + β KL, which is β times the negative bound of
a VAE with σ² = β, but for a constant. So a sweep of β is a sweep of fixed σ = √β, and each of its
models has an honest bound; beside it stands the bound that the same weights give once σ² is set to
the training error afterwards. The calibrated decoders (Rybkin, Daniilidis & Levine, 2020,
arXiv:2006.13202) need no sweep: one learned σ, or the σ that is optimal for each batch. A σ for
each pixel is the variant that the paper finds unstable.

All bounds are densities in nats of grey values in [0, 1], so they may be negative or positive.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from experiments.record import Results, default_mnist, parser
from vaekit import plots
from vaekit.distributions import shared_noise
from vaekit.likelihoods import Gaussian
from vaekit.metrics import (
    Features,
    active_units,
    features_of,
    frechet_distance,
    mean_and_error,
    posterior_means,
    score,
)
from vaekit.models import FlatVAE, VAEModel
from vaekit.networks import MLP
from vaekit.objectives import Cosine
from vaekit.tasks import (
    Classifier,
    Composition,
    DataSpec,
    Prepared,
    build_model,
    prepare_data,
)
from vaekit.training import Adam, Trainer, Training
from vaekit.training.freeze import freeze_scale

BETAS = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0)
LATENT = 20
SEEDS = (0, 1)
SHOWN = 5
"""Rows of ten samples in a picture."""

PUBLISHED = {
    "shared": (-896.0, 32.2),
    "best of the sweep": (-796.0, 53.2),
    "fixed, σ = 1": (741.0, 59.9),
    "per-element": (-2895.0, 132.5),
}
"""Table of arXiv:2006.13202, MNIST column: negative bound in nats and Fréchet distance (over
Inception features, of other networks): not to be compared with ours in absolute terms."""


def decoders(*, small: bool) -> dict[str, Gaussian]:
    """Decoders by the name of their row."""
    betas = (1e-2, 1.0) if small else BETAS
    fixed = {f"fixed, β = σ² = {b:g}": Gaussian(scale=math.sqrt(b)) for b in betas}
    learned = {name: Gaussian(scale=name) for name in ("shared", "optimal", "per-element")}
    return {**fixed, **learned}


def train(likelihood: Gaussian, prepared: Prepared, *, epochs: int, seed: int) -> VAEModel:
    """One model, its optimal scale frozen."""
    network = MLP(hidden=(64,)) if epochs <= 2 else MLP(hidden=(512, 256))
    model = FlatVAE(latent_dim=LATENT, encoder=network, likelihood=likelihood)
    schedule = Cosine(warm_up=0.02)
    training = Training(
        epochs=epochs, batch_size=128, optimizer=Adam(lr=1e-3), lr_schedule=schedule, seed=seed
    )
    made = Composition(model, training=training)
    built = build_model(made, prepared)
    data = {"train": prepared.part("train")}
    Trainer(built, data, training, objective=made.objective).fit()
    return built


def recalibrated(model: VAEModel, prepared: Prepared) -> VAEModel:
    """The same weights with σ² = mean squared error of the training rows."""
    twin = FlatVAE(
        latent_dim=LATENT,
        encoder=model.encoder,
        decoder=model.decoder,
        likelihood=Gaussian(scale="optimal"),
    ).build(event_shape=model.event_shape)
    twin.posterior = model.posterior
    freeze_scale(twin, prepared.part("train"))
    return twin.eval()


def measure(
    model: VAEModel, prepared: Prepared, features: Features, *, n: int, is_fixed: bool
) -> dict[str, Any]:
    """Bounds, error, use of the code and quality of samples on held-out rows."""
    batch = next(prepared.held_out.batches(n))
    scores = score(model, batch.x, samples=1, first_row=0)
    bound, _ = mean_and_error(scores.elbo)
    after = None
    if is_fixed:
        after, _ = mean_and_error(
            score(recalibrated(model, prepared), batch.x, samples=1, first_row=0).elbo
        )
    with torch.no_grad(), shared_noise(0):
        made = model.decode(model.sample_codes(n)).mean
        error = (model.reconstruct(batch.x) - batch.x).square().mean()
        sigma = model.decode(model.sample_codes(1)).stddev.mean()
    real, drawn = (features_of(features, x.split(1_000)) for x in (batch.x, made))
    return {
        "bound": bound,
        "bound with σ² set afterwards": after,
        "rate": float(scores.rate.mean()),
        "mse": float(error),
        "σ": float(sigma),
        "active_units": active_units(posterior_means(model, batch.x)),
        "Fréchet distance": float(frechet_distance(real, drawn)),
    }


def main(words: list[str] | None = None) -> Path:
    """Run the experiment and write its results."""
    options = parser((__doc__ or "").splitlines()[0]).parse_args(words)
    small = options.small
    source = options.data or ("digits" if small else default_mnist())
    prepared = prepare_data(DataSpec(source=source, validation=0.0))
    results = Results("sigma_vae", options.out, title="The scale of a Gaussian decoder")
    epochs, seeds, n = (2, SEEDS[:1], 100) if small else (20, SEEDS, 10_000)
    assert prepared.codec.labels is not None
    classes = len(prepared.codec.labels.classes)
    features = Classifier(epochs=1 if small else 5).fit(prepared.part("train"), classes)
    rows: dict[str, list[dict[str, Any]]] = {}
    pictures = {}
    for name, likelihood in decoders(small=small).items():
        for seed in seeds:
            begin = time.perf_counter()
            model = train(likelihood, prepared, epochs=epochs, seed=seed)
            fixed = name.startswith("fixed")
            found = measure(model, prepared, features, n=n, is_fixed=fixed)
            rows.setdefault(name, []).append(found)
            print(name, seed, found, f"{time.perf_counter() - begin:.0f} s", flush=True)
            if seed == seeds[0]:
                pictures[name] = samples(model, prepared)
    write_results(results, rows, epochs=epochs)
    for name, images in pictures.items():
        file = "samples_" + name.replace(", β = σ² = ", "_").replace("-", "_")
        caption = f"{name}: means of p(x|z) at codes from the prior."
        results.picture(file, caption, plots.image_grid(images, 10))
    return results.write(data=source.rsplit("/", 1)[-1], epochs=epochs, seeds=list(seeds))


def samples(model: VAEModel, prepared: Prepared) -> Any:
    """Means of p(x|z) at codes from the prior, as images."""
    with torch.no_grad(), shared_noise(1):
        made = model.decode(model.sample_codes(10 * SHOWN)).mean
    return prepared.codec.decode(made)


def write_results(results: Results, rows: dict[str, list[dict[str, Any]]], *, epochs: int) -> None:
    """The table with its standard errors over seeds, the verdict, and the published figures."""
    columns = list(next(iter(rows.values()))[0])
    table = [[name, *_means(found, columns)] for name, found in rows.items()]
    fixed = {name: _mean(found, "bound") for name, found in rows.items() if "fixed" in name}
    best = max(fixed, key=lambda name: fixed[name])
    gains = {name: _mean(rows[name], "bound") - fixed[best] for name in ("shared", "optimal")}
    results.text(
        f"784-512-256 and its mirror, {LATENT} latent dimensions, {epochs} epochs, batches of "
        "128; means over seeds, ± standard errors over seeds. The bound is that of the test "
        "images in nats (higher is better). The Fréchet distance is over the features of a small "
        "classifier of the same data (lower is better)."
    )
    results.text(
        f"The best fixed scale of the sweep is *{best}*. Against it the bound gains "
        + " and ".join(f"{gain:+.1f} nats with the {name} σ" for name, gain in gains.items())
        + "."
    )
    results.table("decoders", ["decoder", *columns], table)
    results.values["gains"] = gains
    results.text(
        "The published table (Rybkin, Daniilidis & Levine, 2020, arXiv:2006.13202, MNIST) has "
        "other networks, and Fréchet distances over Inception features, so only its order can be "
        "compared: "
        + "; ".join(
            f"{name}: negative bound {bound:g}, Fréchet distance {distance:g}"
            for name, (bound, distance) in PUBLISHED.items()
        )
        + "."
    )


def _mean(found: Sequence[dict[str, Any]], column: str) -> float:
    return sum(row[column] for row in found) / len(found)


def _means(found: Sequence[dict[str, Any]], columns: Sequence[str]) -> list[Any]:
    """Mean ± standard error of each column, as text; the mean alone for a single seed."""
    cells: list[Any] = []
    for column in columns:
        if found[0][column] is None:
            cells.append(None)
            continue
        mean, error = mean_and_error(torch.tensor([float(row[column]) for row in found]))
        cells.append(mean if math.isnan(error) else f"{mean:.4g} ± {error:.2g}")
    return cells


if __name__ == "__main__":
    main()
