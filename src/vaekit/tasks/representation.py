"""A trained VAE behind the protocol that it shares with its baselines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from vaekit.data.checks import require_finite
from vaekit.errors import ConfigError, ShapeError
from vaekit.metrics import log_marginal
from vaekit.models import SemiSupervisedVAEModel, VAEModel

__all__ = ["ModelRepresentation"]

Floats = NDArray[np.float64]


class ModelRepresentation:
    """Codes, reconstructions, samples and scores of a trained model, in model units.

    Args:
        model: A trained model.
        name: What tables call it.
        samples: Importance samples K of ``score_samples``.
        batch_size: Rows at a time.
    """

    notes: tuple[str, ...] = ()

    def __init__(
        self, model: VAEModel, *, name: str = "VAE", samples: int = 100, batch_size: int = 1_000
    ) -> None:
        self.model = model.eval()
        self.name = name
        self.samples = samples
        self.batch_size = batch_size
        self.latent_dim = model.latent_shape[0]

    def fit(self, x: ArrayLike) -> Self:
        """Refused: this model is trained already."""
        raise ConfigError(
            f"{self.name} is trained already", remedy="train another with vaekit train"
        )

    def encode(self, x: ArrayLike, c: Tensor | None = None) -> Floats:
        """Posterior means, shape (n, k)."""
        return self.encode_with_scale(x, c)[0]

    def encode_with_scale(self, x: ArrayLike, c: Tensor | None = None) -> tuple[Floats, Floats]:
        """Posterior means and standard deviations, each of shape (n, k)."""
        parts = []
        with torch.no_grad():
            for rows, context in self._batches(x, c):
                q = self.model.encode(rows, context)
                parts.append((_array(q.mean), _array(q.stddev)))
        means, scales = zip(*parts, strict=True)
        return np.concatenate(means), np.concatenate(scales)

    def decode(self, z: ArrayLike, c: Tensor | None = None) -> Floats:
        """E[x|z] at codes of shape (n, k), shape ``(n, *event)``."""
        with torch.no_grad():
            parts = [
                _array(self.model.decode(codes, context).mean)
                for codes, context in self._batches(z, c)
            ]
        return np.concatenate(parts)

    def reconstruct(self, x: ArrayLike, c: Tensor | None = None) -> Floats:
        """E[x|z] at the posterior means, shape ``(n, *event)``."""
        with torch.no_grad():
            parts = [_array(self.model.reconstruct(*rows)) for rows in self._batches(x, c)]
        return np.concatenate(parts)

    def predict_proba(self, x: ArrayLike) -> Floats:
        """q(y|x) of a model that classifies: the probability of each class, shape (n, C).

        Raises:
            ConfigError: If the model has no classifier.
        """
        if not isinstance(self.model, SemiSupervisedVAEModel):
            raise ConfigError(
                f"{self.name} does not classify",
                remedy="train one with --recipe semi-supervised-vae",
            )
        with torch.no_grad():
            parts = [_array(self.model.classify(rows).mean) for rows, _ in self._batches(x, None)]
        return np.concatenate(parts)

    def predict(self, x: ArrayLike) -> NDArray[np.int64]:
        """Codes of the most probable classes, shape (n,); errors as :meth:`predict_proba`."""
        return self.predict_proba(x).argmax(1)

    def sample(self, n: int, *, seed: int, c: Tensor | None = None, draw: bool = False) -> Floats:
        """E[x|z] at codes from the prior, or draws from p(x|z); shape ``(n, *event)``.

        Args:
            n: How many.
            seed: Determines the draws; torch's global generator is left as it was.
            c: One context for each.
            draw: Whether to draw from p(x|z) instead of taking its mean.
        """
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.default_generator.manual_seed(seed)
            px = self.model.sample(n, c)
            return _array(px.sample() if draw else px.mean)

    def score_samples(self, x: ArrayLike, c: Tensor | None = None) -> Floats | None:
        """Importance-sampled log p(x) in nats, shape (n,); None where there is no density."""
        if not self.model.has_density:
            return None
        return _array(log_marginal(self.model, _rows(x), c, samples=self.samples))

    def _batches(self, x: ArrayLike, c: Tensor | None) -> Iterator[tuple[Tensor, Tensor | None]]:
        rows = _rows(x)
        if c is not None and len(c) != len(rows):
            raise ShapeError("one context for each row", expected=len(rows), got=len(c))
        contexts = [None] * len(rows) if c is None else c.split(self.batch_size)
        yield from zip(rows.split(self.batch_size), contexts, strict=False)


def _rows(x: ArrayLike) -> Tensor:
    values = np.asarray(x)
    require_finite(values, where="rows for the model")
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


def _array(values: Tensor) -> Floats:
    return values.detach().cpu().numpy().astype(np.float64)
