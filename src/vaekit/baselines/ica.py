r"""Independent component analysis: directions along which the data are independent, not normal.

.. math:: x = Wz + \mu, \quad p(z) = \prod_i p(z_i), \quad E z = 0, \quad \operatorname{Cov} z = I
"""

from __future__ import annotations

import warnings
from typing import Annotated

import numpy as np
import sklearn.decomposition
from sklearn.exceptions import ConvergenceWarning

from vaekit.baselines.flat import FlatRepresentation, Floats
from vaekit.baselines.pca import principal_axes
from vaekit.errors import DataError
from vaekit.spec import Spec, Within

__all__ = ["ICA", "IndependentComponents"]


class ICA(Spec, kind="baseline/ica"):
    """FastICA on the first k principal components: PCA's subspace, turned.

    Args:
        latent_dim: Number of components k.
        max_iter: Most iterations of the fit; reaching it is a note.
        tolerance: Change of the directions at which the fit stops.
        seed: Of the first directions.

    References:
        Independent Component Analysis: Algorithms and Applications (Hyvärinen & Oja, 2000).

    Example:
        >>> rows = np.random.default_rng(0).uniform(size=(200, 5))
        >>> ICA(latent_dim=2).build().fit(rows).encode(rows).shape
        (200, 2)
    """

    latent_dim: Annotated[int, Within(1, 65_536)] = 2
    max_iter: Annotated[int, Within(1, 1_000_000)] = 500
    tolerance: Annotated[float, Within(1e-12, 1.0)] = 1e-4
    seed: Annotated[int, Within(0, 2**32 - 1)] = 0

    def build(self) -> IndependentComponents:
        """The representation, to be fitted."""
        return IndependentComponents(self)


class IndependentComponents(FlatRepresentation):
    """The representation of :class:`ICA`; its samples draw each component from training codes.

    Attributes:
        loading: W, shape (D, k).
        unmixing: Its inverse on the subspace, shape (D, k): z = (x − μ) · unmixing.
    """

    loading: Floats
    unmixing: Floats

    def __init__(self, spec: ICA) -> None:
        super().__init__("ICA", spec.latent_dim)
        self.spec = spec

    def _fit(self, flat: Floats) -> None:
        values, axes = principal_axes(flat)
        variances, axes = values[: self.latent_dim], axes[:, : self.latent_dim]
        if variances[-1] <= np.finfo(float).eps * len(self.mean) * variances[0]:
            raise DataError(
                f"the data vary along fewer than {self.latent_dim} directions",
                remedy="choose a smaller latent_dim",
            )
        whitening = axes / np.sqrt(variances)
        rotation = self._rotation((flat - self.mean) @ whitening)
        self.unmixing = whitening @ rotation.T
        self.loading = axes * np.sqrt(variances) @ rotation.T
        self.codes = self._encode(flat)

    def _rotation(self, white: Floats) -> Floats:
        """Directions of white rows, orthonormal, shape (k, k)."""
        fast = sklearn.decomposition.FastICA(
            whiten=False,
            max_iter=self.spec.max_iter,
            tol=self.spec.tolerance,
            random_state=self.spec.seed,
        )
        with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
            fast.fit(white)
        stopped = fast.n_iter_ >= self.spec.max_iter
        self.notes = (f"stopped after {fast.n_iter_} iterations",) if stopped else ()
        rotation: Floats = fast.components_
        return rotation

    def _encode(self, flat: Floats) -> Floats:
        return (flat - self.mean) @ self.unmixing

    def _decode(self, codes: Floats) -> Floats:
        return self.mean + codes @ self.loading.T
