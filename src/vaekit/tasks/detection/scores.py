r"""How anomalous rows are, as functions of a model's evidence, cell by cell where they decompose.

==============================  ===================================================================
``elbo``                        :math:`-E_q[\log p(x \mid z)] + \mathrm{KL}(q \,\|\, p)`, minus the
                                bound on log p(x)
``weighted_elbo``               the same with :math:`w \, \mathrm{KL}`: a row whose code is far
                                from all others is odd, however well it is decoded
``reconstruction_probability``  :math:`-E_q[\log p(x \mid z)]` (An & Cho 2015)
``iwae``                        minus the importance-weighted bound with K codes
``reconstruction_error``        squared errors of what is decoded at the posterior's mean
``tail``                        how rare each cell's term is among the training rows,
                                :math:`-\sum_i \log p_i`
==============================  ===================================================================

Higher is more anomalous in all of them. They are computed in float64, and all rows share one
matrix of noise: no score depends on the other rows, on their order or on how they are divided.

References:
    | Variational Autoencoder based Anomaly Detection using Reconstruction Probability (An & Cho,
      2015), SNU Data Mining Center, special lecture on IE 2015-2.
    | Importance Weighted Autoencoders (Burda, Grosse & Salakhutdinov, 2015), arXiv:1509.00519.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vaekit.distributions import shared_noise
from vaekit.errors import ConfigError
from vaekit.metrics.likelihood import block_seed
from vaekit.metrics.scored import evaluating, need_density
from vaekit.models import Evidence, VAEModel
from vaekit.tasks.detection.errors import squared_errors

__all__ = [
    "SCORES",
    "Cells",
    "Score",
    "Scoring",
    "cell_scores",
    "chunks",
    "need_terms",
    "row_scores",
    "without_last_digits",
]

Score = Literal[
    "elbo", "weighted_elbo", "reconstruction_probability", "iwae", "reconstruction_error", "tail"
]
SCORES: tuple[Score, ...] = get_args(Score)
ELEMENTS = 2**21
"""Parameters that are decoded together, at most."""
MAX_ROWS = 4_096
KEPT = 2.0**36
"""Steps of the mantissa of a score that are kept: 1e-11 of its size."""


class Scoring(NamedTuple):
    """What a score depends on beside the model and the rows.

    Attributes:
        score: Which score.
        samples: K, codes per row.
        seed: Of the codes, which all rows share.
        rate_weight: w of ``weighted_elbo``.
    """

    score: Score
    samples: int
    seed: int
    rate_weight: float = 1.0


class Cells(NamedTuple):
    """Scores of rows, float64 on the CPU.

    Attributes:
        cells: A term for each field of x, shape (B, F).
        latent: The term of the code, shape (B,).
    """

    cells: Tensor
    latent: Tensor

    @property
    def total(self) -> Tensor:
        """The score of each row, shape (B,)."""
        return self.cells.sum(1) + self.latent


def need_terms(score: Score) -> None:
    """Refuse a score that no column has a term of.

    Raises:
        ConfigError: If it is ``"iwae"``.
    """
    if score == "iwae":
        raise ConfigError(
            "an importance-weighted bound has no terms for single columns",
            expected=", ".join(name for name in SCORES if name != "iwae"),
            got="iwae",
            where="scoring",
        )


def cell_scores(model: VAEModel, x: Tensor, scoring: Scoring) -> Cells:
    """The terms of the scores of some rows; ``tail`` gives those that it ranks.

    Args:
        model: In float64.
        x: Rows in model units, float64 ``(B, F)``.
        scoring: Which score, of which codes.

    Raises:
        ConfigError: If the score has no terms, or the model no density.
    """
    need_terms(scoring.score)
    with evaluating(model):
        if scoring.score == "reconstruction_error":
            cells = squared_errors(model.decode(model.encode(x).mean), x)
            return Cells(cells, x.new_zeros(len(x)))
        need_density(model)
        evidence = _evidence(model, x, scoring)
        cells = -evidence.log_px_elements.mean(0)
        if scoring.score == "reconstruction_probability":
            return Cells(cells, x.new_zeros(len(x)))
        weight = scoring.rate_weight if scoring.score == "weighted_elbo" else 1.0
        return Cells(cells, weight * evidence.rate.mean(0))


def row_scores(model: VAEModel, x: Tensor, scoring: Scoring) -> Tensor:
    """The scores of some rows, float64 ``(B,)``; arguments as of :func:`cell_scores`."""
    if scoring.score != "iwae":
        return cell_scores(model, x, scoring).total
    with evaluating(model):
        need_density(model)
        weight = _evidence(model, x, scoring).log_weight
    return math.log(scoring.samples) - weight.logsumexp(0)


def _evidence(model: VAEModel, x: Tensor, scoring: Scoring) -> Evidence:
    with shared_noise(block_seed(scoring.seed, 0)):
        return model.evidence(x, samples=scoring.samples)


def chunks(model: VAEModel, x: Tensor, *, samples: int) -> Iterator[Tensor]:
    """The rows of x in float64, as many at a time as can be decoded together."""
    width = math.prod(model.likelihood.params_shape)
    rows = int(np.clip(ELEMENTS // (samples * width), 1, MAX_ROWS))
    for some in x.split(rows):
        yield some.double()


def without_last_digits(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores or terms to ten digits or so, of any shape.

    The last ones depend on which rows are computed together, and ranks would. A line lies on the
    score of a row, and that row must not be beyond it when it comes alone.

    Example:
        >>> 0.1 + 0.2 == 0.3, len(set(without_last_digits(np.array([0.1 + 0.2, 0.3]))))
        (False, 1)
    """
    mantissa, exponent = np.frexp(scores)
    rounded: NDArray[np.float64] = np.ldexp(np.round(mantissa * KEPT) / KEPT, exponent)
    return rounded
