"""What the estimators of codes and densities share: fitting, codes, scores, files."""

from __future__ import annotations

import copy
import math
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted, validate_data
from torch import Tensor

from vaekit.data import DataCodec, RawData, TensorData
from vaekit.errors import ConfigError, ShapeError
from vaekit.metrics import log_marginal
from vaekit.metrics.scored import evaluating, in_dtype
from vaekit.models import VAEModel
from vaekit.networks import MLP
from vaekit.objectives import ELBO
from vaekit.tasks.estimators.codecs import fit_codec, log_volume, takes_any_number
from vaekit.tasks.estimators.fitting import (
    Settings,
    build,
    codes_and_rates,
    in_chunks,
    require_same_parts,
    seed_from,
    train,
    unchanged_if_it_fails,
    warn_of_collapse,
)
from vaekit.tasks.estimators.html import estimator_html, summary
from vaekit.tasks.estimators.parts import PartParameters, as_part, whole
from vaekit.tasks.estimators.saving import Savable
from vaekit.tasks.source import hint_for

__all__ = ["VAEEstimator"]

Floats = NDArray[np.float64]
TABLE = (np.float64, np.float32)
NETWORK = MLP(hidden=(128, 64))
"""For tables; estimators meet small ones more often than the command line does."""


class VAEEstimator(
    PartParameters, Savable, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Base of :class:`VAE` and :class:`VAEReducer`.

    Subclasses name their parameters in ``__init__`` and say in :meth:`_model_spec` what to train.
    """

    warm_start: bool
    random_state: Any
    scaling: str
    encoder: Any
    decoder: Any
    likelihood: Any
    objective: Any
    importance_samples: int

    # --- fitting -------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train until the bound on held-out rows no longer rises.

        Args:
            X: A numeric table of shape (n, D), as array or DataFrame, or images of shape
                (n, H, W) or (n, H, W, C).
            y: Not used.

        Returns:
            The estimator.

        Raises:
            ValueError: If a value of X is missing or infinite, X has too few rows or columns, or
                parameters do not fit each other or the data.
            NumericalError: If training diverges.
        """
        with unchanged_if_it_fails(self):
            return self._fit(X)

    def _fit(self, X: Any) -> Self:
        settings = Settings.of(self.get_params(deep=False))
        again = self._goes_on()
        raw = self._read(X, fitting=True, reset=not again)
        seed = self.seed_ if again else seed_from(self.random_state)
        codec = self.codec_ if again else self._codec(raw)
        spec = self._model_spec(codec)
        if again:
            require_same_parts(spec, self.model_.spec)
        model = copy.deepcopy(self.model_) if again else build(spec, codec.event_shape, seed)
        data = TensorData.of(raw, codec)
        x = codec.to_model(data.x)
        model.likelihood.check(x)
        before = self.history_ if again else []
        records = self._optimise(model, raw, data, settings, (seed, _mixed(seed, len(before))))
        self.seed_, self.codec_, self.model_ = seed, codec, model
        self.history_ = [*before, *_continued(records, before)]
        self._fingerprint = raw.fingerprint
        self._measure(self._exact(), x)
        return self

    def _goes_on(self) -> bool:
        """Whether ``fit`` begins with the weights of the last one."""
        return bool(self.warm_start) and hasattr(self, "model_")

    def _model_spec(self, codec: DataCodec) -> Any:
        """The spec of the model for data of this codec."""
        raise NotImplementedError

    def _parts(self, codec: DataCodec) -> dict[str, Any]:
        """Networks and likelihood: those of the user, else those that suit the data."""
        hint = hint_for(codec)
        network = NETWORK if len(codec.event_shape) == 1 else hint.network
        return {
            "encoder": as_part(self.encoder, "network") or network,
            "decoder": as_part(self.decoder, "network"),
            "likelihood": as_part(self.likelihood, "likelihood") or hint.likelihood,
        }

    def _codec(self, raw: RawData) -> DataCodec:
        """Fitted on this data."""
        if self.scaling != "auto" or raw.kind == "image":
            return fit_codec(raw, self.scaling)
        likelihood = as_part(self.likelihood, "likelihood")
        anything = likelihood is None or takes_any_number(likelihood)
        return fit_codec(raw, "standard" if anything else "none")

    def _optimise(
        self,
        model: VAEModel,
        raw: RawData,
        data: TensorData,
        settings: Settings,
        seeds: tuple[int, int],
    ) -> list[dict[str, Any]]:
        objective = as_part(self.objective, "objective") or ELBO()
        if not callable(objective):
            raise ConfigError("not an objective", got=repr(objective), where="objective")
        return train(model, raw, data, objective, settings, seeds=seeds)

    def _measure(self, model: VAEModel, x: Tensor) -> None:
        """Attributes that are measured on the rows of ``fit``, and warnings about them."""
        _, self.kl_ = codes_and_rates(model, x)
        warn_of_collapse(self.kl_, most=len(self.kl_) // 2)

    def _read(self, X: Any, *, fitting: bool = False, reset: bool = False) -> RawData:
        """Rows that the user gave, checked as scikit-learn checks them."""
        if not reset and hasattr(self, "codec_"):
            images = len(self.codec_.event_shape) == 3
        else:
            images = getattr(X, "ndim", 2) in (3, 4)
        if images:
            return self._read_images(X, fitting=fitting, reset=reset)
        least = 2 if fitting else 1
        values = validate_data(self, X, dtype=TABLE, reset=reset, ensure_min_samples=least)
        names = getattr(self, "feature_names_in_", None)
        return RawData(
            values, columns=None if names is None else names.tolist(), kind="array", name="X"
        )

    def _read_images(self, X: Any, *, fitting: bool, reset: bool) -> RawData:
        raw = RawData(X, kind="image", name="X")
        if fitting and len(raw) < 2:
            raise ConfigError("too few images", expected="at least 2", got="1 sample", where="X")
        if reset:
            self.n_features_in_ = math.prod(raw.x.shape[1:])
            if hasattr(self, "feature_names_in_"):
                del self.feature_names_in_
        return raw

    @property
    def n_epochs_(self) -> int:
        """Epochs of training so far, over all calls of ``fit`` that went on from each other."""
        return len(self.history_)

    @property
    def elbo_(self) -> float:
        """The bound that the kept weights reached, in nats per row and in the units of X.

        On the held-out rows of ``fit``, or on its training rows where none were held out; NaN
        where nothing was watched.
        """
        best = [r["valid_elbo"] for r in self.history_ if r.get("best") and "valid_elbo" in r]
        return best[-1] - self._log_volume() if best else math.nan

    # --- codes ---------------------------------------------------------------------------------

    def transform(self, X: Any) -> Floats:
        """The code of each row: the mean of its posterior, float64, shape (n, k)."""
        check_is_fitted(self)
        model, x = self._exact(), self._encoded(X)
        with evaluating(model):
            return self._to_user(in_chunks(lambda rows: model.encode(rows).mean, x).numpy())

    def inverse_transform(self, X: ArrayLike) -> NDArray[Any]:
        """What the decoder expects at each code, E[x|z], in the units of the training data.

        Args:
            X: Codes, shape (n, k).

        Returns:
            A table, or images with the shape and number type of the training images.
        """
        check_is_fitted(self)
        codes = check_array(X, dtype=np.float64, input_name="X")
        if codes.shape[1] != self._n_features_out:
            raise ShapeError(
                "these are not codes of this estimator",
                expected=f"shape (n, {self._n_features_out})",
                got=codes.shape,
            )
        model, z = self._exact(), torch.from_numpy(self._to_model(codes))
        with evaluating(model):
            return self.codec_.decode(in_chunks(lambda rows: model.decode(rows).mean, z))

    def reconstruct(self, X: Any) -> NDArray[Any]:
        """Each row decoded from its code, in the units of the training data."""
        check_is_fitted(self)
        model, x = self._exact(), self._encoded(X)
        with evaluating(model):
            return self.codec_.decode(in_chunks(model.reconstruct, x))

    def _to_user(self, codes: Floats) -> Floats:
        """The model's codes as the user sees them."""
        return codes

    def _to_model(self, codes: Floats) -> Floats:
        """The inverse of :meth:`_to_user`."""
        return codes

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.latent_shape[0])

    # --- densities -----------------------------------------------------------------------------

    def score_samples(self, X: Any) -> Floats:
        """log p(x) of each row in nats, float64, shape (n,): higher is more likely.

        Importance-sampled with K = ``importance_samples`` codes a row, so from below; all rows
        share their draws, and no score depends on the other rows. It is a density in the units of
        X, so that scores under other scalings and likelihoods compare. Under a likelihood of
        counts or codes (Bernoulli, categorical, discretised logistic) it is a probability.

        Raises:
            ConfigError: If the model has no density (an autoencoder).
        """
        check_is_fitted(self)
        x = self._encoded(X)
        samples = whole("importance_samples", self.importance_samples, 1)
        scores = log_marginal(
            self.model_, x, samples=samples, seed=self.seed_, dtype=torch.float64
        )
        return scores.numpy() - self._log_volume()

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of :meth:`score_samples`, in nats per row."""
        return float(self.score_samples(X).mean())

    def _log_volume(self) -> float:
        return log_volume(self.codec_, self.model_.likelihood)

    # --- how it is computed --------------------------------------------------------------------

    def _encoded(self, X: Any) -> Tensor:
        """Rows in model units."""
        return self.codec_.to_model(self.codec_.encode(self._read(X)))

    def _exact(self) -> VAEModel:
        """The model in float64, where no row feels its batch mates."""
        return cast(VAEModel, in_dtype(self.model_, torch.float64))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def _html_repr(self) -> str:
        """What notebooks show."""
        return estimator_html(self, summary(self) if hasattr(self, "model_") else {})


def _mixed(seed: int, epochs: int) -> int:
    """The seed of a fit that goes on after some epochs: draws of its own, determined by both."""
    if not epochs:
        return seed
    return int(np.random.SeedSequence((seed, epochs)).generate_state(1)[0])


def _continued(
    records: list[dict[str, Any]], before: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Records numbered on from those before."""
    if not before:
        return records
    offset = {name: before[-1][name] for name in ("epoch", "step")}
    return [record | {name: record[name] + n for name, n in offset.items()} for record in records]
