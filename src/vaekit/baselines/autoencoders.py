"""Autoencoders behind the protocol of the baselines: plain, linear, sparse and contractive."""

from __future__ import annotations

from typing import Annotated, Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike

from vaekit.baselines.flat import Floats, as_rows
from vaekit.data import AsIs, TensorData
from vaekit.errors import DataError, NotFittedError
from vaekit.latents import Point
from vaekit.likelihoods import Gaussian
from vaekit.models import FlatVAE, VAEModel
from vaekit.networks import MLP
from vaekit.objectives import Autoencoding
from vaekit.spec import Role, Spec, Within
from vaekit.training import Trainer, Training

__all__ = [
    "Autoencoder",
    "ContractiveAutoencoder",
    "LinearAutoencoder",
    "NeuralRepresentation",
    "SparseAutoencoder",
]

Latent = Annotated[int, Within(1, 65_536)]
Penalty = Annotated[float, Within(0.0, 1e9)]
Network = Annotated[Any, Role("network")]
Trained = Annotated[Any, Role("training")]


class Autoencoder(Spec, kind="baseline/autoencoder"):
    """A deterministic code and squared error.

    Args:
        latent_dim: Numbers in a code.
        network: Encoder, mirrored by the decoder.
        training: How to train.
    """

    latent_dim: Latent = 2
    network: Network = MLP()
    training: Trained = Training()

    def build(self) -> NeuralRepresentation:
        """The baseline, not yet fitted."""
        return NeuralRepresentation("autoencoder", self, self.training, Autoencoding())


class LinearAutoencoder(Spec, kind="baseline/linear-autoencoder"):
    """No hidden layers: at its optimum it spans the subspace of PCA."""

    latent_dim: Latent = 2
    training: Trained = Training()

    @property
    def network(self) -> MLP:
        """Linear maps."""
        return MLP(hidden=())

    def build(self) -> NeuralRepresentation:
        """The baseline, not yet fitted."""
        return NeuralRepresentation("linear autoencoder", self, self.training, Autoencoding())


class SparseAutoencoder(Spec, kind="baseline/sparse-autoencoder"):
    """An autoencoder with an L1 penalty on its code."""

    latent_dim: Latent = 2
    network: Network = MLP()
    training: Trained = Training()
    sparsity: Penalty = 0.1

    def build(self) -> NeuralRepresentation:
        """The baseline, not yet fitted."""
        objective = Autoencoding(sparsity=self.sparsity)
        return NeuralRepresentation("sparse autoencoder", self, self.training, objective)


class ContractiveAutoencoder(Spec, kind="baseline/contractive-autoencoder"):
    """An autoencoder with a penalty on its encoder's Jacobian."""

    latent_dim: Latent = 2
    network: Network = MLP()
    training: Trained = Training()
    contraction: Penalty = 0.1

    def build(self) -> NeuralRepresentation:
        """The baseline, not yet fitted."""
        objective = Autoencoding(contraction=self.contraction)
        return NeuralRepresentation("contractive autoencoder", self, self.training, objective)


class NeuralRepresentation:
    """An autoencoder that is trained by :meth:`fit`, in model units.

    Args:
        name: What tables call it.
        spec: Has ``latent_dim`` and, unless a subclass begins otherwise, ``network``.
        training: How to train; None leaves the model as it begins.
        objective: What is minimised.
    """

    model: VAEModel
    notes: tuple[str, ...] = ()

    def __init__(
        self, name: str, spec: Any, training: Training | None, objective: Autoencoding
    ) -> None:
        self.name = name
        self.spec = spec
        self.training = training
        self.objective = objective
        self.latent_dim: int = spec.latent_dim

    def fit(self, x: ArrayLike) -> Self:
        """Train on rows of shape ``(n, *event)``.

        Raises:
            DataError: If rows are fewer than two, or a value is not finite.
            NumericalError: If training diverges.
        """
        rows = as_rows(x)
        if len(rows) < 2:
            raise DataError("too few rows to learn from", expected="at least 2", got=len(rows))
        self.model = self._initial(rows)
        if self.training is not None:
            data = {"train": TensorData(AsIs(), _tensor(rows))}  # type: ignore[arg-type]
            Trainer(self.model, data, self.training, objective=self.objective).fit()
        return self

    def encode(self, x: ArrayLike) -> Floats:
        """Codes, shape (n, k)."""
        with torch.no_grad():
            return _array(self._fitted().encode(_tensor(as_rows(x))).mean)

    def decode(self, z: ArrayLike) -> Floats:
        """Reconstructions of codes, shape ``(n, *event)``."""
        with torch.no_grad():
            return _array(self._fitted().decode(_tensor(np.asarray(z))).mean)

    def reconstruct(self, x: ArrayLike) -> Floats:
        """``decode(encode(x))``."""
        return self.decode(self.encode(x))

    def sample(self, n: int, *, seed: int) -> Floats:
        """Decoded standard normal codes; without a prior these need not resemble data."""
        codes = np.random.default_rng(seed).standard_normal((n, self.latent_dim))
        return self.decode(codes)

    def score_samples(self, x: ArrayLike) -> Floats | None:
        """None: a point for a code leaves no density."""
        return None

    def _initial(self, rows: Floats) -> VAEModel:
        """The model that training begins with."""
        parts = FlatVAE(
            latent_dim=self.latent_dim,
            encoder=self.spec.network,
            posterior=Point(),
            likelihood=Gaussian(scale=1.0),
        )
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.spec.training.seed)
            return parts.build(event_shape=rows.shape[1:])

    def _fitted(self) -> VAEModel:
        if not hasattr(self, "model"):
            raise NotFittedError(
                f"the {self.name} has not been fitted", remedy="call fit(x) first"
            )
        return self.model


def _tensor(values: Any) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float32)


def _array(values: torch.Tensor) -> Floats:
    return values.cpu().numpy().astype(np.float64)
