r"""The evidence lower bound, with β and free bits.

.. math:: L = -E_q \log p(x \mid z) + \beta \, \mathrm{KL}(q(z \mid x) \| p(z))
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from vaekit.distributions import batch_mean
from vaekit.models import Evidence, Node
from vaekit.objectives.objective import END, Loss, Objective, Progress
from vaekit.objectives.schedules import Weight, value_at
from vaekit.spec import Role, Within

__all__ = ["ELBO"]


class ELBO(Objective, kind="objective/elbo"):
    r"""Minus the evidence lower bound, in nats per example.

    Args:
        beta: Weight of the rate: a number, or a schedule over the run. 1 is the bound itself.
        free_bits: λ, nats of rate that cost nothing: :math:`\max(\lambda, \mathrm{KL})` of the
            batch mean. Below λ the rate has no gradient.
        per: Where λ applies: each latent ``"dimension"`` (channel), each ``"group"`` of latents,
            or the ``"total"``.
        samples: Codes per example.

    References:
        | beta-VAE (Higgins et al., 2017), https://openreview.net/forum?id=Sy2fzU9gl
        | Improving Variational Inference with Inverse Autoregressive Flow (Kingma et al., 2016),
          arXiv:1606.04934, for free bits.

    Example:
        >>> from vaekit.models import FlatVAE
        >>> model = FlatVAE().build(event_shape=(3,))
        >>> evidence = model.evidence(torch.rand(8, 3))
        >>> loss = ELBO()(evidence)
        >>> bool(torch.isclose(loss.total, -evidence.elbo.mean()))
        True
    """

    beta: Weight | Annotated[Any, Role("schedule")] = 1.0
    free_bits: Annotated[float, Within(0.0, 1e6)] = 0.0
    per: Literal["dimension", "group", "total"] = "dimension"
    samples: Annotated[int, Within(1, 10_000)] = 1

    def __call__(
        self,
        evidence: Evidence,
        *,
        batch: Any = None,
        model: nn.Module | None = None,
        progress: Progress = END,
    ) -> Loss:
        """The loss, with terms distortion, rate, kl (per dimension) and the model's penalties."""
        beta = value_at(self.beta, progress.fraction)
        distortion = -evidence.log_px.mean()
        each = self.free_bits > 0 and self.per == "dimension"
        kl = [mean_kl(node, each=each) for node in evidence.nodes]
        rates = [k.sum() for k in kl]
        rate = sum(rates[1:], rates[0]) if rates else torch.zeros_like(distortion)
        charged = self._charged(kl, rates, rate) if self.free_bits and kl else rate
        total = distortion + beta * charged
        for penalty in evidence.penalties.values():
            total = total + penalty
        terms = {"loss": total, "distortion": distortion, "rate": rate, **evidence.penalties}
        terms["kl"] = kl[0] if len(kl) == 1 else torch.cat([*kl, rate.new_zeros(0)])
        return Loss(total, terms)

    def _charged(self, kl: list[Tensor], rates: list[Tensor], rate: Tensor) -> Tensor:
        """The rate with λ nats free where ``per`` says."""
        parts = {"dimension": kl, "group": rates, "total": [rate]}[self.per]
        whole = [batch_mean(part) for part in parts]
        return torch.stack([part.clamp(min=self.free_bits).sum() for part in whole]).sum()


def mean_kl(node: Node, *, each: bool = True) -> Tensor:
    """KL per latent dimension (channel), summed over space, mean over samples and batch: (C,).

    Args:
        node: The latent group.
        each: Whether the dimensions are needed where they take much longer than their sum, which
            is then all there is, shape (1,).
    """
    if not each and node.p.terms_are_slow:
        return node.kl.mean().unsqueeze(0)
    elements = node.kl_elements
    if elements.dim() == 2:
        return elements.mean().unsqueeze(0)
    return (elements.flatten(3).sum(-1) if elements.dim() > 3 else elements).mean((0, 1))
