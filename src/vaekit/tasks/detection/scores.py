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
from torch import Tensor

from vaekit.distributions import shared_noise
from vaekit.errors import ConfigError
from vaekit.metrics.likelihood import block_seed
from vaekit.metrics.scored import evaluating, need_density
from vaekit.models import Evidence, VAEModel
from vaekit.tasks.detection.errors import squared_errors

__all__ = ["SCORES", "Cells", "Score", "cell_scores", "chunks", "row_scores"]

Score = Literal[
    "elbo", "weighted_elbo", "reconstruction_probability", "iwae", "reconstruction_error", "tail"
]
SCORES: tuple[Score, ...] = get_args(Score)
ELEMENTS = 2**21
"""Parameters that are decoded together, at most."""
MAX_ROWS = 4_096


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


def cell_scores(
    model: VAEModel,
    x: Tensor,
    score: Score,
    *,
    samples: int,
    seed: int,
    rate_weight: float = 1.0,
) -> Cells:
    """The terms of the scores of some rows; ``tail`` gives those that it ranks.

    Args:
        model: In float64.
        x: Rows in model units, float64 ``(B, F)``.
        score: Which score.
        samples: K, codes per row.
        seed: Of the codes, which all rows share.
        rate_weight: w of ``weighted_elbo``.

    Raises:
        ConfigError: If the score has no terms, or the model no density.
    """
    if score == "iwae":
        raise ConfigError(
            "an importance-weighted bound has no terms for single columns",
            expected=", ".join(name for name in SCORES if name != "iwae"),
            got="iwae",
            where="scoring",
        )
    with evaluating(model):
        if score == "reconstruction_error":
            cells = squared_errors(model.decode(model.encode(x).mean), x)
            return Cells(cells, x.new_zeros(len(x)))
        need_density(model)
        evidence = _evidence(model, x, samples, seed)
        cells = -evidence.log_px_elements.mean(0)
        if score == "reconstruction_probability":
            return Cells(cells, x.new_zeros(len(x)))
        weight = rate_weight if score == "weighted_elbo" else 1.0
        return Cells(cells, weight * evidence.rate.mean(0))


def row_scores(
    model: VAEModel,
    x: Tensor,
    score: Score,
    *,
    samples: int,
    seed: int,
    rate_weight: float = 1.0,
) -> Tensor:
    """The scores of some rows, float64 ``(B,)``; arguments as of :func:`cell_scores`."""
    if score != "iwae":
        draws = {"samples": samples, "seed": seed}
        return cell_scores(model, x, score, rate_weight=rate_weight, **draws).total
    with evaluating(model):
        need_density(model)
        weight = _evidence(model, x, samples, seed).log_weight
    return math.log(samples) - weight.logsumexp(0)


def _evidence(model: VAEModel, x: Tensor, samples: int, seed: int) -> Evidence:
    with shared_noise(block_seed(seed, 0)):
        return model.evidence(x, samples=samples)


def chunks(model: VAEModel, x: Tensor, *, samples: int) -> Iterator[Tensor]:
    """The rows of x in float64, as many at a time as can be decoded together."""
    width = math.prod(model.likelihood.params_shape)
    rows = int(np.clip(ELEMENTS // (samples * width), 1, MAX_ROWS))
    for some in x.split(rows):
        yield some.double()
