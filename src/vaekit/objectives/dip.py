r"""The disentangled inferred prior: the covariance of all codes is drawn to the identity."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from vaekit.distributions import Normal, batch_mean
from vaekit.errors import ConfigError
from vaekit.models import Evidence
from vaekit.objectives.elbo import Bound
from vaekit.objectives.objective import END, Loss, Objective, Progress, whole
from vaekit.objectives.schedules import Weight

__all__ = ["DIP"]


class DIP(Objective, kind="objective/dip"):
    r"""Minus the ELBO, plus penalties on a covariance C of the codes.

    .. math::
        L = -\mathrm{ELBO} + \lambda_{od} \sum_{i \ne j} C_{ij}^2
        + \lambda_d \sum_i (C_{ii} - 1)^2

    Args:
        off_diagonal: λ_od.
        diagonal: λ_d.
        of: ``"means"`` (DIP-VAE-I): C is the covariance of the posterior means over the batch.
            ``"codes"`` (DIP-VAE-II): that of the codes, which adds the mean of the posterior
            variances to the diagonal.

    References:
        Variational Inference of Disentangled Latent Concepts from Unlabeled Observations (Kumar,
        Sattigeri & Balakrishnan, 2017), arXiv:1711.00848.

    Example:
        >>> from vaekit.models import FlatVAE
        >>> evidence = FlatVAE().build(event_shape=(3,)).evidence(torch.rand(8, 3))
        >>> sorted(DIP()(evidence).terms)
        ['diagonal', 'distortion', 'kl', 'loss', 'off_diagonal', 'rate']
    """

    off_diagonal: Weight = 10.0
    diagonal: Weight = 10.0
    of: Literal["means", "codes"] = "codes"

    def __call__(
        self,
        evidence: Evidence,
        *,
        batch: Any = None,
        model: nn.Module | None = None,
        progress: Progress = END,
    ) -> Loss:
        """The loss, with the terms of the ELBO and both penalties before their weights."""
        if len(evidence.nodes) != 1:
            raise ConfigError(
                "the covariance is of a single latent group", got=len(evidence.nodes)
            )
        bound = Bound(evidence)
        q = evidence.nodes[0].q
        covariance = batch_covariance(q.mean.flatten(1))
        spread = covariance.diagonal()
        if self.of == "codes":
            if not isinstance(q, Normal):
                raise ConfigError(
                    "the covariance of the codes needs a posterior with independent coordinates",
                    expected="posterior/diagonal, or of=means",
                    got=type(q).__name__,
                )
            spread = spread + batch_mean(q.stddev.flatten(1).square().mean(0))
        off = covariance.square().sum() - covariance.diagonal().square().sum()
        on = (spread - 1).square().sum()
        total = bound.distortion + bound.rate + self.off_diagonal * off + self.diagonal * on
        return whole(evidence, total, bound.terms | {"off_diagonal": off, "diagonal": on})


def batch_covariance(values: Tensor) -> Tensor:
    """Covariance over the whole batch, (B, d) → (d, d)."""
    centred = values - batch_mean(values.mean(0))
    with torch.autocast(values.device.type, enabled=False):
        return batch_mean(centred.mT @ centred / len(values))
