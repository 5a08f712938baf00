"""Detectors of frauds to compare with: what is far from most, and what is reconstructed badly.

Each has scikit-learn's ``fit(X)`` and ``score_samples(X)`` (higher is more normal), and takes
columns in standard units.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from torch import nn

from vaekit.baselines import PCA, PrincipalComponents
from vaekit.data import AsIs, TensorData
from vaekit.latents import Point
from vaekit.likelihoods import Gaussian
from vaekit.models import FlatVAE, VAEModel
from vaekit.networks import MLP
from vaekit.objectives import Autoencoding
from vaekit.training import Adam, Trainer, Training

__all__ = ["AutoencoderError", "OneColumn", "PCAError"]

Floats = NDArray[np.float64]


class OneColumn(BaseEstimator):
    """The larger one column, the more suspicious: what needs no model.

    Args:
        column: Its number.

    Example:
        >>> OneColumn(1).fit(np.eye(3)).score_samples(np.eye(3)).argmin()
        np.int64(1)
    """

    def __init__(self, column: int = 0) -> None:
        self.column = column

    def fit(self, X: Floats, y: Any = None) -> Self:
        """Nothing to learn."""
        self.n_features_in_ = X.shape[1]
        return self

    def score_samples(self, X: Floats) -> Floats:
        """Minus the column, shape (n,)."""
        return -X[:, self.column]


class PCAError(BaseEstimator):
    """The squared error of the best linear code.

    Args:
        latent_dim: Numbers in a code.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(50, 4))
        >>> PCAError(latent_dim=2).fit(rows).score_samples(rows).shape
        (50,)
    """

    pca_: PrincipalComponents

    def __init__(self, latent_dim: int = 6) -> None:
        self.latent_dim = latent_dim

    def fit(self, X: Floats, y: Any = None) -> Self:
        """The principal axes of X, shape (n, D)."""
        self.pca_ = PCA(latent_dim=self.latent_dim).build().fit(X)
        self.n_features_in_ = X.shape[1]
        return self

    def score_samples(self, X: Floats) -> Floats:
        """Minus the mean squared error of each row, shape (n,)."""
        return -np.square(self.pca_.reconstruct(X) - X).mean(1)


class AutoencoderError(BaseEstimator):
    """The squared error of the handbook's autoencoder: D → 100 → 20 → 100 → D, ReLU between.

    Its code is wider than the 15 features, and its error tiny: what it reconstructs badly is what
    its training has not reached yet, rather than what does not fit into a code.

    Args:
        epochs: Passes over the rows. The handbook's run ended after 48, when three in a row had
            not lowered the error on the test rows.
        random_state: Seed of weights and batches.

    References:
        Reproducible Machine Learning for Credit Card Fraud Detection (Le Borgne, Siblini, Lebichot
        & Bontempi, 2022), "Autoencoders and anomaly detection".

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(50, 4))
        >>> AutoencoderError(epochs=2).fit(rows).score_samples(rows).shape
        (50,)
    """

    model_: VAEModel

    def __init__(self, epochs: int = 48, random_state: int = 0) -> None:
        self.epochs = epochs
        self.random_state = random_state

    def fit(self, X: Floats, y: Any = None) -> Self:
        """Train on X, shape (n, D): batches of 64, Adam with a learning rate of 1e-4."""
        width = X.shape[1]
        training = Training(
            epochs=self.epochs, batch_size=64, optimizer=Adam(lr=1e-4), seed=self.random_state
        )
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.random_state)
            # The code is activated on the decoder's side of it.
            layers = [nn.ReLU(), nn.Linear(20, 100), nn.ReLU(), nn.Linear(100, width)]
            model = FlatVAE(
                latent_dim=20,
                encoder=MLP(hidden=(100,)),
                decoder=nn.Sequential(*layers),
                posterior=Point(),
                likelihood=Gaussian(scale=1.0),
            ).build(event_shape=(width,))
        data = {"train": TensorData(AsIs(), torch.as_tensor(X, dtype=torch.float32))}  # type: ignore[arg-type]
        Trainer(model, data, training, objective=Autoencoding()).fit()
        self.model_ = model.eval()
        self.n_features_in_ = width
        return self

    def score_samples(self, X: Floats) -> Floats:
        """Minus the mean squared error of each row, shape (n,)."""
        with torch.no_grad():
            made = self.model_.reconstruct(torch.as_tensor(X, dtype=torch.float32))
        return -np.square(made.numpy().astype(np.float64) - X).mean(1)
