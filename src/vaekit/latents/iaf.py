"""Inverse autoregressive flow: a normal bent by autoregressive networks, quick to draw from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from vaekit.distributions import Flow, FlowChain, widen
from vaekit.latents.flow_posterior import FlowPosterior
from vaekit.latents.posterior import bounded
from vaekit.networks import MADE
from vaekit.spec import Spec, Within

__all__ = ["IAF", "IAFPosterior", "IAFStep"]

Form = Literal["affine", "gated", "shift"]
OPEN = 2.0
"""What a gate starts at: sigmoid(2) = 0.88 keeps most of the coordinate."""
STEP_LIMIT = 3.0
"""An affine step scales by at most e^±3: steps multiply, and so do their rounding errors."""


class IAF(Spec, kind="posterior/iaf"):
    r"""A normal followed by T autoregressive steps, each of which sees the encoder's features.

    From :math:`z_0 \sim N(\mu(x), \sigma(x)^2)`, with networks :math:`m_t, s_t` whose output i
    depends on the coordinates before i and on h(x), each step is

    - ``"affine"``: :math:`z_t = (z_{t-1} - m_t)\, e^{-s_t}`, \|s\| < 3, the identity at the start;
    - ``"gated"``: :math:`z_t = \sigma_t z_{t-1} + (1 - \sigma_t) m_t` with
      :math:`\sigma_t = \mathrm{sigmoid}(s_t)`, the form that the paper trains;
    - ``"shift"``: :math:`z_t = z_{t-1} - m_t`, which preserves volume.

    The order of the coordinates turns round from step to step. A draw with its log density costs T
    passes; the log density of a given code (``given=``, STL, DReG) ``latent_dim`` times as many.

    Args:
        steps: T.
        hidden: Widths of each step's hidden layers; none makes the step linear in z.
        context: How many numbers h(x) the encoder's features are made into.
        form: What a step is.

    References:
        Improving Variational Inference with Inverse Autoregressive Flow (Kingma et al., 2016),
        arXiv:1606.04934.

    Example:
        >>> q = IAF(steps=2).build(features=8, latent_shape=(3,))(torch.zeros(4, 8))
        >>> z, log_q = q.rsample_and_log_prob((5,))
        >>> z.shape, log_q.shape, torch.allclose(q.log_prob(z), log_q, atol=1e-5)
        (torch.Size([5, 4, 3]), torch.Size([5, 4]), True)
    """

    steps: Annotated[int, Within(1, 64)] = 4
    hidden: tuple[Annotated[int, Within(1, 65_536)], ...] = (128,)
    context: Annotated[int, Within(1, 65_536)] = 64
    form: Form = "affine"

    def build(
        self, *, features: int, latent_shape: Sequence[int], context_dim: int = 0
    ) -> IAFPosterior:
        """The module for an encoder that returns ``features`` numbers per example."""
        return IAFPosterior(self, features=features, latent_shape=latent_shape)


class IAFPosterior(FlowPosterior):
    """The module of :class:`IAF`; with ``"affine"`` steps it starts as the diagonal posterior."""

    def __init__(self, spec: IAF, *, features: int, latent_shape: Sequence[int]) -> None:
        n = latent_shape[0]
        flow = FlowChain(IAFStep(spec, n, reverse=t % 2 == 1) for t in range(spec.steps))
        super().__init__(
            spec, flow, features=features, latent_shape=latent_shape, context=spec.context
        )


class IAFStep(Flow):
    """One step, z = a ε + b with a and b autoregressive in ε.

    Args:
        spec: Form, widths and context.
        n: How many coordinates.
        reverse: Whether the last coordinate comes first.
    """

    def __init__(self, spec: IAF, n: int, *, reverse: bool) -> None:
        super().__init__()
        self.form = spec.form
        self.net = MADE(
            n,
            context=spec.context,
            outputs=1 if spec.form == "shift" else 2,
            hidden=spec.hidden,
            reverse=reverse,
        )

    def forward(  # noqa: D102
        self, value: Tensor, context: Tensor | None = None, *, inverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        eps = self._invert(value, context) if inverse else value
        log_a, b = self._log_scale_and_shift(eps, context)
        return eps if inverse else log_a.exp() * eps + b, log_a.sum(-1)

    def _log_scale_and_shift(self, eps: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        m, *rest = widen(self.net(eps, context)).unbind(-2)
        if self.form == "shift":
            return torch.zeros_like(m), -m
        (s,) = rest
        if self.form == "gated":
            return F.logsigmoid(s + OPEN), torch.sigmoid(-(s + OPEN)) * m
        log_a = -bounded(s, STEP_LIMIT)
        return log_a, -log_a.exp() * m

    def _invert(self, z: Tensor, context: Tensor | None) -> Tensor:
        """ε coordinate by coordinate: each needs those before it."""
        eps = torch.zeros_like(z)
        here = torch.eye(self.net.n, dtype=torch.bool, device=z.device)
        for i in self.net.order:
            log_a, b = self._log_scale_and_shift(eps, context)
            eps = torch.where(here[i], (z - b) * (-log_a).exp(), eps)
        return eps
