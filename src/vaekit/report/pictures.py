"""The pictures of a run: from a saved model and held-out data to PNG files with captions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vaekit import plots
from vaekit.artifacts import Artifact
from vaekit.baselines import PCA
from vaekit.data import ArrayCodec, ImageCodec, Rows
from vaekit.metrics import rate_by_dimension
from vaekit.report.walks import REACH, walk
from vaekit.tasks import ModelRepresentation

__all__ = ["Picture", "Scene", "draw_pictures"]

MOST_ROWS = 10_000
GRID = 20


class Picture(NamedTuple):
    """A saved picture with what is said about it."""

    title: str
    caption: str
    path: Path


class Scene:
    """What the pictures show: the model on held-out rows, beside PCA of the same dimension.

    Args:
        artifact: The model.
        data: Held-out rows; the first 10,000 are shown.
        train: Training rows, for PCA.
        remark: What a reader of the samples must know.
    """

    def __init__(
        self, artifact: Artifact, data: Rows, train: Rows | None, *, remark: str = ""
    ) -> None:
        self.artifact = artifact
        self.remark = f" Note that {remark}." if remark else ""
        self.codec = artifact.codec
        self.vae = ModelRepresentation(artifact.model)
        batch = next(iter(data.batches(MOST_ROWS)))
        self.x, self.y = batch.x, batch.y
        with torch.no_grad():
            self.c = artifact.model.completed(batch.x, batch.c)
        self.means, self.scales = self.vae.encode_with_scale(self.x, self.c)
        self.rates = self._rates()
        self.order = np.argsort(-(self.rates if self.has_rates else self.means.var(0)))
        self.train = train

    def _rates(self) -> NDArray[np.float64]:
        """KL of each latent dimension, or of the parts that it has terms for, if it has any."""
        if not self.artifact.model.has_density:
            return np.empty(0)
        rates = rate_by_dimension(self.artifact.model, self.x, self.c)[-1]
        return np.asarray(rates.numpy(), dtype=np.float64)

    @property
    def has_rates(self) -> bool:
        """Whether every latent dimension has a rate of its own."""
        return len(self.rates) == self.vae.latent_dim

    @property
    def labels(self) -> NDArray[Any] | None:
        """Class names of the rows, if there are any."""
        if self.y is None or self.codec.labels is None:
            return None
        return np.asarray(self.codec.labels.decode(self.y))

    @property
    def is_image(self) -> bool:
        """Whether rows can be shown as pictures."""
        return isinstance(self.codec.x, ImageCodec)

    def raw(self, x: Any) -> NDArray[Any]:
        """Model units to the user's; images are scaled to [0, 1], to be seen."""
        values = self.codec.decode(torch.as_tensor(np.asarray(x), dtype=torch.float32))
        if not isinstance(self.codec.x, ImageCodec):
            return values
        low, high = self.codec.x.low, self.codec.x.high
        return np.clip((values.astype(np.float64) - low) / (high - low), 0.0, 1.0)

    def context(self, n: int) -> torch.Tensor | None:
        """Contexts for ``n`` made-up rows: those of the first held-out rows, repeated."""
        return None if self.c is None else self.c[torch.arange(n) % len(self.c)]

    def plane(self) -> NDArray[np.float64]:
        """Codes on a grid over the two leading dimensions, top row first, the others at 0."""
        axis = np.linspace(-REACH, REACH, GRID)
        codes = np.zeros((GRID, GRID, self.vae.latent_dim))
        codes[..., self.order[0]] = axis[None, :]
        codes[..., self.order[1]] = axis[::-1, None]
        return codes.reshape(GRID * GRID, -1)


def draw_pictures(scene: Scene, folder: Path) -> list[Picture]:
    """Draw all pictures that suit the data into a folder."""
    found = []
    for name, title, caption, figure in _figures(scene):
        path = plots.save(figure, folder / f"{name}.png")
        found.append(Picture(title, caption, path))
    return found


Drawn = tuple[str, str, str, Figure]


def _figures(scene: Scene) -> Iterator[Drawn]:
    history = scene.artifact.history
    if history:
        yield (
            "training",
            "Training",
            "Nats per example, by epoch. The bound is distortion and rate together.",
            plots.rate_distortion_curves(history),
        )
    yield from _code_figures(scene)
    yield from _image_figures(scene) if scene.is_image else _table_figures(scene)
    yield from _baseline_figures(scene)


