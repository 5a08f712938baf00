"""Principal component analysis: the best linear compression, and so the first baseline."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import sklearn.decomposition

from vaekit.baselines.flat import Floats
from vaekit.baselines.linear import LinearRepresentation
from vaekit.spec import Spec, Within

__all__ = ["PCA", "PrincipalComponents", "principal_axes"]


class PCA(Spec, kind="baseline/pca"):
    """Principal component analysis with k components.

    Args:
        latent_dim: Number of components k.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(50, 8, 8))
        >>> PCA(latent_dim=2).build().fit(rows).reconstruct(rows).shape
        (50, 8, 8)
    """

    latent_dim: Annotated[int, Within(1, 65_536)] = 2

    def build(self) -> PrincipalComponents:
        """The representation, to be fitted."""
        return PrincipalComponents(self)


class PrincipalComponents(LinearRepresentation):
    """The representation of :class:`PCA`; it has no density.

    Eigenvalues are those of the covariance divided by n, so that the squared reconstruction error
    of a training row, summed over its elements and averaged over rows, is exactly the sum of
    ``dropped_eigenvalues``. (scikit-learn divides by n − 1.)

    Attributes:
        eigenvalues: All of them, descending, shape (min(n, D),).
    """

    eigenvalues: Floats

    def __init__(self, spec: PCA) -> None:
        super().__init__("PCA", spec.latent_dim)
        self.spec = spec

    @property
    def dropped_eigenvalues(self) -> Floats:
        """The eigenvalues after the first k: what the code leaves out."""
        self._check_fitted()
        return self.eigenvalues[self.latent_dim :]

    @property
    def explained_variance_ratio(self) -> Floats:
        """The share of the variance along each of the k components."""
        self._check_fitted()
        total = self.eigenvalues.sum()
        kept = self.eigenvalues[: self.latent_dim]
        return kept / total if total > 0 else np.zeros_like(kept)

    def sample(self, n: int, *, seed: int) -> Floats:
        """Decoded draws from a normal fitted to the training codes, shape ``(n, *event)``."""
        self._check_fitted()
        scale = np.sqrt(self.eigenvalues[: self.latent_dim])
        codes = np.random.default_rng(seed).standard_normal((n, self.latent_dim))
        return self.decode(codes * scale)

    def _fit(self, flat: Floats) -> None:
        self.eigenvalues, axes = principal_axes(flat)
        self.loading = axes[:, : self.latent_dim]

    def _encode(self, offset: Floats) -> Floats:
        return offset @ self.loading


def principal_axes(flat: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues of the covariance (divided by n), descending, and its eigenvectors.

    Args:
        flat: Rows, shape (n, D).

    Returns:
        Shapes (min(n, D),) and (D, min(n, D)); the largest entry of each vector is positive.
    """
    fitted = sklearn.decomposition.PCA().fit(flat)
    n = len(flat)
    axes = fitted.components_.T
    largest = np.take_along_axis(axes, np.abs(axes).argmax(0)[None], axis=0)
    return fitted.explained_variance_ * ((n - 1) / n), axes * np.where(largest < 0, -1.0, 1.0)
