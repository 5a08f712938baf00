r"""Kernel principal component analysis: PCA in the feature space of a Gaussian kernel.

.. math:: k(x, y) = \exp(-\gamma \|x - y\|^2)
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import sklearn.decomposition
from sklearn.kernel_ridge import KernelRidge

from vaekit.baselines.flat import FlatRepresentation, Floats, some_rows
from vaekit.errors import DataError
from vaekit.spec import Spec, Within

__all__ = ["KernelComponents", "KernelPCA"]

CHUNK = 10_000
Gamma = Annotated[float, Within(1e-12, 1e12)]


class KernelPCA(Spec, kind="baseline/kernel-pca"):
    """Kernel PCA with a learned way back: ridge regression of rows on codes, kernel to kernel.

    Args:
        latent_dim: Number of components k.
        gamma: γ of the kernel over rows; None takes 1 / (D · variance of an element).
        ridge: Penalty of the way back.
        max_rows: From more rows than this, as many drawn at random are learned from: time grows
            with their cube, memory with their square.
        seed: Of the rows drawn.

    References:
        Nonlinear Component Analysis as a Kernel Eigenvalue Problem (Schölkopf, Smola & Müller,
        1998). Learning to Find Pre-Images (Bakir, Weston & Schölkopf, 2003).

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(50, 8, 8))
        >>> KernelPCA(latent_dim=2).build().fit(rows).reconstruct(rows).shape
        (50, 8, 8)
    """

    latent_dim: Annotated[int, Within(1, 65_536)] = 2
    gamma: Gamma | None = None
    ridge: Annotated[float, Within(1e-12, 1e6)] = 0.1
    max_rows: Annotated[int, Within(2, 50_000)] = 2_000
    seed: Annotated[int, Within(0, 2**32 - 1)] = 0

    def build(self) -> KernelComponents:
        """The representation, to be fitted."""
        return KernelComponents(self)


class KernelComponents(FlatRepresentation):
    """The representation of :class:`KernelPCA`.

    The way back has a Gaussian kernel too, of 1 / (k · variance of a code). Far from all training
    codes it returns the mean row.
    """

    _fitted: sklearn.decomposition.KernelPCA
    _back: KernelRidge

    def __init__(self, spec: KernelPCA) -> None:
        super().__init__("kernel PCA", spec.latent_dim)
        self.spec = spec

    def _fit(self, flat: Floats) -> None:
        spec = self.spec
        rows, self.notes = some_rows(flat, spec.max_rows, seed=spec.seed)
        self._fitted = sklearn.decomposition.KernelPCA(
            self.latent_dim,
            kernel="rbf",
            gamma=_gamma(rows) if spec.gamma is None else spec.gamma,
            eigen_solver="dense",
        )
        self.codes = self._fitted.fit_transform(rows)
        if not self._fitted.eigenvalues_.min() > 0:
            raise DataError(
                f"the rows span fewer than {self.latent_dim} components",
                remedy="choose a smaller latent_dim",
            )
        self._back = KernelRidge(alpha=spec.ridge, kernel="rbf", gamma=_gamma(self.codes))
        self._back.fit(self.codes, rows - self.mean)

    def _encode(self, flat: Floats) -> Floats:
        chunks = (flat[i : i + CHUNK] for i in range(0, len(flat), CHUNK))
        return np.concatenate([self._fitted.transform(chunk) for chunk in chunks])

    def _decode(self, codes: Floats) -> Floats:
        chunks = (codes[i : i + CHUNK] for i in range(0, len(codes), CHUNK))
        return self.mean + np.concatenate([self._back.predict(chunk) for chunk in chunks])


def _gamma(rows: Floats) -> float:
    """One over the summed variances, so that distances between rows are of order one."""
    return float(1 / rows.var(0).sum())
