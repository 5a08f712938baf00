r"""Fewer columns by a variational autoencoder, as a scikit-learn transformer.

In linear mode the model is probabilistic PCA (Tipping & Bishop 1999), which is the optimum of a
VAE with linear encoder and decoder and one noise scale. With the eigenvalues
:math:`\lambda_1 \ge \lambda_2 \ge \dots` of the covariance of X (divided by n), the noise
:math:`\sigma^2` that is the mean of those left out, and the score :math:`s_i` of a row on the
i-th principal axis, component i is

.. math:: z_i = s_i \sqrt{\lambda_i - \sigma^2} / \lambda_i
    = \frac{s_i}{\sqrt{\lambda_i}} \sqrt{1 - \sigma^2 / \lambda_i},

PCA's whitened score, drawn towards zero by the posterior; its rate is
:math:`\tfrac12 \log(\lambda_i / \sigma^2)` nats, so that the order by rate is PCA's order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vaekit.data import DataCodec, RawData, TensorData
from vaekit.errors import ArtifactError, ConfigError
from vaekit.models import FlatVAE, LinearVAE, LinearVAEModel, VAEModel
from vaekit.tasks.estimators.base import Floats, VAEEstimator
from vaekit.tasks.estimators.codecs import fit_codec, with_unit_noise
from vaekit.tasks.estimators.fitting import Settings, codes_and_rates, warn_of_collapse
from vaekit.tasks.estimators.parts import ROLES, as_part, whole
from vaekit.tasks.estimators.saving import numbers

__all__ = ["VAEReducer"]


class VAEReducer(VAEEstimator):
    """Reduces a numeric table or images to a few components, the most informative first.

    Components are the posterior means of a VAE with N(0, I) prior and independent coordinates,
    ordered by their KL: the nats that each carries about a row. Signs are fixed: a component grows
    with the input with which its covariance (in the model's units) is largest. That is PCA's
    convention, so a component of the linear mode has the sign that PCA gives it.

    Args:
        n_components: How many.
        linear: Fit probabilistic PCA in closed form instead of training a network.
        encoder: As of :class:`VAE`; not for the linear mode.
        decoder: As of :class:`VAE`; not for the linear mode.
        likelihood: As of :class:`VAE`; not for the linear mode.
        objective: As of :class:`VAE`; not for the linear mode.
        scaling: As of :class:`VAE`; in linear mode ``"auto"`` is ``"common"``, so that components
            are those of PCA on X itself. Choose ``"standard"`` for PCA on standardised columns.
        learning_rate: As of :class:`VAE`.
        batch_size: As of :class:`VAE`.
        max_epochs: As of :class:`VAE`.
        patience: As of :class:`VAE`.
        validation_fraction: As of :class:`VAE`.
        importance_samples: As of :class:`VAE`; the linear mode needs none, its scores are exact.
        warm_start: As of :class:`VAE`; the linear mode always begins anew.
        random_state: As of :class:`VAE`; the linear mode draws nothing.
        device: As of :class:`VAE`.
        verbose: As of :class:`VAE`.

    Attributes:
        kl_: What each component carries, in nats per row of ``fit``, in descending order, shape
            (n_components,).
        order_: Which latent dimension of the model each component is.
        signs_: 1 where a component is that dimension, −1 where it is its negative.
        model_: The trained model, on the CPU.
        codec_: How rows become tensors and back.
        elbo_: The best bound on held-out rows, in nats per row and the units of X; NaN in linear
            mode.
        history_: One record for each epoch.
        n_epochs_: How many there were.
        n_features_in_: Columns of X (elements of an image).
        feature_names_in_: Their names, where X had some.

    References:
        | Auto-Encoding Variational Bayes (Kingma & Welling, 2013), arXiv:1312.6114.
        | Probabilistic Principal Component Analysis (Tipping & Bishop, 1999), for the linear mode.

    Example:
        >>> from sklearn.datasets import load_wine
        >>> reducer = VAEReducer(linear=True, scaling="standard").set_output(transform="pandas")
        >>> reducer.fit_transform(load_wine().data).columns.tolist()
        ['vaereducer0', 'vaereducer1']
    """

    def __init__(  # noqa: PLR0913  one parameter for each choice, as scikit-learn has it
        self,
        n_components: int = 2,
        *,
        linear: bool = False,
        encoder: Any = None,
        decoder: Any = None,
        likelihood: Any = None,
        objective: Any = "elbo",
        scaling: str = "auto",
        learning_rate: float = 5e-3,
        batch_size: int = 128,
        max_epochs: int = 200,
        patience: int | None = 5,
        validation_fraction: float = 0.2,
        importance_samples: int = 100,
        warm_start: bool = False,
        random_state: Any = None,
        device: str = "cpu",
        verbose: int = 0,
    ) -> None:
        self.n_components = n_components
        self.linear = linear
        self.encoder = encoder
        self.decoder = decoder
        self.likelihood = likelihood
        self.objective = objective
        self.scaling = scaling
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.importance_samples = importance_samples
        self.warm_start = warm_start
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    order_: np.ndarray
    signs_: Floats

    def score_samples(self, X: Any) -> Floats:
        """log p(x) of each row in nats, as of :class:`VAE`; exact in linear mode."""
        model = self._exact() if hasattr(self, "model_") else None
        if not isinstance(model, LinearVAEModel):
            return super().score_samples(X)
        with torch.no_grad():
            return model.exact_log_marginal(self._encoded(X)).numpy() - self._log_volume()

    def _goes_on(self) -> bool:
        return super()._goes_on() and not self.linear

    def _model_spec(self, codec: DataCodec) -> FlatVAE | LinearVAE:
        k, columns = whole("n_components", self.n_components, 1), math.prod(codec.event_shape)
        if not self.linear:
            return FlatVAE(latent_dim=k, **self._parts(codec))
        for name in ("encoder", "decoder", "likelihood"):
            if as_part(getattr(self, name), ROLES[name]) is not None:
                raise ConfigError(
                    "the linear mode has parts of its own",
                    got=repr(getattr(self, name)),
                    where=name,
                    remedy=f"leave {name} out, or choose linear=False",
                )
        if k >= columns:
            raise ConfigError(
                "the linear mode leaves out at least one dimension, to measure the noise by",
                expected=f"at most {columns - 1} with n_features = {columns}",
                got=k,
                where="n_components",
            )
        return LinearVAE(latent_dim=k)

    def _codec(self, raw: RawData) -> DataCodec:
        if not self.linear:
            return super()._codec(raw)
        in_place = self.scaling == "auto" and raw.kind == "array"
        codec = fit_codec(raw, "common" if in_place else self.scaling)
        return with_unit_noise(codec, raw, whole("n_components", self.n_components, 1))

    def _optimise(
        self,
        model: VAEModel,
        raw: RawData,
        data: TensorData,
        settings: Settings,
        seeds: tuple[int, int],
    ) -> list[dict[str, Any]]:
        if not isinstance(model, LinearVAEModel):
            return super()._optimise(model, raw, data, settings, seeds)
        model.set_maximum_likelihood(data.codec.to_model(data.x)).eval()
        return []

    def _measure(self, model: VAEModel, x: Tensor) -> None:
        codes, rates = codes_and_rates(model, x)
        self.order_ = np.argsort(-rates, kind="stable")
        self.kl_ = rates[self.order_]
        together = (codes - codes.mean(0)).T @ x.flatten(1).numpy()
        largest = np.take_along_axis(together, np.abs(together).argmax(1)[:, None], axis=1)
        self.signs_ = np.where(largest[self.order_, 0] < 0, -1.0, 1.0)
        if not self.linear:
            warn_of_collapse(self.kl_, most=0)

    def _to_user(self, codes: Floats) -> Floats:
        return codes[:, self.order_] * self.signs_

    def _to_model(self, codes: Floats) -> Floats:
        own = np.empty_like(codes)
        own[:, self.order_] = codes * self.signs_
        return own

    def _fitted(self) -> dict[str, Any]:
        return super()._fitted() | {"order": self.order_.tolist(), "signs": self.signs_.tolist()}

    def _restore(self, fitted: Mapping[str, Any], path: Path) -> None:
        super()._restore(fitted, path)
        k = self._n_features_out
        order, signs = (numbers(fitted, name, k, path) for name in ("order", "signs"))
        if sorted(order) != list(range(k)) or not set(signs) <= {-1.0, 1.0}:
            raise ArtifactError("not an order and signs of components", where=str(path))
        self.order_, self.signs_ = order.astype(int), signs
