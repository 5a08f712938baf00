r"""How likely a model finds each observation: the ELBO, and log p(x) by importance sampling.

With :math:`z_k \sim q(z \mid x)`,

.. math::
    \mathrm{ELBO} = E_q[\log p(x \mid z)] - \mathrm{KL}(q \,\|\, p) \le
    E\Big[\log \tfrac1K \sum_{k=1}^K \tfrac{p(x \mid z_k)\, p(z_k)}{q(z_k \mid x)}\Big]
    \le \log p(x),

and the middle term rises to log p(x) with K. The samples come in blocks of a fixed size, each with
a seed of its own; so the score of a row depends on the model, the row, ``samples`` and ``seed``,
and neither on its batch mates nor on how the work is divided.

Scores of single rows share their draws. Then errors of the draws are common to all rows and do not
shrink with their number, so means over a data set give each row draws of its own (``first_row``).
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from vaekit.distributions import row_noise, shared_noise
from vaekit.errors import ConfigError, DataError, ShapeError
from vaekit.metrics.scored import Scorable, evaluating, in_dtype, like_model, need_density
from vaekit.models import Evidence, VAEModel, draw

__all__ = [
    "Scores",
    "bits_per_dim",
    "block_seed",
    "elbo",
    "log_marginal",
    "mean_and_error",
    "row_slices",
    "rows_at_once",
    "score",
]

MAX_BLOCK = 64
"""Most samples that are drawn and decoded together."""
MAX_ELEMENTS = 2**20
"""Elements of x that are decoded together: few enough for a processor's cache. Rows are divided so
that they stay below; a single row has fewer samples in a block where it alone has more."""
MAX_ROWS = 8_192
"""Most rows that are encoded together."""

Draw = Callable[[int], Evidence]
Noise = Callable[[int], contextlib.AbstractContextManager[None]]


@dataclasses.dataclass(frozen=True, slots=True)
class Scores:
    """What a model says about each row, in nats, float64 on the CPU, shape (n,).

    Attributes:
        rate: KL(q‖p), closed form where there is one.
        distortion: −E_q[log p(x|z)].
        log_marginal: The importance-sampled estimate of log p(x), from below in expectation.
        samples: K, how many codes were drawn for each row.
    """

    rate: Tensor
    distortion: Tensor
    log_marginal: Tensor
    samples: int

    @property
    def elbo(self) -> Tensor:
        """−distortion − rate, shape (n,): a lower bound on log p(x) in expectation."""
        return -self.distortion - self.rate


def score(
    model: Scorable,
    x: Tensor,
    c: Tensor | None = None,
    *,
    samples: int = 500,
    seed: int = 0,
    chunk: int | None = None,
    dtype: torch.dtype | None = None,
    first_row: int | None = None,
) -> Scores:
    """Rate, distortion and importance-sampled log p(x) of each row, from the same draws.

    Args:
        model: A model that has a density.
        x: Observations, shape ``(n, *event)``.
        c: Contexts, shape (n, k).
        samples: K, how many codes to draw for each row.
        seed: Determines the draws, which all rows share.
        chunk: Rows to take at a time; by default as many as memory allows. No score depends on it.
        dtype: What the model computes in, by default its own type; sums are always float64.
        first_row: The number of x's first row within its data set. Each row then has draws of its
            own, determined by its number, so that noise averages out over rows; None makes all
            rows share their draws, and a row's score is a function of that row alone.

    Raises:
        ConfigError: If the model has no density (an autoencoder), or ``samples`` is below 1.
        ShapeError: If x or c do not fit the model or each other.
        DataError: If a value lies outside the support of the likelihood.
    """
    need_density(model)
    if samples < 1:
        raise ConfigError("too few samples", expected="at least 1", got=samples, where="samples")
    if chunk is not None and chunk < 1:
        raise ConfigError("too few rows", expected="at least 1", got=chunk, where="chunk")
    if not x.numel():
        raise DataError("no rows to score", got=f"shape {tuple(x.shape)}")
    if c is not None and len(c) != len(x):
        raise ShapeError("one context for each row", expected=len(x), got=len(c))
    if isinstance(model, VAEModel):
        model.likelihood.check(x)
    model = in_dtype(model, dtype)
    block = _block_size(x)
    parts = []
    with evaluating(model):
        for rows in row_slices(x, chunk or rows_at_once(x, min(block, samples))):
            rows_c = None if c is None else like_model(model, c[rows])
            evidence = _drawer(model, like_model(model, x[rows]), rows_c)
            some = len(x[rows])
            noise = (
                _shared(seed) if first_row is None else _own(seed, first_row + rows.start, some)
            )
            parts.append(_score_rows(evidence, block, samples=samples, noise=noise))
    return _joined(parts, samples)


def log_marginal(
    model: Scorable,
    x: Tensor,
    c: Tensor | None = None,
    *,
    samples: int = 500,
    seed: int = 0,
    chunk: int | None = None,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """log p(x) of each row by importance sampling with K = ``samples``: nats, float64, shape (n,).

    A lower bound in expectation that rises to log p(x) with K; see :func:`score` for arguments and
    errors.

    References:
        Importance Weighted Autoencoders (Burda, Grosse & Salakhutdinov, 2015), arXiv:1509.00519.

    Example:
        >>> from vaekit.models import LinearVAE
        >>> model = LinearVAE().build(event_shape=(8,)).double()
        >>> x = torch.zeros(4, 8, dtype=torch.float64)
        >>> bool((log_marginal(model, x, samples=50) <= model.exact_log_marginal(x) + 1).all())
        True
    """
    scores = score(model, x, c, samples=samples, seed=seed, chunk=chunk, dtype=dtype)
    return scores.log_marginal


def elbo(
    model: Scorable,
    x: Tensor,
    c: Tensor | None = None,
    *,
    samples: int = 1,
    seed: int = 0,
    chunk: int | None = None,
    dtype: torch.dtype | None = None,
) -> Scores:
    """The ELBO of each row and its two parts, in nats: :func:`score` with one sample."""
    return score(model, x, c, samples=samples, seed=seed, chunk=chunk, dtype=dtype)


def mean_and_error(values: Tensor) -> tuple[float, float]:
    """The mean over rows and its standard error, s/√n with s over n − 1 (NaN for a single row).

    Args:
        values: One number for each row, shape (n,).

    Raises:
        DataError: If there are no rows.

    Example:
        >>> mean_and_error(torch.tensor([1.0, 2.0, 3.0]))
        (2.0, 0.5773)
    """
    if not len(values):
        raise DataError("no rows to average")
    values = values.double()
    if len(values) == 1:
        return float(values[0]), math.nan
    return float(values.mean()), float(values.std(correction=1)) / math.sqrt(len(values))


def bits_per_dim(log_prob: Tensor, event_size: int) -> Tensor:
    """−log₂ p(x) / D: nats per row as bits per element of x (lower is better).

    Example:
        >>> float(bits_per_dim(torch.tensor(-8 * math.log(2)), 4))
        2.0
    """
    return -log_prob / (event_size * math.log(2))


def _drawer(model: Scorable, x: Tensor, c: Tensor | None) -> Draw:
    """Gives the evidence of k samples; a flat VAE encodes and asks its prior only once."""
    if isinstance(model, VAEModel) and type(model).evidence is VAEModel.evidence:
        q, p = model.encode(x, c), model.prior(c)

        def evidence(k: int) -> Evidence:
            z, log_q = draw(q, k)
            return model.evidence_at(z, q, x, c, p=p, log_q=log_q)

        return evidence
    return lambda k: model.evidence(x, c, samples=k)


def _score_rows(draw: Draw, block: int, *, samples: int, noise: Noise) -> Scores:
    rate = distortion = torch.zeros((), dtype=torch.float64)
    log_sum = rate - math.inf
    for index, start in enumerate(range(0, samples, block)):
        with noise(index):  # the prior's log density may be an estimate, too
            evidence = draw(min(block, samples - start))
            rate = rate + _exact(evidence.rate).sum(0)
            distortion = distortion + _exact(evidence.distortion).sum(0)
            log_sum = torch.logaddexp(log_sum, _exact(evidence.log_weight).logsumexp(0))
    return Scores(rate / samples, distortion / samples, log_sum - math.log(samples), samples)


def _shared(seed: int) -> Noise:
    return lambda index: shared_noise(block_seed(seed, index))


def _own(seed: int, first: int, rows: int) -> Noise:
    return lambda index: row_noise(block_seed(seed, index), first, rows)


def block_seed(seed: int, index: int) -> int:
    """A seed that differs between the blocks of a computation with one seed."""
    return int(np.random.SeedSequence((seed % 2**64, index)).generate_state(1, np.uint64)[0])


def _exact(nats: Tensor) -> Tensor:
    """Float64 on the CPU: not every device has that type."""
    return nats.cpu().double()


def _block_size(x: Tensor) -> int:
    """Fewer samples at a time for larger observations, whatever the number of rows."""
    return min(MAX_BLOCK, max(1, MAX_ELEMENTS // math.prod(x.shape[1:])))


def rows_at_once(x: Tensor, samples: int) -> int:
    """Rows to take at a time: fewer for larger observations and more samples."""
    return min(MAX_ROWS, max(1, MAX_ELEMENTS // (samples * math.prod(x.shape[1:]))))


def row_slices(x: Tensor, size: int) -> Iterator[slice]:
    """The rows of x, ``size`` at a time."""
    for start in range(0, len(x), size):
        yield slice(start, start + size)


def _joined(parts: list[Scores], samples: int) -> Scores:
    return Scores(
        torch.cat([part.rate for part in parts]),
        torch.cat([part.distortion for part in parts]),
        torch.cat([part.log_marginal for part in parts]),
        samples,
    )
