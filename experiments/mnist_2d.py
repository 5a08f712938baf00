"""The worked example: MNIST into two dimensions, and its three pictures.

Encoder 784-256-128, a code of 2, the decoder mirrored, cross-entropy and KL, Adam with the
learning rate that recipes use, 10 epochs of batches of 64. The pictures are the latent plane by
digit, the digit decoded at one point, and a grid of digits over the plane.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from experiments.record import Results, default_mnist, parser, remove, scratch
from vaekit import plots
from vaekit.likelihoods import Bernoulli
from vaekit.models import FlatVAE
from vaekit.networks import MLP
from vaekit.objectives import ELBO
from vaekit.report.pictures import GRID, REACH, Scene
from vaekit.report.run_report import compare_with_pca
from vaekit.tasks import Composition, DataSpec, Run, evaluate_run, prepare_data, start_run
from vaekit.training import Display

POINT = (1.0, -1.0)
REFERENCE = {"elbo": -144.3, "log_marginal": -141.3, "knn_accuracy": 0.763, "mse": 0.0378}
"""An independent plain loop after 10 epochs on all 60,000 images (K = 500)."""


def run_for(source: str, *, epochs: int) -> Run:
    """The run of this experiment on some data."""
    model = FlatVAE(latent_dim=2, encoder=MLP(hidden=(256, 128)), likelihood=Bernoulli())
    training = Composition().training.replace(epochs=epochs, batch_size=64)
    return Run(DataSpec(source=source), Composition(model, ELBO(), training))


def main(words: list[str] | None = None) -> Path:
    """Run the experiment and write its results."""
    options = parser(__doc__ or "").parse_args(words)
    small = options.small
    source = options.data or ("digits" if small else default_mnist())
    run, folder = run_for(source, epochs=3 if small else 10), scratch() / "run"
    results = Results("mnist_2d", options.out, title="MNIST in two dimensions")
    prepared = prepare_data(run.data)
    artifact = start_run(run, folder, prepared=prepared, callbacks=[Display()])
    metrics = evaluate_run(folder, samples=20 if small else 500, prepared=prepared)
    pca = compare_with_pca(artifact, prepared.held_out, prepared.part("train"))
    write_results(
        results, Scene(artifact, prepared.held_out, None), metrics, pca, artifact.history
    )
    remove(folder.parent)
    return results.write(data=source.rsplit("/", 1)[-1])


def write_results(
    results: Results,
    scene: Scene,
    metrics: dict[str, Any],
    pca: dict[str, Any],
    history: list[Any],
) -> None:
    """The table and the pictures."""
    steady = float(np.median([record["seconds"] for record in history[1:]]))
    names = {
        "elbo": "ELBO (nats)",
        "log_marginal": f"log p(x), K = {metrics['samples']} (nats)",
        "knn_accuracy": "5-NN accuracy on the 2-d codes",
        "mse": "mean squared error",
    }
    rows = [
        [text, metrics[key], metrics.get(f"{key}_error"), pca.get(key), REFERENCE[key]]
        for key, text in names.items()
    ]
    columns = ["metric", "vaekit", "standard error", "PCA-2", "independent plain loop"]
    results.text(
        f"{metrics['n']} held-out images, {len(history)} epochs, a steady epoch in {steady:.2f} "
        "s. The grey values are read as probabilities, so that log p(x) is the expected "
        "log-likelihood of binarised images. The last column was measured once with a loop "
        "outside vaekit, on all 60,000 training images; vaekit holds 3,000 of them out to choose "
        "the best weights."
    )
    results.table("metrics", columns, rows)
    labels = scene.labels
    caption = "The latent plane: posterior means of held-out images by digit."
    results.picture("latent_plane", caption, plots.latent_scatter(scene.means, labels))
    digit = scene.raw(scene.vae.decode([POINT]))
    results.picture("one_point", f"The digit decoded at z = {POINT}.", plots.image_grid(digit, 1))
    images = scene.raw(scene.vae.decode(scene.plane()))
    grid = plots.latent_grid(
        images.reshape(GRID, GRID, *images.shape[1:]), (-REACH, REACH, -REACH, REACH)
    )
    results.picture("grid", "Digits decoded on a grid over the plane.", grid)


if __name__ == "__main__":
    main()
