"""Features to compare samples by: those of a small classifier, or what the user names."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from vaekit.artifacts.weights import load_weights, save_weights
from vaekit.data import AsIs, Rows, TensorData
from vaekit.distributions import Categorical
from vaekit.errors import ConfigError, did_you_mean
from vaekit.files import read_json, write_json
from vaekit.metrics import Features, Pixels
from vaekit.models import Evidence
from vaekit.networks import default_network, probe_features
from vaekit.objectives import ELBO
from vaekit.spec import Role, Spec, Within, registered, spec_from_text, to_json
from vaekit.tasks.source import Prepared
from vaekit.training import PolicySpec, Trainer, Training

__all__ = ["Classifier", "ClassifierFeatures", "features_from_text"]

FOLDER = "features"


class Classifier(Spec, kind="features/classifier"):
    """A small classifier, whose last hidden layer gives the features.

    Args:
        network: Its layers; None takes convolutions for images and dense layers for other data.
        rows: Most labelled rows to learn from.
        epochs: Passes over these.
        seed: Of weights and batches.
    """

    network: Annotated[Any, Role("network")] | None = None
    rows: Annotated[int, Within(2, 10_000_000)] = 10_000
    epochs: Annotated[int, Within(1, 10_000)] = 3
    seed: Annotated[int, Within(0, 2**53)] = 0

    def fit(self, data: Rows, classes: int) -> ClassifierFeatures:
        """Learn to tell the classes of labelled rows apart; the same rows give the same features.

        Args:
            data: Rows with labels 0 … classes − 1; those without a label (−1) are left out.
            classes: How many.

        Raises:
            ConfigError: If no row has a label.
        """
        some = data.sample(self.rows)
        batch = next(iter(some.batches(len(some))))
        y = torch.empty(0) if batch.y is None else batch.y
        known = y >= 0
        if not known.any():
            raise ConfigError(
                "a classifier learns from labels, and there are none",
                remedy="compare samples by pixels, or by a function of your own",
            )
        x, y = batch.x[known], y[known]
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed)
            features = ClassifierFeatures(self, x.shape[1:], classes)
        labels = y.to(x.dtype).unsqueeze(1)
        training = Training(
            epochs=self.epochs,
            seed=self.seed,
            speed=PolicySpec(precision="32-true", compile="off"),
        )
        rows: dict[str, Any] = {"train": TensorData(AsIs(), labels, c=x)}  # type: ignore[arg-type]
        Trainer(features, rows, training, objective=ELBO()).fit()
        return features.eval()


class ClassifierFeatures(nn.Module):
    r"""p(y|x): a model of labels without latents, whose context is the observation.

    Its evidence is the log-likelihood of the labels, so the training loop of all models trains it.

    Args:
        spec: What it was built from.
        event_shape: Shape of one observation.
        classes: How many.
    """

    name = "classifier"

    def __init__(self, spec: Classifier, event_shape: Sequence[int], classes: int) -> None:
        super().__init__()
        network = default_network(event_shape) if spec.network is None else spec.network
        self.network = network.encoder(event_shape)
        size = probe_features(self.network, event_shape, context_dim=0)
        self.head = nn.Linear(size, classes)

    def forward(self, x: Tensor) -> Tensor:
        r"""Features of observations, (B, \*event) → (B, F)."""
        return self.network(x.to(self.head.weight))

    def evidence(
        self,
        x: Tensor,
        c: Tensor,
        *,
        target: Tensor | None = None,
        observed: Tensor | None = None,
        samples: int = 1,
    ) -> Evidence:
        r"""log p(y|x) of labels ``x`` (B, 1), given observations ``c`` (B, \*event)."""
        logits = self.head(self(c))
        return Evidence(Categorical(logits[None, :, :, None]), None, (), value=x)


def features_from_text(text: str, *, folder: Path, prepared: Prepared) -> Features:
    """The features that a user names.

    Args:
        text: ``pixels``, ``classifier``, either with settings (``classifier:epochs=9``); ``auto``,
            the classifier where there are labels; or ``package.module:function``, which is
            imported and may be any function of a batch, such as a network of the user's.
        folder: The run; a classifier is read from it, or trained and kept there.
        prepared: The run's data.

    Raises:
        ConfigError: If there are no such features, or no labels for a classifier.
        ArtifactError: If the classifier in the folder is corrupt.
    """
    name = text.partition(":")[0].strip()
    known = registered("features")
    if name == "auto":
        name = text = "pixels" if prepared.codec.labels is None else "classifier"
    if name not in known:
        return _imported(text, known)
    spec: Any = spec_from_text(text, role="features")
    return spec if isinstance(spec, Pixels) else _classifier(spec, folder / FOLDER, prepared)


def _imported(text: str, known: dict[str, type[Spec]]) -> Features:
    """What the user calls ``module:function``, the working directory included."""
    module, _, name = text.partition(":")
    if not name or not all(word.isidentifier() for word in module.split(".")):
        remedy = f"{did_you_mean(text, [*known, 'auto'])}, or package.module:function"
        raise ConfigError(f"unknown features {text!r}", remedy=remedy)
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        found: Any = getattr(importlib.import_module(module), name)
    except Exception as error:
        raise ConfigError(
            f"cannot import the features {text!r}: {type(error).__name__}: {error}"
        ) from error
    finally:
        sys.path.remove(here)
    if not callable(found):
        raise ConfigError("features are a function", got=type(found).__name__, where=text)
    features: Features = found
    return features


def _classifier(spec: Classifier, folder: Path, prepared: Prepared) -> ClassifierFeatures:
    """The classifier of a run: as it was kept, if for the same wishes and data, else trained."""
    if prepared.codec.labels is None:
        raise ConfigError(
            "a classifier learns from labels, and the run's data has none",
            remedy="use --features pixels",
        )
    classes, shape = len(prepared.codec.labels.classes), prepared.codec.event_shape
    facts = {
        "features": to_json(spec),
        "event_shape": list(shape),
        "classes": classes,
        "data_sha256": prepared.raw.fingerprint,
    }
    description, weights = folder / "classifier.json", folder / "classifier.safetensors"
    if description.is_file() and read_json(description) == facts:
        features = ClassifierFeatures(spec, shape, classes)
        load_weights(features, weights, {})
        return features.eval()
    features = spec.fit(prepared.part("train"), classes)
    description.unlink(missing_ok=True)
    save_weights(features, weights)
    write_json(description, facts)
    return features
