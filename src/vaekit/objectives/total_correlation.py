r"""The rate taken apart: mutual information, total correlation, dimension-wise KL.

.. math::
    \log \frac{q(z|x)}{p(z)} = \log \frac{q(z|x)}{q(z)} + \log \frac{q(z)}{\prod_j q(z_j)}
    + \log \frac{\prod_j q(z_j)}{p(z)}
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, NamedTuple, Self

import torch
from torch import Tensor, nn

from vaekit.distributions import Normal
from vaekit.errors import ConfigError
from vaekit.models import Evidence, Node
from vaekit.objectives.elbo import Bound
from vaekit.objectives.objective import END, Loss, Objective, Progress, whole
from vaekit.objectives.schedules import Weight
from vaekit.spec import Within

__all__ = ["BetaTC", "RateParts", "rate_parts"]

Sampling = Literal["weighted", "stratified"]


class BetaTC(Objective, kind="objective/beta-tc"):
    r"""The ELBO with a weight on each part of the rate, above all on the total correlation.

    .. math::
        L = -E_q \log p(x|z) + \alpha\, I(x; z) + \beta\, \mathrm{TC}(z)
        + \gamma \sum_j \mathrm{KL}(q(z_j) \| p(z_j))

    It is computed as the ELBO plus the excess of each weight over 1, so that equal weights of 1
    are the ELBO itself, with the rate in closed form where there is one.

    Args:
        alpha: Weight of the mutual information of data and code.
        beta: Weight of the total correlation.
        gamma: Weight of the dimension-wise KL.
        sampling: How q(z) is estimated from a batch; see :func:`rate_parts`.
        rows: How many training rows there are; the training loop fills it in.

    Note:
        Memory grows with the square of the batch. The batch is the rows that one process holds.

    References:
        Isolating Sources of Disentanglement in Variational Autoencoders (Chen, Li, Grosse &
        Duvenaud, 2018), arXiv:1802.04942.

    Example:
        >>> from vaekit.models import FlatVAE
        >>> evidence = FlatVAE().build(event_shape=(3,)).evidence(torch.rand(8, 3))
        >>> loss = BetaTC(beta=1.0, rows=100)(evidence).total
        >>> bool(torch.isclose(loss, -evidence.elbo.mean()))
        True
    """

    alpha: Weight = 1.0
    beta: Weight = 6.0
    gamma: Weight = 1.0
    sampling: Sampling = "stratified"
    rows: Annotated[int, Within(1, 10**12)] | None = None

    def for_rows(self, rows: int) -> Self:
        """The objective for a training set of so many rows, unless it says how many itself."""
        return self if self.rows is not None else self.replace(rows=rows)

    def __call__(
        self,
        evidence: Evidence,
        *,
        batch: Any = None,
        model: nn.Module | None = None,
        progress: Progress = END,
    ) -> Loss:
        """The loss, with the terms of the ELBO and the three parts of the rate."""
        if self.rows is None:
            raise ConfigError(
                "the total correlation needs the number of training rows",
                where=self.kind,
                remedy="give rows=len(data); the training loop does so by itself",
            )
        bound = Bound(evidence)
        found = [rate_parts(n, rows=self.rows, sampling=self.sampling) for n in evidence.nodes]
        zero = torch.zeros_like(bound.rate)
        parts = RateParts(*(sum(part, zero) for part in zip(*found, strict=True)))
        excess = (self.alpha - 1, self.beta - 1, self.gamma - 1)
        extra = sum((w * part for w, part in zip(excess, parts, strict=True)), zero)
        return whole(
            evidence, bound.distortion + bound.rate + extra, bound.terms | parts._asdict()
        )


class RateParts(NamedTuple):
    """The parts of the rate, means over samples and batch, in nats."""

    mutual_information: Tensor
    total_correlation: Tensor
    dimension_wise: Tensor


def rate_parts(node: Node, *, rows: int, sampling: Sampling) -> RateParts:
    r"""The parts of log q(z|x) − log p(z) at the samples; they sum to its mean exactly.

    The density of all codes, :math:`q(z) = \frac1N \sum_n q(z|x_n)`, is estimated by a weighted
    sum over the batch of B rows. Weighted sampling gives each row :math:`1/(NB)`. Stratified
    sampling gives the row itself 1/N and shares the rest among the others, so that the sum is
    unbiased; a row that is alone has all of it.

    Args:
        node: Its posterior must be a normal with independent coordinates.
        rows: N, the number of training rows.
        sampling: Weights of the rows of the batch.

    Raises:
        ConfigError: If the posterior's coordinates are not independent normals.
    """
    if not isinstance(node.q, Normal) or node.q.event_dims != 1:
        raise ConfigError(
            "the total correlation needs a posterior whose coordinates are independent",
            expected="posterior/diagonal",
            got=type(node.q).__name__,
        )
    each = node.q.log_prob_elements(node.z.unsqueeze(2))  # (K, B, B, d): z of a row, q of another
    log_weight = sampling_weights(each.shape[1], rows, sampling, like=each)
    log_qz = torch.logsumexp(each.sum(-1) + log_weight, 2)
    log_product = torch.logsumexp(each + log_weight.unsqueeze(-1), 2).sum(-1)
    return RateParts(
        (node.log_q - log_qz).mean(),
        (log_qz - log_product).mean(),
        (log_product - node.log_p).mean(),
    )


def sampling_weights(batch: int, rows: int, sampling: Sampling, *, like: Tensor) -> Tensor:
    """Logarithms of the weights of q(z_i|x_j) in the estimate of q(z_i), shape (B, B)."""
    others = batch - 1
    if sampling == "stratified" and not others:
        return torch.zeros(1, 1).to(like)
    if sampling == "weighted":
        return torch.full((batch, batch), -math.log(rows * batch)).to(like)
    rows = max(rows, batch)
    eye = torch.eye(batch, dtype=torch.bool, device=like.device)
    weight = torch.full_like(eye, 1 / others, dtype=like.dtype)
    weight = torch.where(eye.roll(1, 1), (rows - others) / (rows * others), weight)
    return torch.where(eye, 1 / rows, weight).log()
