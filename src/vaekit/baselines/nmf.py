r"""Non-negative matrix factorisation: parts that only add.

.. math:: x \approx z H, \quad z \ge 0, \; H \ge 0
"""

from __future__ import annotations

import warnings
from typing import Annotated, Literal

import numpy as np
import sklearn.decomposition
from sklearn.exceptions import ConvergenceWarning

from vaekit.baselines.flat import FlatRepresentation, Floats, some_rows
from vaekit.errors import DataError
from vaekit.spec import Spec, Within

__all__ = ["NMF", "NonNegativeParts"]

CHUNK = 10_000


class NMF(Spec, kind="baseline/nmf"):
    """Non-negative matrix factorisation by coordinate descent on the squared error.

    Args:
        latent_dim: Number of parts k.
        shift: ``none`` refuses negative values. ``minimum`` subtracts each element's smallest
            training value first, and lifts later values below it to it.
        max_rows: From more rows than this, as many drawn at random are learned from.
        max_iter: Most iterations of the fit; reaching it is a note.
        tolerance: Relative change at which the fit stops.
        seed: Of the rows drawn and of the first parts.

    References:
        Learning the Parts of Objects by Non-Negative Matrix Factorization (Lee & Seung, 1999).

    Example:
        >>> rows = np.random.default_rng(0).uniform(size=(50, 5))
        >>> bool((NMF(latent_dim=2).build().fit(rows).encode(rows) >= 0).all())
        True
    """

    latent_dim: Annotated[int, Within(1, 65_536)] = 2
    shift: Literal["none", "minimum"] = "none"
    max_rows: Annotated[int, Within(2, 10_000_000)] = 10_000
    max_iter: Annotated[int, Within(1, 1_000_000)] = 500
    tolerance: Annotated[float, Within(1e-12, 1.0)] = 1e-4
    seed: Annotated[int, Within(0, 2**32 - 1)] = 0

    def build(self) -> NonNegativeParts:
        """The representation, to be fitted."""
        return NonNegativeParts(self)


class NonNegativeParts(FlatRepresentation):
    """The representation of :class:`NMF`; its samples draw each weight from training codes.

    Attributes:
        origin: What is subtracted first, shape (D,).
    """

    origin: Floats
    _fitted: sklearn.decomposition.NMF

    def __init__(self, spec: NMF) -> None:
        super().__init__("NMF", spec.latent_dim)
        self.spec = spec

    @property
    def parts(self) -> Floats:
        """H, the parts that are added, shape (k, D)."""
        self._check_fitted()
        parts: Floats = self._fitted.components_
        return parts

    def _fit(self, flat: Floats) -> None:
        spec = self.spec
        shifted = spec.shift == "minimum"
        self.origin = flat.min(0) if shifted else np.zeros_like(self.mean)
        rows, self.notes = some_rows(self._lifted(flat), spec.max_rows, seed=spec.seed)
        if shifted:
            self.notes += ("elements are counted from their smallest training values",)
        self._fitted = sklearn.decomposition.NMF(
            self.latent_dim,
            init="nndsvda",
            max_iter=spec.max_iter,
            tol=spec.tolerance,
            random_state=spec.seed,
        )
        with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
            self.codes = self._fitted.fit_transform(rows)
        if self._fitted.n_iter_ >= spec.max_iter:
            self.notes += (f"stopped after {spec.max_iter} iterations",)

    def _encode(self, flat: Floats) -> Floats:
        lifted = self._lifted(flat)
        chunks = [lifted[i : i + CHUNK] for i in range(0, len(lifted), CHUNK)]
        with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
            return np.concatenate([self._fitted.transform(chunk) for chunk in chunks])

    def _decode(self, codes: Floats) -> Floats:
        return self.origin + codes @ self.parts

    def _lifted(self, flat: Floats) -> Floats:
        """Rows from their origin; refused where negative values have no meaning."""
        if self.spec.shift == "minimum":
            return np.maximum(flat - self.origin, 0.0)
        if (flat < 0).any():
            row, element = np.argwhere(flat < 0)[0]
            raise DataError(
                "NMF adds parts and cannot make a negative value",
                got=flat[row, element],
                where=f"row {row}, element {element}",
                remedy="scale the data to [0, 1], or choose NMF(shift='minimum')",
            )
        return flat