def _code_figures(scene: Scene) -> Iterator[Drawn]:
    names = [f"z{i + 1}" for i in scene.order]
    if scene.vae.latent_dim >= 2:
        codes = scene.means[:, scene.order]
        caption = f"Posterior means of {len(codes):,} held-out rows"
        if scene.vae.latent_dim > 2:
            most = "carry most nats" if scene.has_rates else "vary most"
            caption += f", the two dimensions that {most}"
        caption += "."
        figure = plots.latent_scatter(codes, scene.labels, names=names[:2])
        yield "latent_scatter", "Latent space", caption, figure
    else:
        codes = np.hstack([scene.means, scene.scales])
        caption = f"Posterior mean and standard deviation of {len(codes):,} held-out rows."
        figure = plots.latent_scatter(codes, scene.labels, names=["z1", "its standard deviation"])
        yield "latent_scatter", "Latent space", caption, figure
    if scene.has_rates or len(scene.rates) > 1:  # one number is in the table of metrics
        part = "dimension" if scene.has_rates else "group"
        caption = f"What each {part} of the code carries, in nats per example."
        figure = plots.kl_per_dimension(scene.rates, part=part)
        yield "kl_per_dimension", f"Rate by {part}", caption, figure


def _image_figures(scene: Scene) -> Iterator[Drawn]:
    drawn = scene.raw(scene.vae.sample(100, seed=0, c=scene.context(100)))
    yield (
        "samples",
        "Samples",
        f"Means of p(x|z) at codes drawn from the prior.{scene.remark}",
        plots.samples(drawn),
    )
    shown = scene.x[:10]
    recons = scene.vae.reconstruct(shown, None if scene.c is None else scene.c[:10])
    figure = plots.reconstructions(scene.raw(shown), scene.raw(recons))
    caption = (
        "The first held-out rows, their reconstructions at the posterior mean, the difference."
    )
    yield "reconstructions", "Reconstructions", caption, figure
    if scene.vae.latent_dim == 2 and scene.artifact.model.posterior.space == "reals":
        images = scene.raw(scene.vae.decode(scene.plane(), scene.context(GRID * GRID)))
        figure = plots.latent_grid(
            images.reshape(GRID, GRID, *images.shape[1:]),
            (-REACH, REACH, -REACH, REACH),
            names=[f"z{i + 1}" for i in scene.order[:2]],
        )
        yield (
            "latent_grid",
            "The latent plane, decoded",
            "Means of p(x|z) on a grid of codes.",
            figure,
        )
    else:
        figure, caption = traversals(scene)
        yield "traversals", "Traversals", caption, figure


def traversals(scene: Scene) -> tuple[Figure, str]:
    """Images along walks through the space of codes, and what the walks are."""
    q = scene.artifact.model.encode(scene.x[:1], scene.context(1))
    codes, names, values, caption = walk(q, scene.means, scene.order)
    flat = codes.reshape(-1, scene.vae.latent_dim)
    images = scene.raw(scene.vae.decode(flat, scene.context(len(flat))))
    shaped = images.reshape(*codes.shape[:2], *images.shape[1:])
    return plots.traversals(shaped, names, values), caption


def _table_figures(scene: Scene) -> Iterator[Drawn]:
    assert isinstance(scene.codec.x, ArrayCodec)
    columns = scene.codec.x.columns or None
    drawn = scene.raw(
        scene.vae.sample(len(scene.x), seed=0, c=scene.context(len(scene.x)), draw=True)
    )
    figure = plots.marginals(scene.raw(scene.x), drawn, columns)
    yield (
        "samples",
        "Marginals",
        f"Held-out rows and rows drawn from the model, column by column.{scene.remark}",
        figure,
    )
    recons = scene.vae.reconstruct(scene.x[:6], None if scene.c is None else scene.c[:6])
    figure = plots.profile(scene.raw(scene.x[:6]), scene.raw(recons), columns)
    yield "reconstructions", "Reconstructions", "Held-out rows and their reconstructions.", figure


def _baseline_figures(scene: Scene) -> Iterator[Drawn]:
    if scene.train is None:
        return
    rows = next(iter(scene.train.batches(MOST_ROWS))).x.numpy()
    most = min(len(rows), rows[0].size, 50)
    if not np.ptp(rows, axis=0).any():
        return  # one training row, or all the same: there are no principal components
    full = PCA(latent_dim=most).build().fit(rows)
    caption = (
        "Share of the variance on each principal component, and in all: the linear yardstick."
    )
    figure = plots.explained_variance(full.explained_variance_ratio)
    yield "pca_explained_variance", "Explained variance of PCA", caption, figure
    if scene.vae.latent_dim >= 2 and most >= 2:
        codes = PCA(latent_dim=2).build().fit(rows).encode(scene.x.numpy())
        ours = scene.means[:, scene.order]
        figure = plots.two_latent_scatter(ours, codes, scene.labels, ("VAE", "PCA"))
        yield "vae_and_pca", "Beside PCA", "The same rows in both planes.", figure
