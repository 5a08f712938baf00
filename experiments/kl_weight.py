"""The trade-off between rate and distortion: one model for each weight of the KL divergence.

A weight w relative to a mean squared error over pixels means a β that depends on what is summed
and what is averaged. With −log p(x|z) = ½ Σ (x − x̂)² + const (σ = 1) and D pixels,

    MSE + w · KL averaged over the batch  =  (2 / D) (distortion + β · rate),  β = w D / 2,
    MSE + w · KL summed over a batch of B                                  ,  β = w B D / 2.

The experiment sweeps β over five decades and reads three regimes off the measurements: where the
code is over-regularised, where it is useful, and where the model is an autoencoder in all but
name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from experiments.record import Results, default_mnist, parser, remove, scratch
from vaekit import plots
from vaekit.latents import Point
from vaekit.likelihoods import Gaussian
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO, Autoencoding
from vaekit.report.pictures import GRID, REACH, Scene
from vaekit.tasks import (
    Composition,
    DataSpec,
    Prepared,
    Run,
    evaluate_run,
    prepare_data,
    start_run,
)

BATCH = 128
WEIGHTS = (8e-4, 5e-5, 1e-8)
STEPS = 12


def betas(small: bool) -> list[float]:
    """Five decades, 10^-3.33 … 10^1.67, and a β near that of the smallest published weight."""
    if small:
        return [1e-3, 1e-1, 1e1]
    return [4e-6, *(10 ** (exponent / 3) for exponent in range(-10, 6))]


def main(words: list[str] | None = None) -> Path:
    """Run the experiment and write its results."""
    options = parser((__doc__ or "").splitlines()[0]).parse_args(words)
    source = options.data or ("digits" if options.small else default_mnist())
    data = DataSpec(source=source)
    prepared = prepare_data(data)
    results = Results("kl_weight", options.out, title="How heavy should the rate be?")
    folder, epochs = scratch(), 2 if options.small else 5
    rows, scenes = [], {}
    for beta in betas(options.small):
        scene, row = measure(data, prepared, folder / f"beta-{beta:.1e}", beta=beta, epochs=epochs)
        rows.append(row)
        scenes[beta] = scene
        print({name: _short(value) for name, value in row.items()}, flush=True)
    plain, plain_row = measure(data, prepared, folder / "plain", beta=None, epochs=epochs)
    size = int(np.prod(prepared.codec.event_shape))
    write_results(results, rows, scenes, (plain, plain_row), size, prepared)
    remove(folder)
    return results.write(data=source.rsplit("/", 1)[-1], epochs=epochs)


def measure(
    data: DataSpec, prepared: Prepared, folder: Path, *, beta: float | None, epochs: int
) -> tuple[Scene, dict[str, Any]]:
    """Train one model (no β: a plain autoencoder) and say what its code is like."""
    parts: dict[str, Any] = {"latent_dim": 2, "encoder": MLP(), "likelihood": Gaussian(scale=1.0)}
    objective: Any = Autoencoding() if beta is None else ELBO(beta=beta)
    model = FlatVAE(**parts, **({"posterior": Point()} if beta is None else {}))
    training = Composition().training.replace(epochs=epochs, batch_size=BATCH)
    run = Run(data, Composition(model, objective, training))
    artifact = start_run(run, folder, prepared=prepared)
    metrics = evaluate_run(folder, samples=1, prepared=prepared)
    scene = Scene(artifact, prepared.held_out, None)
    spread = scene.means.std(0)
    return scene, {
        "beta": beta,
        "rate": metrics["rate"],
        "distortion": metrics["distortion"],
        "active_units": metrics["active_units"],
        "mse": metrics["mse"],
        "prior_gap": prior_gap(scene),
        "sd_of_means": float(spread.mean()),
        "knn_accuracy": metrics["knn_accuracy"],
    }


def prior_gap(scene: Scene) -> float:
    """Squared maximum mean discrepancy between codes of data and the prior, inverse multiquadric.

    0 when samples from the prior look, to the decoder, like codes of data; at most about 2.
    """
    generator = np.random.default_rng(0)
    n = min(1_000, len(scene.means))
    codes = scene.means[:n] + scene.scales[:n] * generator.standard_normal(scene.means[:n].shape)
    prior = generator.standard_normal(codes.shape)

    def kernel(a: Any, b: Any) -> Any:
        scale = 2.0 * a.shape[1]
        return scale / (scale + ((a[:, None] - b[None]) ** 2).sum(-1))

    off = n * (n - 1)
    within = sum((kernel(a, a).sum() - n) / off for a in (codes, prior))
    return float(within - 2 * kernel(codes, prior).mean())


def regimes(rows: list[dict[str, Any]], variance: float) -> tuple[float, float]:
    """The β below which the model is autoencoder-like and above which it is over-regularised.

    Over-regularised: fewer active units than dimensions, or no more than half of the distortion
    removed that the best model removes. Autoencoder-like: codes of data and the prior differ (MMD²
    above 0.05) while the error is within 5 % of the smallest. The useful regime lies between.
    """
    best = min(row["mse"] for row in rows)
    dims = max(row["active_units"] for row in rows)
    over = [
        r["beta"]
        for r in rows
        if r["active_units"] < dims or variance - r["mse"] < 0.5 * (variance - best)
    ]
    auto = [r["beta"] for r in rows if r["prior_gap"] > 0.05 and r["beta"] not in over]
    low = max(auto, default=min(r["beta"] for r in rows))
    high = min((b for b in over if b > low), default=max(r["beta"] for r in rows))
    return low, high


def marks(size: int) -> list[tuple[float, str]]:
    """Where the published weights fall, under both normalisations."""
    averaged = [(w * size / 2, f"{w:g} averaged") for w in WEIGHTS]
    return averaged + [(w * BATCH * size / 2, f"{w:g} summed") for w in WEIGHTS]


def write_results(
    results: Results,
    rows: list[dict[str, Any]],
    scenes: dict[float, Scene],
    plain: tuple[Scene, dict[str, Any]],
    size: int,
    prepared: Prepared,
) -> None:
    """Table, sweep, and one model of each regime beside a plain autoencoder."""
    train = next(iter(prepared.part("train").batches(10_000))).x.numpy()
    variance = float(train.var(0).mean())
    low, high = regimes(rows, variance)
    describe(results, low, high, size, variance)
    columns = list(rows[0])
    named = [[_regime(r["beta"], low, high), *r.values()] for r in rows]
    results.table(
        "sweep", ["regime", *columns], [*named, ["plain autoencoder", *plain[1].values()]]
    )
    results.table(
        "weights",
        ["published weight", "beta", "regime"],
        [[t, b, _regime(b, low, high)] for b, t in marks(size)],
    )
    beta = [row["beta"] for row in rows]
    ys = {
        name: [row[name] for row in rows] for name in ("rate", "mse", "prior_gap", "active_units")
    }
    regions = [
        (min(beta), low, "autoencoder-like"),
        (low, high, "useful"),
        (high, max(beta), "over-regularised"),
    ]
    shown = [(b, t) for b, t in marks(size) if min(beta) <= b <= max(beta)]
    figure = plots.sweep(beta, ys, regions=regions, markers=shown, stacked=True)
    results.picture(
        "sweep", "Rate, error, distance of codes from the prior, active units.", figure
    )
    figure = plots.rate_distortion_plane(
        [row["rate"] for row in rows],
        [row["distortion"] for row in rows],
        labels=[f"{b:.2g}" for b in beta],
    )
    results.picture("rate_distortion", "Rate and distortion of the models, named by β.", figure)
    chosen = {
        "over-regularised": _nearest(beta, max(beta)),
        "useful": _nearest(beta, (low * high) ** 0.5),
        "autoencoder-like": min(beta),
    }
    for name, b in chosen.items():
        show(results, name.replace("-", "_"), f"{name} (β = {b:.3g})", scenes[b])
    show(results, "plain_autoencoder", "plain autoencoder", plain[0])


def describe(results: Results, low: float, high: float, size: int, variance: float) -> None:
    """What the numbers say."""
    results.text(
        f"σ = 1, {size} pixels, batches of {BATCH}, two latent dimensions; variance of a pixel "
        f"{variance:.4f}. **Autoencoder-like** up to β = {low:.3g} (codes of data no longer fill "
        f"the prior: MMD² above 0.05), **useful** between, **over-regularised** from "
        f"β = {high:.3g} (inactive units, or less than half of the distortion removed that the "
        "best model removes)."
    )
    results.text(
        "A weight w beside a mean squared error over pixels is β = w D / 2 when KL is averaged "
        f"over the batch, and β = w B D / 2 when it is summed over a batch of {BATCH}. The second "
        "table says where the three published weights fall; the source does not say which "
        "normalisation it used."
    )


def show(results: Results, name: str, title: str, scene: Scene) -> None:
    """Scatter, generated grid and interpolations of one model."""
    figure = plots.latent_scatter(scene.means, scene.labels)
    results.picture(f"{name}_scatter", f"{title}: codes of held-out images.", figure)
    images = scene.raw(scene.vae.decode(scene.plane()))
    figure = plots.latent_grid(
        images.reshape(GRID, GRID, *images.shape[1:]), (-REACH, REACH, -REACH, REACH)
    )
    results.picture(f"{name}_grid", f"{title}: decoded grid over the prior's plane.", figure)
    codes = interpolations(scene)
    images = scene.raw(scene.vae.decode(codes))
    results.picture(
        f"{name}_interpolations",
        f"{title}: straight lines between codes of pairs of held-out images.",
        plots.image_grid(images, STEPS),
    )


def interpolations(scene: Scene, pairs: int = 6) -> Any:
    """Codes on straight lines between codes of held-out images, pair after pair."""
    ends = scene.means[: 2 * pairs].reshape(pairs, 2, 1, -1)
    t = np.linspace(0.0, 1.0, STEPS)[None, :, None]
    return ((1 - t) * ends[:, 0] + t * ends[:, 1]).reshape(pairs * STEPS, -1)


def _regime(beta: float, low: float, high: float) -> str:
    if beta <= low:
        return "autoencoder-like"
    return "over-regularised" if beta >= high else "useful"


def _nearest(values: list[float], wanted: float) -> float:
    return min(values, key=lambda v: abs(np.log(v / wanted)))


def _short(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
