"""The most anomalous rows of a table on disk, and which columns make them so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from vaekit.data.streams import Part, TableRows, open_table
from vaekit.errors import ConfigError
from vaekit.tasks.detection.detector import VAEDetector
from vaekit.tasks.detection.explanation import LATENT, Explanation

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Ranking", "explain_file", "explain_rows", "highest", "rows_at"]

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


class Ranking(NamedTuple):
    """The most anomalous rows of a table.

    Attributes:
        rows: Their numbers in the table, from 0, rising.
        explanation: Of these rows, in this order.
        scores: Of all rows of the table.
    """

    rows: Rows
    explanation: Explanation
    scores: Floats

    def top(self, columns: int = 3, *, rows: int | None = None) -> pd.DataFrame:
        """As :meth:`Explanation.top`, with the numbers that rows have in the table."""
        found = self.explanation.top(columns, rows=rows)
        found["row"] = self.rows[found["row"].to_numpy(np.int64)]
        return found

    def columnless(self) -> list[int]:
        """The rows most of whose excess is the code's, so that no column explains them."""
        excess = self.explanation.excess
        mostly = excess[LATENT] > 0.5 * excess.sum(axis=1).clip(lower=0.0)
        return [int(row) for row in self.rows[(mostly & (excess[LATENT] > 0)).to_numpy()]]

    def counts(self, threshold: float) -> dict[str, int]:
        """How many of these rows beyond a threshold each column explains best, most first."""
        beyond = self.explanation.scores > threshold
        columns = list(self.explanation.values.columns)
        best = self.explanation.excess.loc[beyond, columns].idxmax(axis=1)
        return {str(name): int(count) for name, count in best.value_counts().items()}


def explain_file(detector: VAEDetector, source: str | Path, *, top: int = 50) -> Ranking:
    """Score all rows of a table on disk, then read the highest ones again and explain them.

    Args:
        detector: A fitted one.
        source: What :func:`vaekit.data.streams.open_table` takes.
        top: How many rows.

    Raises:
        ConfigError: If ``top`` is below 1, or the score has no terms for columns (``"iwae"``).
        DataError: If the columns are not those of the training table, or values do not fit.
    """
    if top < 1:
        raise ConfigError("no rows to explain", expected="at least 1", got=top, where="top")
    check_is_fitted(detector)
    with open_table(source, detector.codec_.x) as rows:
        return explain_rows(detector, rows, detector.anomaly_scores(rows), top=top)


def explain_rows(detector: VAEDetector, rows: TableRows, scores: Floats, *, top: int) -> Ranking:
    """The same where the scores of all rows are known."""
    chosen = highest(scores, top)
    return Ranking(chosen, detector.explain(rows_at(rows, chosen)), scores)


TOGETHER = 16
"""Pieces of picked rows that are put together."""


def highest(scores: Floats, count: int) -> Rows:
    """The places of the highest scores, rising; of those that tie, the first.

    Example:
        >>> highest(np.array([1.0, 7.0, 3.0, 3.0]), 2)
        array([1, 2])
    """
    count = min(count, len(scores))
    edge = np.partition(scores, len(scores) - count)[len(scores) - count]
    above = np.flatnonzero(scores > edge)
    tied = np.flatnonzero(scores == edge)[: count - len(above)]
    return np.sort(np.concatenate([above, tied]))


def rows_at(rows: TableRows, numbers: Rows) -> pyarrow.Table:
    """Some rows of a table, given by their rising numbers, in memory."""
    import pyarrow as pa

    def chosen(start: int, stop: int) -> np.ndarray:
        mask = np.zeros(stop - start, bool)
        low, high = np.searchsorted(numbers, (start, stop))
        mask[numbers[low:high] - start] = True
        return mask

    found: list[pyarrow.Table] = []
    few: list[pyarrow.RecordBatch] = []
    for window in rows.ordered(Part(len(rows), chosen, len(numbers))):
        for piece in window.pieces:
            picked: Any = piece.x
            few.append(picked.to_arrow())
            if len(few) >= TOGETHER:
                found, few = [*found, _compact(few)], []
    return pa.concat_tables([*found, *([_compact(few)] if few else [])])


def _compact(few: list[pyarrow.RecordBatch]) -> pyarrow.Table:
    """Rows in one place: a few kept here and there would hold the memory around them."""
    import pyarrow as pa

    return pa.Table.from_batches(few).combine_chunks()
