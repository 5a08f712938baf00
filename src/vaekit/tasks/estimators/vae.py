"""A variational autoencoder as a scikit-learn estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from vaekit.data import DataCodec
from vaekit.latents import Diagonal, Standard
from vaekit.metrics.scored import evaluating
from vaekit.models import FlatVAE
from vaekit.tasks.estimators.base import VAEEstimator
from vaekit.tasks.estimators.fitting import ROWS_A_TIME, seed_from
from vaekit.tasks.estimators.parts import as_part, whole

__all__ = ["VAE"]


class VAE(VAEEstimator):
    r"""A variational autoencoder of a numeric table or of images.

    It learns a density p(x) = ∫ p(x|z) p(z) dz with a code z of a few numbers for each row, and
    serves as a transformer (codes), a density model (scores) and a generator (samples). Each part
    is a parameter: a spec such as ``Gaussian(scale="shared")``, text such as
    ``"gaussian:scale=shared"``, a module of your own, or None where the data shall decide. Fields
    of parts can be searched over: ``{"objective__beta": [1, 4]}``.

    Args:
        latent_dim: Dimension of the code z.
        encoder: A network; None takes dense layers, and convolutions for images from 16 × 16 on.
        decoder: A network; None mirrors the encoder.
        prior: p(z).
        posterior: q(z|x).
        likelihood: p(x|z); None takes a Gaussian of optimal scale, and a Bernoulli for images of
            two values.
        objective: What is minimised.
        scaling: Of tables: ``"standard"`` (mean 0 and deviation 1 for each column), ``"common"``
            (mean 0 for each column, one deviation for all), ``"minmax"`` (0 to 1) or ``"none"``.
            ``"auto"`` is standard, and none for likelihoods that live on [0, 1].
        learning_rate: Of Adam. It is constant; an average of the weights over the last steps is
            what is kept.
        batch_size: Rows of a step.
        max_epochs: Most epochs. An epoch is one pass over the training rows, or as many passes
            as make 10 steps.
        patience: Epochs after which training ends when the bound on the held-out rows has not
            risen by 0.01 nats; None never ends it early.
        validation_fraction: Share of the rows that is held out to watch the bound; with 0 it is
            watched on the training rows.
        importance_samples: K of :meth:`score_samples`.
        warm_start: Whether ``fit`` goes on from the fitted weights (and keeps the scaling).
        random_state: A seed, a ``RandomState``, or None for another result each time.
        device: Where to train: ``"cpu"``, ``"cuda"``, ``"mps"`` or ``"auto"``.
        verbose: Whether to show progress.

    Attributes:
        model_: The trained ``VAEModel``, on the CPU.
        codec_: How rows become tensors and back.
        kl_: The mean KL of each latent dimension over the rows of ``fit``, in nats, shape
            (latent_dim,); NaN for an autoencoder.
        elbo_: The best bound on held-out rows, in nats per row and the units of X.
        history_: One record for each epoch.
        n_epochs_: How many there were.
        n_features_in_: Columns of X (elements of an image).
        feature_names_in_: Their names, where X had some.

    References:
        Auto-Encoding Variational Bayes (Kingma & Welling, 2013), arXiv:1312.6114.

    Example:
        >>> from sklearn.datasets import load_wine
        >>> X = load_wine().data
        >>> vae = VAE(latent_dim=2, random_state=0, max_epochs=30, patience=None).fit(X)
        >>> vae.transform(X).shape, vae.sample(5).shape, vae.score_samples(X).shape
        ((178, 2), (5, 13), (178,))
    """

    def __init__(  # noqa: PLR0913  one parameter for each choice, as scikit-learn has it
        self,
        latent_dim: int = 2,
        *,
        encoder: Any = None,
        decoder: Any = None,
        prior: Any = "standard",
        posterior: Any = "diagonal",
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
        self.latent_dim = latent_dim
        self.encoder = encoder
        self.decoder = decoder
        self.prior = prior
        self.posterior = posterior
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

    def sample(
        self, n_samples: int = 1, *, random_state: Any = None, noise: bool = True
    ) -> NDArray[Any]:
        """New rows from the model, in the units of the training data.

        Args:
            n_samples: How many.
            random_state: Of the draws; None takes the estimator's own.
            noise: Whether to draw from p(x|z), as the density has it, or to take its mean, which
                looks smoother.

        Returns:
            A table, or images with the shape and number type of the training images.
        """
        check_is_fitted(self)
        n = whole("n_samples", n_samples, 1)
        seed = seed_from(self.random_state if random_state is None else random_state)
        model = self._exact()
        with torch.random.fork_rng(devices=[]), evaluating(model):
            torch.default_generator.manual_seed(seed)
            parts = []
            for z in model.sample_codes(n).split(ROWS_A_TIME):
                px = model.decode(z)
                parts.append(self.codec_.decode(px.sample() if noise else px.mean))
        return np.concatenate(parts)

    def _model_spec(self, codec: DataCodec) -> FlatVAE:
        return FlatVAE(
            latent_dim=whole("latent_dim", self.latent_dim, 1),
            prior=as_part(self.prior, "prior") or Standard(),
            posterior=as_part(self.posterior, "posterior") or Diagonal(),
            **self._parts(codec),
        )
