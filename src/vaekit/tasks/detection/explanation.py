"""Which column made a row anomalous: the terms of its score, and what was expected instead."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["LATENT", "Explanation"]

LATENT = "(latent)"
"""Name of the term that belongs to the code and to no column."""


class Explanation:
    """Scores of rows, taken apart.

    Attributes:
        scores: How anomalous each row is, in nats (squared deviations for errors), shape (n,).
        contributions: The terms of the scores: one column for each of the table and one for the
            latent; each row sums to its score.
        typical: The mean of each contribution over the training rows.
        values: The table itself.
        expected: What the model expects in each cell, given the whole row.

    Example:
        >>> found = Explanation(
        ...     pd.DataFrame({"a": [3.0], "b": [0.5], LATENT: [0.1]}),
        ...     pd.Series({"a": 0.5, "b": 0.5, LATENT: 0.1}),
        ...     pd.DataFrame({"a": [9], "b": [2]}),
        ...     pd.DataFrame({"a": [1.5], "b": [2.0]}),
        ... )
        >>> found.top(1)[["row", "column", "value", "expected"]].to_dict("records")
        [{'row': 0, 'column': 'a', 'value': '9', 'expected': '1.5'}]
    """

    def __init__(
        self,
        contributions: pd.DataFrame,
        typical: pd.Series,
        values: pd.DataFrame,
        expected: pd.DataFrame,
    ) -> None:
        self.contributions = contributions
        self.typical = typical
        self.values = values
        self.expected = expected

    @property
    def scores(self) -> NDArray[np.float64]:
        """How anomalous each row is: the sum of its contributions."""
        return self.contributions.to_numpy().sum(1)

    @property
    def excess(self) -> pd.DataFrame:
        """Contributions beyond those of a typical training row; what makes a row stand out."""
        return self.contributions - self.typical

    def top(self, columns: int = 3, *, rows: int | None = None) -> pd.DataFrame:
        """The most anomalous rows, each with the columns whose excess is largest.

        The latent's term belongs to no column and is left out here; see ``contributions``.

        Args:
            columns: How many columns of each row.
            rows: How many rows; all by default.

        Returns:
            One line for each such cell: row, score, rank, column, value, expected, contribution,
            excess. The most anomalous row comes first.
        """
        names = list(self.values.columns)
        scores, excess = self.scores, self.excess[names].to_numpy()
        terms = self.contributions[names].to_numpy()
        order = np.argsort(-scores, kind="stable")[:rows]
        lines = []
        for row in order:
            best = np.argsort(-excess[row], kind="stable")[:columns]
            for rank, place in enumerate(best, 1):
                name = names[place]
                lines.append(
                    {
                        "row": int(row),
                        "score": float(scores[row]),
                        "rank": rank,
                        "column": name,
                        "value": _text(self.values[name].iloc[row]),
                        "expected": _text(self.expected[name].iloc[row]),
                        "contribution": float(terms[row, place]),
                        "excess": float(excess[row, place]),
                    }
                )
        return pd.DataFrame(lines, columns=COLUMNS)

    def __len__(self) -> int:
        return len(self.contributions)

    def __repr__(self) -> str:
        shown = self.top(3, rows=5).to_string(index=False, float_format="{:.2f}".format)
        return f"Explanation of {len(self)} rows; the five most anomalous:\n{shown}"

    def _repr_html_(self) -> str:
        table = self.top(3, rows=20).to_html(index=False, float_format="{:.2f}".format)
        return f"<p>{escape(f'Explanation of {len(self)} rows')}</p>{table}"


COLUMNS = ["row", "score", "rank", "column", "value", "expected", "contribution", "excess"]


def _text(value: object) -> str:
    """A cell for people."""
    if value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return "(missing)"
    if isinstance(value, float | np.floating):
        return f"{value:.6g}"
    return str(value)
