r"""The evidence lower bound, with β, free bits, a capacity and path derivatives.

.. math:: L = -E_q \log p(x \mid z) + \beta \, \mathrm{KL}(q(z \mid x) \| p(z))
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from vaekit.distributions import batch_mean
from vaekit.errors import ConfigError
from vaekit.models import Evidence, Node
from vaekit.objectives.fixed import require_fixed
from vaekit.objectives.objective import END, Loss, Objective, Progress, whole
from vaekit.objectives.paths import require_paths
from vaekit.objectives.schedules import Weight, value_at
from vaekit.spec import Role, Within

__all__ = ["ELBO", "Bound", "mean_kl"]


class ELBO(Objective, kind="objective/elbo"):
    r"""Minus the evidence lower bound, in nats per example.

    Args:
        beta: Weight of the rate: a number, or a schedule over the run. 1 is the bound itself.
        free_bits: λ, nats of rate that cost nothing: :math:`\max(\lambda, \mathrm{KL})` of the
            batch mean. Below λ the rate has no gradient.
        per: Where λ applies: each latent ``"dimension"`` (channel), each ``"group"`` of latents,
            or the ``"total"``.
        capacity: C, nats of rate to aim for, a number or a schedule: the rate is charged as
            :math:`|\mathrm{KL} - C|`. None charges all of it.
        gradient: ``"plain"``; or ``"stl"``, sticking the landing: the rate is estimated at the
            sample and q's parameters are reached through z only, which has no variance where q is
            the posterior.
        samples: Codes per example.

    References:
        | beta-VAE (Higgins et al., 2017), https://openreview.net/forum?id=Sy2fzU9gl
        | Improving Variational Inference with Inverse Autoregressive Flow (Kingma et al., 2016),
          arXiv:1606.04934, for free bits.
        | Understanding Disentangling in beta-VAE (Burgess et al., 2018), arXiv:1804.03599, for
          the capacity.
        | Sticking the Landing: Simple, Lower-Variance Gradient Estimators for Variational
          Inference (Roeder, Wu & Duvenaud, 2017), arXiv:1703.09194.

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
    capacity: Weight | Annotated[Any, Role("schedule")] | None = None
    gradient: Literal["plain", "stl"] = "plain"
    samples: Annotated[int, Within(1, 10_000)] = 1

    def validate(self) -> None:  # noqa: D102
        if self.free_bits and self.capacity is not None:
            raise ConfigError(
                "free bits and a capacity both say how much rate is free",
                expected="one of them",
                remedy="leave free_bits or capacity out",
            )

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
        each = self.free_bits > 0 and self.per == "dimension"
        bound = Bound(evidence, each=each, stopped=self.gradient == "stl")
        total = bound.distortion + beta * self._charged(bound, progress)
        return whole(evidence, total, bound.terms)

    def _charged(self, bound: Bound, progress: Progress) -> Tensor:
        """What the rate costs: λ nats free where ``per`` says, or its distance from C."""
        if self.capacity is not None:
            return (batch_mean(bound.rate) - value_at(self.capacity, progress.fraction)).abs()
        if not self.free_bits or not bound.kl:
            return bound.rate
        parts = {"dimension": bound.kl, "group": bound.rates, "total": [bound.rate]}[self.per]
        means = [batch_mean(part) for part in parts]
        return torch.stack([part.clamp(min=self.free_bits).sum() for part in means]).sum()


class Bound:
    """What a bound is made of: means over samples and batch, in nats.

    Args:
        evidence: What the model says.
        each: Whether the dimensions are needed even where that is slow; see :func:`mean_kl`.
        stopped: Whether q's parameters count through z only; see :class:`ELBO`.
        alone: Whether nothing but the rate trains the prior.

    Raises:
        ConfigError: If the prior would stay untrained, as q has no density and so no rate.

    Attributes:
        distortion: −log p(x|z), a scalar.
        kl: KL of each latent group per dimension (channel), shape (C,).
        rates: KL of each group, scalars.
        rate: KL of all groups, a scalar.
    """

    __slots__ = ("distortion", "kl", "rate", "rates")

    def __init__(
        self,
        evidence: Evidence,
        *,
        each: bool = False,
        stopped: bool = False,
        alone: bool = True,
    ) -> None:
        if stopped:
            require_paths(evidence, "stl")
        for node in evidence.nodes:
            if alone and not node.has_rate:
                require_fixed(node, "a posterior without a density has no rate")
        self.distortion = -evidence.log_px.mean()
        self.kl = [mean_kl(node, each=each, stopped=stopped) for node in evidence.nodes]
        self.rates = [kl.sum() for kl in self.kl]
        zero = torch.zeros_like(self.distortion)
        self.rate = sum(self.rates[1:], self.rates[0]) if self.rates else zero

    @property
    def terms(self) -> dict[str, Tensor]:
        """Distortion, rate and kl, for the history."""
        kl = self.kl[0] if len(self.kl) == 1 else torch.cat([*self.kl, self.rate.new_zeros(0)])
        return {"distortion": self.distortion, "rate": self.rate, "kl": kl}


def mean_kl(node: Node, *, each: bool = True, stopped: bool = False) -> Tensor:
    """KL per latent dimension (channel), summed over space, mean over samples and batch: (C,).

    Args:
        node: The latent group.
        each: Whether the dimensions are needed where they take much longer than their sum, which
            is then all there is, shape (1,).
        stopped: Whether q's parameters count through z only; see :class:`ELBO`.
    """
    if not each and node.p.terms_are_slow:
        kl = node.log_q_stopped - node.log_p if stopped else node.kl
        return kl.mean().unsqueeze(0)
    elements = node.kl_elements_stopped if stopped else node.kl_elements
    if elements.dim() == 2:
        return elements.mean().unsqueeze(0)
    return (elements.flatten(3).sum(-1) if elements.dim() > 3 else elements).mean((0, 1))
