"""Multi-layer perceptrons: dense encoders and decoders for data of any shape."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from vaekit.networks.network import flat_size
from vaekit.spec import Spec, Within

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "Activation",
    "DenseDecoder",
    "DenseEncoder",
    "dense_stack",
    "gain",
]

Activation = Literal["relu", "silu", "gelu", "tanh", "elu", "leaky-relu", "softplus", "sigmoid"]
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "elu": nn.ELU,
    "leaky-relu": nn.LeakyReLU,
    "softplus": nn.Softplus,
    "sigmoid": nn.Sigmoid,
}


@functools.cache
def gain(activation: str) -> float:
    r"""What an activation a costs in power, :math:`1 / E[a(\epsilon)^2]` with ε ~ N(0, 1).

    Weights of variance gain / inputs after the activation keep the scale of what went before it.

    References:
        Delving Deep into Rectifiers (He, Zhang, Ren & Sun, 2015), arXiv:1502.01852, for relu.

    Example:
        >>> round(gain("relu"), 6)
        2.0
    """
    x = torch.linspace(-10, 10, 2001, dtype=torch.float64, device="cpu")
    density = torch.exp(-0.5 * x.square())
    power = (density * ACTIVATIONS[activation]()(x).square()).sum() / density.sum()
    return 1 / power.item()


def dense_stack(
    sizes: Sequence[int], *, activation: str | Callable[[], nn.Module], last: bool = False
) -> nn.Sequential:
    """Linear layers between consecutive sizes, activated in between (and after the last)."""
    activate = ACTIVATIONS[activation] if isinstance(activation, str) else activation
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), activate()]
    return nn.Sequential(*(layers if last else layers[:-1]))


class MLP(Spec, kind="network/mlp"):
    """Dense layers of any widths; the decoder mirrors the encoder.

    Args:
        hidden: Widths from the data's side to the code's; none makes both directions linear.
        activation: One of :data:`ACTIVATIONS`.

    Example:
        >>> net = MLP(hidden=(256, 128)).encoder((1, 28, 28))
        >>> net(torch.zeros(4, 1, 28, 28)).shape
        torch.Size([4, 128])
    """

    hidden: tuple[Annotated[int, Within(1, 65_536)], ...] = (256, 128)
    activation: Activation = "relu"

    def encoder(self, event_shape: Sequence[int], *, context_dim: int = 0) -> DenseEncoder:
        r"""A module (B, \*event) → (B, features)."""
        return DenseEncoder(self, event_shape, context_dim)

    def decoder(
        self, latent_shape: Sequence[int], params_shape: Sequence[int], *, context_dim: int = 0
    ) -> DenseDecoder:
        r"""A module (N, \*latent) → (N, \*params)."""
        return DenseDecoder(self, latent_shape, params_shape, context_dim)


class DenseEncoder(nn.Module):
    """Flattens x, appends the context, and applies the dense layers."""

    def __init__(self, spec: MLP, event_shape: Sequence[int], context_dim: int) -> None:
        super().__init__()
        self.spec = spec
        sizes = (flat_size(event_shape) + context_dim, *spec.hidden)
        self.layers = dense_stack(sizes, activation=spec.activation, last=True)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Features of shape (B, hidden[-1])."""
        h = x.flatten(1)
        return self.layers(h if c is None else torch.cat([h, c], -1))


class DenseDecoder(nn.Module):
    """Flattens z, appends the context, applies the dense layers and shapes the result."""

    def __init__(
        self,
        spec: MLP,
        latent_shape: Sequence[int],
        params_shape: Sequence[int],
        context_dim: int,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.params_shape = tuple(params_shape)
        sizes = (
            flat_size(latent_shape) + context_dim,
            *reversed(spec.hidden),
            flat_size(params_shape),
        )
        self.layers = dense_stack(sizes, activation=spec.activation)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        r"""Likelihood parameters of shape (N, \*params)."""
        h = z.flatten(1)
        params = self.layers(h if c is None else torch.cat([h, c], -1))
        return params.reshape(len(h), *self.params_shape)
