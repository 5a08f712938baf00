r"""Factor analysis: probabilistic PCA with a noise variance of its own for each element.

.. math:: z \sim N(0, I_k), \quad x \mid z \sim N(Wz + \mu, \operatorname{diag} \psi)
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import sklearn.decomposition

from vaekit.baselines.flat import Floats
from vaekit.baselines.linear import LinearRepresentation
from vaekit.spec import Spec, Within

__all__ = ["FactorAnalysis", "Factors"]


class FactorAnalysis(Spec, kind="baseline/factor-analysis"):
    """Factor analysis by maximum likelihood, with an exact log-likelihood.

    Args:
        latent_dim: Number of factors k.
        floor: Smallest noise scale of an element, in units of x. Without one, an element that is
            constant in training would have an infinite density. The default is the floor of the
            Gaussian likelihood.
        max_iter: Most iterations of the fit.
        tolerance: Gain in log-likelihood, summed over rows, at which the fit stops.

    References:
        Bayesian Reasoning and Machine Learning (Barber, 2012), algorithm 21.1.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(50, 5))
        >>> FactorAnalysis(latent_dim=1).build().fit(rows).score_samples(rows).shape
        (50,)
    """

    latent_dim: Annotated[int, Within(1, 65_536)] = 2
    floor: Annotated[float, Within(1e-6, 1e3)] = math.exp(-6)
    max_iter: Annotated[int, Within(1, 1_000_000)] = 1000
    tolerance: Annotated[float, Within(1e-12, 1e3)] = 1e-2

    def build(self) -> Factors:
        """The representation, to be fitted."""
        return Factors(self)


class Factors(LinearRepresentation):
    """The representation of :class:`FactorAnalysis`.

    Attributes:
        noise_variance: ψ, shape (D,), at least ``floor²``.
    """

    noise_variance: Floats
    _fitted: sklearn.decomposition.FactorAnalysis

    def __init__(self, spec: FactorAnalysis) -> None:
        super().__init__("factor analysis", spec.latent_dim)
        self.spec = spec

    def _fit(self, flat: Floats) -> None:
        rows = _fewer_rows(flat - self.mean)
        self._fitted = sklearn.decomposition.FactorAnalysis(
            n_components=self.latent_dim,
            tol=self.spec.tolerance * len(rows) / len(flat),
            max_iter=self.spec.max_iter,
            random_state=0,
        ).fit(rows)
        self._fitted.mean_ = np.zeros_like(self.mean)
        self.noise_variance = np.maximum(self._fitted.noise_variance_, self.spec.floor**2)
        self._fitted.noise_variance_ = self.noise_variance
        self.loading = self._fitted.components_.T

    def _encode(self, offset: Floats) -> Floats:
        """The posterior mean (I + Wᵀ ψ⁻¹ W)⁻¹ Wᵀ ψ⁻¹ (x − μ)."""
        codes: Floats = self._fitted.transform(offset)
        return codes

    def _log_prob(self, offset: Floats) -> Floats:
        log_prob: Floats = self._fitted.score_samples(offset)
        return log_prob

    def _noise_scale(self) -> Floats:
        return np.sqrt(self.noise_variance)


def _fewer_rows(offset: Floats) -> Floats:
    """2D rows with the mean 0 and the covariance of many: all that the likelihood depends on."""
    n, dim = offset.shape
    if n <= 2 * dim:
        return offset
    root = np.asarray(np.linalg.qr(offset, mode="r")) * math.sqrt(dim / n)
    return np.concatenate([root, -root])
