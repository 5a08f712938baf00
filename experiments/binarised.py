"""A dense VAE on binarised MNIST, of which an experiment varies one part.

Encoder 784-300-300, a code of 40, the decoder mirrored, relu; the grey values are probabilities
from which each image is drawn anew in every step, and once for the test set. β rises to 1 over the
first fifth; the weights of the best held-out bound are kept.
"""

from __future__ import annotations

import dataclasses
import time

import torch

from vaekit.likelihoods import Bernoulli
from vaekit.metrics import mean_and_error, score
from vaekit.models import FlatVAE, VAEModel
from vaekit.networks import MLP
from vaekit.objectives import ELBO, Cosine, Linear
from vaekit.spec import Spec
from vaekit.tasks import Composition, DataSpec, Prepared, build_model, prepare_data
from vaekit.training import Adam, Display, Trainer, Training

__all__ = ["COLUMNS", "Found", "Setting", "binarised", "train_and_measure"]

COLUMNS = ["ELBO", "error", "rate", "distortion", "log p(x)", "error of log p(x)", "ms a step"]


@dataclasses.dataclass(frozen=True)
class Setting:
    """How large, how long, and how exactly measured.

    Attributes:
        width: Of the two hidden layers on either side.
        latent_dim: Of the code.
        epochs: Passes over the training images.
        samples: K of log p(x).
        images: How many test images log p(x) is measured on; the bound is measured on all.
    """

    width: int = 300
    latent_dim: int = 40
    epochs: int = 20
    samples: int = 500
    images: int = 2_000

    @classmethod
    def small(cls) -> Setting:
        """For a few seconds on the bundled digits."""
        return cls(width=32, latent_dim=8, epochs=2, samples=20)


@dataclasses.dataclass(frozen=True)
class Found:
    """A trained model and what was measured of it, in nats.

    Attributes:
        model: With the weights of the best held-out bound.
        facts: Values of :data:`COLUMNS`.
        log_p: log p(x) of each measured image.
        seconds: Of the training.
    """

    model: VAEModel
    facts: list[float]
    log_p: torch.Tensor
    seconds: float


def binarised(source: str) -> Prepared:
    """Images that are drawn anew in every step."""
    return prepare_data(DataSpec(source=source, binarise="dynamic"))


def train_and_measure(prepared: Prepared, setting: Setting, **parts: Spec) -> Found:
    """One model with these parts; all else is the same for all."""
    made = _composition(setting, parts)
    model = build_model(made, prepared)
    data = {name: prepared.part(name) for name in ("train", "validation")}
    trainer = Trainer(model, data, made.training, objective=made.objective, callbacks=[Display()])
    begin = time.perf_counter()
    trainer.fit()
    seconds = time.perf_counter() - begin
    x = torch.cat([batch.x for batch in prepared.held_out.batches(1_000)])
    scores = score(model, x, samples=10, first_row=0)
    some = x[: setting.images]
    log_p = score(model, some, samples=setting.samples, first_row=0).log_marginal
    facts = [
        *mean_and_error(scores.elbo),
        float(scores.rate.mean()),
        float(scores.distortion.mean()),
        *mean_and_error(log_p),
        1_000 * seconds / trainer.step,
    ]
    return Found(model, facts, log_p, seconds)


def _composition(setting: Setting, parts: dict[str, Spec]) -> Composition:
    network = MLP(hidden=(setting.width, setting.width))
    chosen: dict[str, Spec] = {"encoder": network, "likelihood": Bernoulli(), **parts}
    model = FlatVAE(latent_dim=setting.latent_dim, **chosen)  # type: ignore[arg-type]
    training = Training(
        epochs=setting.epochs,
        batch_size=100,
        optimizer=Adam(lr=1e-3),
        lr_schedule=Cosine(warm_up=0.02),
    )
    return Composition(model, ELBO(beta=Linear(start=0.0, end=1.0, over=0.2)), training)
