r"""The importance-weighted bound, and estimators of its gradient.

.. math:: L_K = -E \log \frac1K \sum_{k=1}^K w_k, \qquad w_k = \frac{p(x, z_k)}{q(z_k \mid x)}
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from torch import Tensor, nn

from vaekit.errors import ConfigError
from vaekit.models import Evidence
from vaekit.objectives.elbo import mean_kl
from vaekit.objectives.objective import END, Loss, Objective, Progress
from vaekit.spec import Within

__all__ = ["ImportanceWeighted"]


class ImportanceWeighted(Objective, kind="objective/iwae"):
    r"""Minus the importance-weighted bound of K samples, in nats per example.

    The loss is the bound itself, whatever the estimator of its gradient:

    - ``"plain"``: the derivative of the bound with reparametrised codes.
    - ``"stl"`` (sticking the landing): without the score :math:`\partial \log q / \partial \phi`,
      whose mean is zero for K = 1 only, where nothing is left to vary once q is the posterior. For
      more samples it would be biased and is refused.
    - ``"dreg"`` (doubly reparametrised): with normalised weights :math:`\tilde w_k`, the model has
      :math:`\sum_k \tilde w_k\, \partial \log w_k`, and what reaches the encoder through the codes
      is weighted by :math:`\tilde w_k^2`. Unbiased, and its signal does not drown as K grows. It
      is made by scaling the gradient as it passes through z, so a prior that shares the encoder's
      weights has its own part of the gradient all the same.

    Args:
        samples: K, codes per example. 1 is the ELBO, with a KL that is estimated.
        gradient: The estimator.

    References:
        | Importance Weighted Autoencoders (Burda, Grosse & Salakhutdinov, 2015), arXiv:1509.00519.
        | Sticking the Landing: Simple, Lower-Variance Gradient Estimators for Variational
          Inference (Roeder, Wu & Duvenaud, 2017), arXiv:1703.09194.
        | Doubly Reparameterized Gradient Estimators for Monte Carlo Objectives (Tucker, Lawson, Gu
          & Maddison, 2018), arXiv:1810.04152.

    Example:
        >>> import torch
        >>> from vaekit.models import FlatVAE
        >>> model = FlatVAE().build(event_shape=(3,))
        >>> objective = ImportanceWeighted(samples=5, gradient="dreg")
        >>> evidence = model.evidence(torch.rand(8, 3), samples=objective.samples)
        >>> bound = evidence.log_weight.logsumexp(0).mean() - math.log(5)
        >>> bool(torch.isclose(objective(evidence).total, -bound))
        True
    """

    samples: Annotated[int, Within(1, 10_000)] = 5
    gradient: Literal["plain", "stl", "dreg"] = "plain"

    def validate(self) -> None:  # noqa: D102
        if self.gradient == "stl" and self.samples > 1:
            raise ConfigError(
                "the gradient 'stl' is biased for more than one sample",
                got=f"samples={self.samples}",
                where=self.kind,
                remedy="use gradient='dreg', or samples=1",
            )

    def __call__(
        self,
        evidence: Evidence,
        *,
        batch: Any = None,
        model: nn.Module | None = None,
        progress: Progress = END,
    ) -> Loss:
        """The loss, with terms bound, distortion, rate, kl and the model's penalties."""
        log_weight = evidence.log_weight if self.gradient == "plain" else _path_only(evidence)
        bound = (log_weight.logsumexp(0) - math.log(len(log_weight))).mean()
        if self.gradient == "dreg":
            bound = _doubly_reparametrised(bound, log_weight, evidence)
        total = evidence.penalty - bound
        kl = [mean_kl(node).detach() for node in evidence.nodes]
        rates = [k.sum() for k in kl]
        terms = {
            "loss": total,
            "bound": bound,
            "distortion": evidence.distortion.mean(),
            "rate": sum(rates[1:], rates[0]),
            **evidence.penalties,
        }
        if len(kl) == 1:
            terms["kl"] = kl[0]
        return Loss(total, terms)


def _path_only(evidence: Evidence) -> Tensor:
    """log w in which the parameters of q are held constant, shape (K, B)."""
    total = evidence.log_px
    for node in evidence.nodes:
        total = total + (node.log_p - node.log_q_stopped)
    return total


def _doubly_reparametrised(bound: Tensor, log_weight: Tensor, evidence: Evidence) -> Tensor:
    """The bound in value, with the doubly reparametrised gradient."""
    if len(evidence.nodes) > 1:
        raise ConfigError(
            "the gradient 'dreg' is for models of one latent group",
            got=f"{len(evidence.nodes)} groups",
            remedy="use gradient='plain'",
        )
    weight = log_weight.detach().softmax(0)
    z = evidence.nodes[0].z
    if z.requires_grad:
        spread = weight.reshape(*weight.shape, *(1,) * (z.dim() - 2))
        z.register_hook(lambda gradient: spread * gradient)
    surrogate = (weight * log_weight).sum(0).mean()
    return bound.detach() + surrogate - surrogate.detach()
