r"""The importance-weighted bound, and estimators of its gradient.

.. math:: L_K = -E \log \frac1K \sum_{k=1}^K w_k, \qquad w_k = \frac{p(x, z_k)}{q(z_k \mid x)}
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from torch import Tensor, nn

from vaekit.errors import ConfigError
from vaekit.models import Evidence
from vaekit.objectives.elbo import Bound
from vaekit.objectives.objective import END, Loss, Objective, Progress, whole
from vaekit.objectives.paths import require_paths
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
        samples: K, codes per example. One is the ELBO, its KL in closed form where there is one.
        gradient: The estimator. ``"dreg"`` leaves a hook on the codes, so that an evidence serves
            for one call.

    Raises:
        ConfigError: For ``"stl"`` with several samples; when called, where an estimator would be
            biased for the model (several latent groups, codes without a path), and for relaxed
            codes, whose weights bound nothing.

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
        """The loss, with the terms of the ELBO: distortion, rate and kl."""
        if self.gradient != "plain":
            bound = path_bound(evidence, self.gradient)
        elif len(evidence.log_px) == 1:
            bound = evidence.elbo[0]
        else:
            bound = log_mean_exp(evidence.log_weight)
        return whole(evidence, -bound.mean(), Bound(evidence).terms)


def log_mean_exp(log_weight: Tensor) -> Tensor:
    """log of the mean weight over the samples, (K, B) → (B,)."""
    return log_weight.logsumexp(0) - math.log(len(log_weight))


def path_bound(evidence: Evidence, gradient: str) -> Tensor:
    """The bound, shape (B,), that reaches q's parameters through z, with the weights once more."""
    require_paths(evidence, gradient)
    (node,) = evidence.nodes
    log_weight = evidence.log_px + (node.log_p - node.log_q_stopped)
    if gradient == "dreg" and node.z.requires_grad:
        share = log_weight.detach().softmax(0)
        share = share.reshape(*share.shape, *(1,) * (node.z.dim() - 2))
        node.z.register_hook(lambda gradient: share * gradient)
    return log_mean_exp(log_weight)
