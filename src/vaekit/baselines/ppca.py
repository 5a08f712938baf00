r"""Probabilistic PCA: the linear VAE's optimum, with an exact log-likelihood.

.. math:: z \sim N(0, I_k), \quad x \mid z \sim N(Wz + \mu, \sigma^2 I_D)
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np

from vaekit.baselines.flat import Floats
from vaekit.baselines.linear import LinearRepresentation
from vaekit.baselines.pca import principal_axes
from vaekit.errors import ConfigError, DataError
from vaekit.spec import Spec, Within

__all__ = ["PPCA", "ProbabilisticPCA"]


class PPCA(Spec, kind="baseline/ppca"):
    """Probabilistic principal component analysis, fitted by maximum likelihood in closed form.

    Args:
        latent_dim: Dimension k of the code, below that of the data.

    References:
        Probabilistic Principal Component Analysis (Tipping & Bishop, 1999).

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(50, 5))
        >>> PPCA(latent_dim=2).build().fit(rows).score_samples(rows).shape
        (50,)
    """

    latent_dim: Annotated[int, Within(1, 65_536)] = 2

    def build(self) -> ProbabilisticPCA:
        """The representation, to be fitted."""
        return ProbabilisticPCA(self)


class ProbabilisticPCA(LinearRepresentation):
    r"""The representation of :class:`PPCA`.

    With eigenvalues λ of the covariance (divided by n) and eigenvectors U,
    :math:`W = U_k (\Lambda_k - \sigma^2)^{1/2}`. Along the first k axes p(x) has variance λᵢ, and
    σ² along all others.

    Attributes:
        variances: λ₁ … λ_k, shape (k,).
        sigma2: σ², the mean of the D − k eigenvalues that are left.
    """

    variances: Floats
    sigma2: float
    _axes: Floats

    def __init__(self, spec: PPCA) -> None:
        super().__init__("probabilistic PCA", spec.latent_dim)
        self.spec = spec

    def _fit(self, flat: Floats) -> None:
        dim, k = flat.shape[1], self.latent_dim
        if k >= dim:
            raise ConfigError(
                "no dimension is left for the noise", expected=f"latent_dim below {dim}", got=k
            )
        values, axes = principal_axes(flat)
        dropped = values[k:].sum()
        if dropped <= np.finfo(float).eps * dim * values.sum():
            raise DataError(
                f"the data vary along {k} directions at most, so that no noise is left and the "
                "likelihood has no maximum",
                remedy="choose a smaller latent_dim",
            )
        self.variances, self._axes = values[:k], axes[:, :k]
        self.sigma2 = float(dropped / (dim - k))
        self.loading = self._axes * np.sqrt(np.maximum(self.variances - self.sigma2, 0.0))

    def _encode(self, offset: Floats) -> Floats:
        """The posterior mean M⁻¹ Wᵀ (x − μ); M is the diagonal matrix of λ."""
        return offset @ self.loading / self.variances

    def _log_prob(self, offset: Floats) -> Floats:
        along = offset @ self._axes
        across = offset - along @ self._axes.T
        distance = (along**2 / self.variances).sum(1) + (across**2).sum(1) / self.sigma2
        dim, k = self._axes.shape
        log_det = np.log(self.variances).sum() + (dim - k) * math.log(self.sigma2)
        return -0.5 * (distance + log_det + dim * math.log(2 * math.pi))

    def _noise_scale(self) -> Floats:
        return np.asarray(math.sqrt(self.sigma2))
