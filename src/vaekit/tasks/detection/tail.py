r"""Terms of a score as tail probabilities, which make columns of all kinds comparable.

A term of −4 nats is usual for a column of fine resolution and −4 nats of a Boolean is rare. Among
n training rows the term t of a column has the rank-based probability

.. math:: p_i(t) = \frac{1 + |\{j : t_{ij} \ge t\}|}{n + 1}

and :math:`-\sum_i \log p_i` combines them as Fisher's method does.

References:
    Statistical Methods for Research Workers (Fisher, 1932), for the combination.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vaekit.tasks.detection.scores import without_last_digits

__all__ = ["Tails"]

Floats = NDArray[np.float64]


class Tails:
    """Terms of training rows, by which those of other rows are ranked.

    Args:
        terms: One column for each term, shape (n, F); each is sorted.

    Example:
        >>> tails = Tails(np.array([[1.0], [2.0], [3.0]]))
        >>> np.exp(-tails(np.array([[0.0], [2.5], [9.0]]))).ravel().tolist()
        [1.0, 0.5, 0.25]
    """

    __slots__ = ("terms",)

    def __init__(self, terms: Floats) -> None:
        self.terms = np.sort(without_last_digits(terms), axis=0)

    def __call__(self, terms: Floats) -> Floats:
        """−log p of each term, shape (m, F)."""
        n = len(self.terms)
        below = np.stack(
            [
                np.searchsorted(known, some, side="left")
                for known, some in zip(self.terms.T, without_last_digits(terms).T, strict=True)
            ],
            1,
        )
        return -np.log((1 + n - below) / (n + 1))
