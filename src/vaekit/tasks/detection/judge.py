"""A fitted model as a judge of rows: their scores, the terms of these, and what was expected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from vaekit.data import TableCodec, WindowCodec
from vaekit.data.codecs.windows import over_windows
from vaekit.metrics.scored import in_dtype
from vaekit.models import VAEModel
from vaekit.tasks.detection.explanation import LATENT, Explanation
from vaekit.tasks.detection.scores import (
    Scoring,
    cell_scores,
    chunks,
    row_scores,
    without_last_digits,
)
from vaekit.tasks.detection.tail import Tails

__all__ = ["Judge"]

Floats = NDArray[np.float64]


class Judge:
    """Scores rows in float64, where no row feels its batch mates.

    Where rows are windows of a time series, what it says is of the series' rows: the mean over
    the windows that hold a row, of which each has a share of the latent's term.

    Args:
        model: The trained model.
        codec: Of tables or of windows.
        scoring: Which score, of which codes.
        tails: Terms of training rows, where terms are ranked.
    """

    def __init__(
        self,
        model: VAEModel,
        codec: TableCodec | WindowCodec,
        scoring: Scoring,
        *,
        tails: Tails | None = None,
    ) -> None:
        self.model = cast(VAEModel, in_dtype(model, torch.float64))
        self.codec = codec
        self.scoring = scoring
        self.tails = tails

    def scores(self, x: Tensor) -> Floats:
        """How anomalous each row is, higher is worse, shape (n,); x is in model units."""
        if self.tails is not None or isinstance(self.codec, WindowCodec):
            return without_last_digits(self.terms(x).sum(1))
        found = [row_scores(self.model, some, self.scoring) for some in self._chunks(x)]
        return without_last_digits(torch.cat(found).numpy())

    def terms(self, x: Tensor) -> Floats:
        """Terms of the scores, shape (n, F + 1): one for each field, and the latent's last."""
        terms = self.raw_terms(x)
        if self.tails is not None:
            terms = self.tails(terms)
        if not isinstance(self.codec, WindowCodec):
            return terms
        length = self.codec.length
        cells = over_windows(terms[:, :-1].reshape(len(terms), length, -1))
        share = np.repeat(terms[:, -1:, None], length, axis=1) / length
        return np.concatenate([cells, over_windows(share)], 1)

    def raw_terms(self, x: Tensor) -> Floats:
        """Terms as the model gives them, before any ranking, one row for each of x."""
        found = [cell_scores(self.model, some, self.scoring) for some in self._chunks(x)]
        terms = [torch.cat([cells, latent.unsqueeze(1)], 1) for cells, latent in found]
        return torch.cat(terms).numpy()

    def explanation(self, x: Tensor, typical: Floats, values: pd.DataFrame) -> Explanation:
        """The scores taken apart by column.

        Args:
            x: Rows in model units.
            typical: Mean of :meth:`terms` over training rows, shape (F + 1,).
            values: The rows as they were given.
        """
        with torch.no_grad():
            means = torch.cat([self.model.reconstruct(some) for some in self._chunks(x)])
        table: Any = self.codec.table if isinstance(self.codec, WindowCodec) else self.codec
        names = [*table.names, LATENT]
        owners = np.append(table.owners, len(table.names))
        contributions = by_owner(self.terms(x), owners, len(names))
        return Explanation(
            pd.DataFrame(contributions, columns=names),
            pd.Series(by_owner(typical[None], owners, len(names))[0], index=names),
            values,
            self.codec.typical(means).to_pandas(),
        )

    def _chunks(self, x: Tensor) -> Iterator[Tensor]:
        return chunks(self.model, x, samples=self.scoring.samples)


def by_owner(terms: Floats, owners: NDArray[np.int64], count: int) -> Floats:
    """Terms of fields summed over the fields of each column, shape (n, count).

    Example:
        >>> by_owner(np.array([[1.0, 2.0, 4.0]]), np.array([0, 0, 1]), 2)
        array([[3., 4.]])
    """
    found = np.zeros((len(terms), count))
    np.add.at(found.T, owners, terms.T)
    return found
