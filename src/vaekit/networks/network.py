"""What a network is: features from data on the way in, likelihood parameters on the way out.

A network *spec* describes one architecture from the side of the data and builds both directions,
the decoder mirroring the encoder. Any ``nn.Module`` of the user's can stand in for either.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from vaekit.errors import ConfigError, ShapeError

__all__ = ["NetworkSpec", "accepts_context", "call_network", "probe_features"]


@runtime_checkable
class NetworkSpec(Protocol):
    """A spec whose kind begins with ``network/``."""

    def encoder(self, event_shape: Sequence[int], *, context_dim: int = 0) -> nn.Module:
        """A module (B, \\*event) [, (B, context_dim)] → (B, features)."""
        ...

    def decoder(
        self, latent_shape: Sequence[int], params_shape: Sequence[int], *, context_dim: int = 0
    ) -> nn.Module:
        """A module (N, \\*latent) [, (N, context_dim)] → (N, \\*params)."""
        ...


def accepts_context(network: nn.Module) -> bool:
    """Whether ``network.forward`` takes a second positional argument, the context."""
    parameters = list(inspect.signature(network.forward).parameters.values())
    positional = [
        p
        for p in parameters
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL)
    ]
    return len(positional) > 1 or any(p.kind is p.VAR_POSITIONAL for p in positional)


def call_network(network: nn.Module, x: Tensor, c: Tensor | None) -> Tensor:
    """``network(x)`` or ``network(x, c)``."""
    return network(x) if c is None else network(x, c)


def probe_features(network: nn.Module, event_shape: Sequence[int], *, context_dim: int) -> int:
    """How many features an encoder returns for one example, found by one forward pass on zeros.

    Raises:
        ConfigError: If there is a context but the network does not take one.
        ShapeError: If the output is not of shape (B, features).
    """
    name = type(network).__name__
    if context_dim and not accepts_context(network):
        raise ConfigError(
            f"the model has a context but {name}.forward takes none",
            expected="forward(x, c)",
            got=f"forward{inspect.signature(network.forward)}",
        )
    reference = next(iter(network.parameters()), torch.zeros(()))
    x = torch.zeros(2, *event_shape, dtype=reference.dtype, device=reference.device)
    c = x.new_zeros(2, context_dim) if context_dim else None
    was_training = network.training
    network.eval()
    with torch.no_grad():
        try:
            h = call_network(network, x, c)
        except RuntimeError as error:
            raise ShapeError(
                f"{name} cannot read the data: {error}",
                expected=f"input of shape (B, {', '.join(map(str, event_shape))})",
            ) from error
    network.train(was_training)
    if not isinstance(h, Tensor) or h.dim() != 2 or h.shape[0] != 2:
        got = tuple(h.shape) if isinstance(h, Tensor) else type(h).__name__
        raise ShapeError(f"the encoder {name} must return features", expected="(B, features)", got=got)
    return int(h.shape[1])


def flat_size(shape: Sequence[int]) -> int:
    """How many numbers a shape holds."""
    return math.prod(shape)
