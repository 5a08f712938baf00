"""The density of a normal that went through an invertible function, a normalising flow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from vaekit.distributions.density import JointDensity
from vaekit.distributions.normal import Normal, mirrored_draws

__all__ = ["Flow", "FlowChain", "FlowDensity"]


class Flow(nn.Module):
    r"""Base of invertible functions :math:`z = f(\epsilon; h)` of vectors."""

    def forward(
        self, value: Tensor, context: Tensor | None = None, *, inverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        r"""The function or its inverse, and :math:`\log |\det \partial z / \partial \epsilon|`.

        Args:
            value: ε, or z for the inverse, shape ``(*batch, n)``.
            context: What the function depends on besides, shape ``(*some of batch, k)``.
            inverse: Whether z is given and ε wanted; the log-determinant is the same.

        Returns:
            The other value, shape ``(*batch, n)``, and the log-determinant, ``(*batch,)``.
        """
        raise NotImplementedError


class FlowChain(Flow):
    """Flows one after the other, all with the same context."""

    def __init__(self, steps: Iterable[Flow]) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)

    def forward(  # noqa: D102
        self, value: Tensor, context: Tensor | None = None, *, inverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        total = value.new_zeros(())
        for step in reversed(self.steps) if inverse else self.steps:
            value, log_det = step(value, context, inverse=inverse)
            total = total + log_det
        return value, total


class FlowDensity(JointDensity):
    r"""The density of :math:`z = f(\epsilon; h)` with ε from a diagonal normal, in nats.

    .. math:: \log q(z) = \log N(\epsilon; \mu, \sigma^2) - \log |\det \partial z/\partial\epsilon|

    A draw gives its log density on the way; that of any other value needs the inverse of f.

    Mean and standard deviation have no closed form: they are those of 64 draws with fixed noise,
    32 and their mirror images about the normal's mean. So they are functions of the density alone,
    the same in every call and whatever else is in the batch, and exact where f is linear.

    Args:
        base: The normal.
        flow: The function.
        context: h.
        frozen: Whether the flow's parameters are held constant.

    References:
        Variational Inference with Normalizing Flows (Rezende & Mohamed, 2015), arXiv:1505.05770.
    """

    __slots__ = ("base", "context", "flow", "frozen")
    draws_with_log_prob = True

    def __init__(
        self, base: Normal, flow: Flow, context: Tensor | None = None, *, frozen: bool = False
    ) -> None:
        self.base = base
        self.flow = flow
        self.context = context
        self.frozen = frozen
        self.event_dims = 1

    @property
    def batch_shape(self) -> torch.Size:  # noqa: D102
        return self.base.batch_shape

    def log_prob(self, value: Tensor) -> Tensor:  # noqa: D102
        eps, log_det = self._through(value, inverse=True)
        return self.base.log_prob(eps) - log_det

    def rsample(self, shape: Sequence[int] = ()) -> Tensor:  # noqa: D102
        return self._through(self.base.rsample(shape))[0]

    def rsample_and_log_prob(self, shape: Sequence[int] = ()) -> tuple[Tensor, Tensor]:
        """Draws and their log density (nats), without an inverse."""
        eps = self.base.rsample(shape)
        z, log_det = self._through(eps)
        return z, self.base.log_prob(eps) - log_det

    @property
    def mean(self) -> Tensor:
        """The mean of 64 fixed draws, shape ``(*batch, n)``."""
        return self._fixed_draws().mean(0)

    @property
    def stddev(self) -> Tensor:
        """The standard deviation of 64 fixed draws, shape ``(*batch, n)``."""
        return self._fixed_draws().std(0)

    def _fixed_draws(self) -> Tensor:
        return self._through(mirrored_draws(self.base))[0]

    def _through(self, value: Tensor, *, inverse: bool = False) -> tuple[Tensor, Tensor]:
        if not self.frozen:
            return self.flow(value, self.context, inverse=inverse)
        constants = {name: p.detach() for name, p in self.flow.named_parameters()}
        return functional_call(self.flow, constants, (value, self.context), {"inverse": inverse})

    def detach(self) -> FlowDensity:
        """The same density, cut from the graph at the normal, the context and the flow."""
        context = None if self.context is None else self.context.detach()
        return FlowDensity(self.base.detach(), self.flow, context, frozen=True)
