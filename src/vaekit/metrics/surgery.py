r"""ELBO surgery: how much of the rate is information about x, and how much misfit of the prior.

With the aggregate posterior of the data set, :math:`q(z) = \frac1N \sum_j q(z \mid x_j)`,

.. math::
    \frac1N \sum_i \mathrm{KL}(q(z \mid x_i) \,\|\, p(z))
    = \underbrace{\frac1N \sum_i E_{q(z \mid x_i)} \log \frac{q(z \mid x_i)}{q(z)}}_{I(x; z)}
    + \underbrace{\mathrm{KL}(q(z) \,\|\, p(z))}_{\text{marginal KL}} .

The information is that of z about *which* of the N rows was encoded, so :math:`I \le \log N`: a
code that tells all rows apart has log N nats whatever else it holds, and the marginal KL takes
the rest of the rate.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from vaekit.distributions import Density, row_noise
from vaekit.errors import ConfigError, DataError
from vaekit.metrics.likelihood import mean_and_error
from vaekit.metrics.scored import Batches, Scorable, evaluating, like_model, need_density
from vaekit.models import Node

__all__ = ["Surgery", "elbo_surgery"]

MAX_ELEMENTS = 2**20
"""Elements of codes that are scored at a time: few enough for a processor's cache."""


@dataclasses.dataclass(frozen=True, slots=True)
class Surgery:
    """The rate and its two parts, averages over rows in nats; the parts sum to the rate.

    Attributes:
        rate: KL(q(z|x)‖p(z)).
        mutual_information: I(x; z), between 0 and :attr:`bound` in expectation.
        marginal_kl: KL(q(z)‖p(z)).
        mutual_information_error: Standard error over rows.
        marginal_kl_error: Standard error over rows.
        n: N, the rows that make up q(z).
    """

    rate: float
    mutual_information: float
    marginal_kl: float
    mutual_information_error: float
    marginal_kl_error: float
    n: int

    @property
    def bound(self) -> float:
        """log N, the most information that N rows can show."""
        return math.log(self.n)


def elbo_surgery(
    model: Scorable, data: Batches, *, samples: int = 1, seed: int = 0, batch_size: int = 500
) -> Surgery:
    """The rate of a data set as mutual information and marginal KL.

    The time grows with the square of the number of rows N: every code is scored by the posteriors
    of all rows.

    Args:
        model: A model that has a density and one latent group.
        data: The N rows; a context is part of its row, as x is.
        samples: Codes to draw for each row.
        seed: Determines the draws; each row has its own.
        batch_size: Rows to encode at a time.

    Raises:
        ConfigError: If the model has no density, several latent groups, or a prior that reads the
            context (then no single p(z) exists).
        DataError: If there are no rows.

    References:
        ELBO surgery: yet another way to carve up the variational evidence lower bound (Hoffman &
        Johnson, 2016), NIPS workshop on Advances in Approximate Bayesian Inference.

    Example:
        >>> from types import SimpleNamespace
        >>> from vaekit.models import LinearVAE
        >>> rows = SimpleNamespace(x=torch.randn(20, 6), c=None)
        >>> data = SimpleNamespace(batches=lambda size, train: [rows])
        >>> found = elbo_surgery(LinearVAE().build(event_shape=(6,)), data)
        >>> found.mutual_information <= found.bound == math.log(20)
        True
    """
    need_density(model)
    with evaluating(model):
        found = list(_nodes(model, data, samples, seed, batch_size))
        if not found:
            raise DataError("no rows to measure")
        rate = torch.cat([rates for _, rates in found])
        posteriors = [node.q for node, _ in found]
        parts = [_information(node, posteriors) for node, _ in found]
    n = len(rate)
    information = torch.cat(parts) + math.log(n)
    mutual, mutual_error = mean_and_error(information)
    marginal, marginal_error = mean_and_error(rate - information)
    return Surgery(float(rate.mean()), mutual, marginal, mutual_error, marginal_error, n)


def _nodes(
    model: Scorable, data: Batches, samples: int, seed: int, batch_size: int
) -> Iterator[tuple[Node, Tensor]]:
    """The latent group of each batch, and the rate of its rows."""
    first = 0
    for batch in data.batches(batch_size, train=False):
        c = None if batch.c is None else like_model(model, batch.c)
        with row_noise(seed, first, len(batch.x)):
            nodes = model.evidence(like_model(model, batch.x), c, samples=samples).nodes
            rates = [node.kl.mean(0).cpu().double() for node in nodes]
        if len(nodes) != 1:
            raise ConfigError(
                "mutual information is measured for one latent group", expected=1, got=len(nodes)
            )
        if c is not None and nodes[0].p.log_prob(nodes[0].value[0, 0]).dim():
            raise ConfigError(
                "the prior reads the context, so there is no single p(z) to compare q(z) with",
                remedy="compare the rate alone",
            )
        yield nodes[0], rates[0]
        first += len(batch.x)


def _information(node: Node, posteriors: list[Density]) -> Tensor:
    """log q(z|x) − log Σⱼ q(z|xⱼ) of each row, averaged over its samples, shape (B,)."""
    z = node.value.flatten(0, 1)
    size = max(1, MAX_ELEMENTS // (node.value.shape[1] * z[0].numel()))
    mixture = torch.cat([_log_sum(part, posteriors) for part in z.split(size)])
    log_q = node.log_q.cpu().double()
    return (log_q - mixture.reshape(log_q.shape)).mean(0)


def _log_sum(z: Tensor, posteriors: list[Density]) -> Tensor:
    r"""log Σⱼ q(z|xⱼ) of codes of shape (M, \*latent), shape (M,)."""
    scores = [q.log_prob(z.unsqueeze(1)).cpu().double() for q in posteriors]
    return torch.cat(scores, 1).logsumexp(1)
