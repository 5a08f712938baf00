"""Networks behind one another, with a narrow code in between, as greedy training builds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from torch import Tensor, nn

from vaekit.networks.mlp import MLP
from vaekit.networks.network import call_network, probe_features
from vaekit.spec import Role, Spec, Within

__all__ = ["Stack", "StackDecoder", "StackEncoder"]


class Stack(Spec, kind="network/stack"):
    r"""An outer network of the data and an inner one of its codes.

    .. math:: x \to \text{outer} \to h \in \mathbb R^{\text{width}} \to \text{inner} \to z

    and back in mirror image. Each pair of halves can be trained by itself first, the outer one as
    an autoencoder of x with code h, the inner one as a model of these codes; stacks nest.

    Args:
        outer: The network next to the data.
        inner: The network next to the code z.
        width: Dimension of h.

    References:
        | Reducing the Dimensionality of Data with Neural Networks (Hinton & Salakhutdinov, 2006),
          Science 313.
        | Greedy Layer-Wise Training of Deep Networks (Bengio, Lamblin, Popovici & Larochelle,
          2007), NeurIPS.

    Example:
        >>> import torch
        >>> spec = Stack(outer=MLP(hidden=(32,)), inner=MLP(hidden=(16,)), width=4)
        >>> spec.encoder((10,))(torch.zeros(3, 10)).shape, spec.decoder((2,), (10,))(
        ...     torch.zeros(3, 2)
        ... ).shape
        (torch.Size([3, 16]), torch.Size([3, 10]))
    """

    outer: Annotated[Any, Role("network")] = MLP(hidden=(64, 64))
    inner: Annotated[Any, Role("network")] = MLP(hidden=(64, 64))
    width: Annotated[int, Within(1, 65_536)] = 16

    def encoder(self, event_shape: Sequence[int], *, context_dim: int = 0) -> StackEncoder:
        r"""A module (B, \*event) → (B, features)."""
        return StackEncoder(self, event_shape, context_dim)

    def decoder(
        self, latent_shape: Sequence[int], params_shape: Sequence[int], *, context_dim: int = 0
    ) -> StackDecoder:
        r"""A module (N, \*latent) → (N, \*params)."""
        return StackDecoder(self, latent_shape, params_shape, context_dim)


class StackEncoder(nn.Module):
    """Outer encoder, code, inner encoder; a context is read by both."""

    def __init__(self, spec: Stack, event_shape: Sequence[int], context_dim: int) -> None:
        super().__init__()
        self.spec = spec
        self.outer = spec.outer.encoder(event_shape, context_dim=context_dim)
        features = probe_features(self.outer, event_shape, context_dim=context_dim)
        self.code = nn.Linear(features, spec.width)
        self.inner = spec.inner.encoder((spec.width,), context_dim=context_dim)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Features of shape (B, features of the inner encoder)."""
        return call_network(self.inner, self.code(call_network(self.outer, x, c)), c)


class StackDecoder(nn.Module):
    """Inner decoder, outer decoder; a context is read by both."""

    def __init__(
        self,
        spec: Stack,
        latent_shape: Sequence[int],
        params_shape: Sequence[int],
        context_dim: int,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.inner = spec.inner.decoder(latent_shape, (spec.width,), context_dim=context_dim)
        self.outer = spec.outer.decoder((spec.width,), params_shape, context_dim=context_dim)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        r"""Likelihood parameters of shape (N, \*params)."""
        return call_network(self.outer, call_network(self.inner, z, c), c)
