"""t-SNE: a picture of which rows are neighbours, with a rule for rows that came later."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import sklearn.manifold
from numpy.typing import ArrayLike
from sklearn.neighbors import KNeighborsRegressor

from vaekit.baselines.flat import FlatEncoder, Floats, some_rows
from vaekit.errors import ConfigError
from vaekit.spec import Spec, Within

__all__ = ["TSNE", "NeighbourEmbedding"]

TREE_DIM = 3  # the Barnes-Hut tree has no more dimensions


class TSNE(Spec, kind="baseline/tsne"):
    """t-distributed stochastic neighbour embedding, from scikit-learn.

    The embedding exists for the rows learned from alone. Any row, training or not, gets the mean
    code of its nearest embedded rows, weighted by one over their distance in x: an embedded row
    its own code.

    Args:
        latent_dim: Dimension k of the embedding; above 3 time grows with the square of the rows.
        perplexity: Effective number of neighbours, below the number of rows.
        neighbours: How many embedded rows a row's code is interpolated from.
        max_rows: From more rows than this, as many drawn at random are embedded.
        max_iter: Iterations of the embedding.
        seed: Of the rows drawn and of the start.

    References:
        Visualizing Data using t-SNE (van der Maaten & Hinton, 2008).

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(20, 4))
        >>> embedded = TSNE(perplexity=5.0, max_iter=250).build().fit(rows)
        >>> embedded.encode(rows).shape, embedded.reconstruct(rows)
        ((20, 2), None)
    """

    latent_dim: Annotated[int, Within(1, 65_536)] = 2
    perplexity: Annotated[float, Within(1.0, 1e6)] = 30.0
    neighbours: Annotated[int, Within(1, 1_000)] = 5
    max_rows: Annotated[int, Within(2, 50_000)] = 2_000
    max_iter: Annotated[int, Within(250, 1_000_000)] = 1_000
    seed: Annotated[int, Within(0, 2**32 - 1)] = 0

    def build(self) -> NeighbourEmbedding:
        """The representation, to be fitted."""
        return NeighbourEmbedding(self)


class NeighbourEmbedding(FlatEncoder):
    """The representation of :class:`TSNE`: codes, and no way back."""

    numbers = np.float32
    _lookup: KNeighborsRegressor

    def __init__(self, spec: TSNE) -> None:
        super().__init__("t-SNE", spec.latent_dim)
        self.spec = spec

    def decode(self, z: ArrayLike) -> None:
        """None: t-SNE has no way back."""

    def reconstruct(self, x: ArrayLike) -> None:
        """None: t-SNE has no way back."""

    def sample(self, n: int, *, seed: int) -> None:
        """None: t-SNE has no way back."""

    def _fit(self, flat: Floats) -> None:
        spec = self.spec
        rows, drawn = some_rows(flat, spec.max_rows, seed=spec.seed)
        most = max(spec.neighbours, int(spec.perplexity) + 1)
        if len(rows) < most:
            raise ConfigError(
                "t-SNE has too few rows for its neighbourhoods",
                expected=f"at least {most} rows",
                got=len(rows),
                remedy="lower perplexity and neighbours, or raise max_rows",
            )
        embedding = sklearn.manifold.TSNE(
            self.latent_dim,
            perplexity=spec.perplexity,
            max_iter=spec.max_iter,
            method="barnes_hut" if self.latent_dim <= TREE_DIM else "exact",
            random_state=spec.seed,
        ).fit_transform(rows)
        self._lookup = KNeighborsRegressor(spec.neighbours, weights="distance")
        self._lookup.fit(rows, embedding.astype(np.float64))
        self.notes = (
            *drawn,
            f"codes are interpolated from {spec.neighbours} nearest embedded rows",
            "no mse: t-SNE has no way back from codes",
        )

    def _encode(self, flat: Floats) -> Floats:
        codes: Floats = self._lookup.predict(flat)
        return codes
