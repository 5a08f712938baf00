"""What a prior is, and the two simplest: N(0, I), and a normal that depends on the context."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from torch import Tensor, nn

from vaekit.distributions import Density, Normal, StandardNormal
from vaekit.errors import ConfigError
from vaekit.networks.mlp import dense_stack
from vaekit.spec import Spec, Within

__all__ = [
    "ConditionalNormal",
    "ConditionalNormalPrior",
    "Prior",
    "Standard",
    "StandardPrior",
]


class Prior(nn.Module):
    """Base of prior modules: ``prior(context)`` returns a density over ``latent_shape``.

    Attributes:
        space: Where codes live, in words; a model's posterior must be over the same space.
        is_exact: Whether its densities give log p(z) itself, not a lower bound in expectation.
    """

    space = "reals"
    is_exact = True

    def __init__(self, spec: Spec, latent_shape: Sequence[int]) -> None:
        super().__init__()
        self.spec = spec
        self.latent_shape = tuple(latent_shape)

    def forward(self, context: Tensor | None = None) -> Density:
        """The density p(z|c); with a context of shape (B, k) its batch shape may be (B,)."""
        raise NotImplementedError


class Standard(Spec, kind="prior/standard"):
    """The standard normal prior N(0, I).

    Example:
        >>> Standard().build(latent_shape=(2,))().sample((5,)).shape
        torch.Size([5, 2])
    """

    def build(self, *, latent_shape: Sequence[int], context_dim: int = 0) -> StandardPrior:
        """The module for codes of ``latent_shape``."""
        return StandardPrior(self, latent_shape)


class StandardPrior(Prior):
    """The module of :class:`Standard`; it has no parameters and ignores the context."""

    like: Tensor

    def __init__(self, spec: Standard, latent_shape: Sequence[int]) -> None:
        super().__init__(spec, latent_shape)
        self.register_buffer("like", torch.zeros(self.latent_shape))

    def forward(self, context: Tensor | None = None) -> StandardNormal:
        """N(0, I) over ``latent_shape``."""
        return StandardNormal(self.like)


class ConditionalNormal(Spec, kind="prior/conditional-normal"):
    """A diagonal normal whose mean and scale are functions of the context, p(z|c).

    Args:
        hidden: Widths of the hidden layers of that function; none makes it linear.

    References:
        Learning Structured Output Representation using Deep Conditional Generative Models
        (Sohn, Lee & Yan, 2015).
    """

    hidden: tuple[Annotated[int, Within(1, 65_536)], ...] = ()

    def build(
        self, *, latent_shape: Sequence[int], context_dim: int = 0
    ) -> ConditionalNormalPrior:
        """The module; needs a context.

        Raises:
            ConfigError: If the model has no context.
        """
        if not context_dim:
            raise ConfigError(
                "a conditional prior needs a context",
                where=self.kind,
                remedy="give the model a context (for example labels), or use prior 'standard'",
            )
        return ConditionalNormalPrior(self, latent_shape, context_dim)


class ConditionalNormalPrior(Prior):
    """The module of :class:`ConditionalNormal`; starts as N(0, I) for every context."""

    def __init__(
        self, spec: ConditionalNormal, latent_shape: Sequence[int], context_dim: int
    ) -> None:
        super().__init__(spec, latent_shape)
        size = 2 * self.latent_shape[0]
        self.net = dense_stack((context_dim, *spec.hidden, size), activation="silu")
        last = self.net[-1]
        nn.init.zeros_(last.weight)  # type: ignore[arg-type]
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(self, context: Tensor | None = None) -> Normal:
        """N(μ(c), σ(c)²) with batch shape ``context.shape[:-1]``."""
        if context is None:
            raise ConfigError("this prior needs a context", remedy="pass c")
        loc, log_scale = self.net(context).chunk(2, dim=-1)
        return Normal.from_log_scale(loc, log_scale)
