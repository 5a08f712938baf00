"""What a network is: features from data on the way in, likelihood parameters on the way out.

A network *spec* describes one architecture from the side of the data and builds both directions,
the decoder mirroring the encoder. Any ``nn.Module`` of the user's can stand in for either.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from vaekit.errors import ConfigError, ShapeError, VaekitError

__all__ = ["NetworkSpec", "accepts_context", "call_network", "check_decoder", "probe_features"]

PROBES = 2


@runtime_checkable
class NetworkSpec(Protocol):
    """A spec whose kind begins with ``network/``."""

    def encoder(self, event_shape: Sequence[int], *, context_dim: int = 0) -> nn.Module:
        r"""A module (B, \*event) [, (B, context_dim)] → (B, features)."""
        ...

    def decoder(
        self, latent_shape: Sequence[int], params_shape: Sequence[int], *, context_dim: int = 0
    ) -> nn.Module:
        r"""A module (N, \*latent) [, (N, context_dim)] → (N, \*params)."""
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

    The pass leaves no trace: no gradient, no change of modes, of running statistics or of the
    random state. It works on meta tensors too.

    Raises:
        ConfigError: If there is a context but the network does not take one.
        ShapeError: If the network fails on such data, or its output is not (B, features).

    Example:
        >>> probe_features(nn.Flatten(), (1, 8, 8), context_dim=0)
        64
    """
    h = _probe(network, event_shape, context_dim, argument="x")
    if not _is_batch(h) or h.dim() != 2 or h.shape[1] == 0:
        raise ShapeError(
            "the encoder must return features",
            expected="floating-point numbers of shape (B, features)",
            got=_brief(h),
            where=type(network).__name__,
            remedy="end it with nn.Flatten()",
        )
    return int(h.shape[1])


def check_decoder(
    network: nn.Module,
    latent_shape: Sequence[int],
    params_shape: Sequence[int],
    *,
    context_dim: int,
) -> None:
    r"""Refuse a decoder whose output is not what the likelihood reads, by one pass on zeros.

    Args:
        network: (N, \*latent) [, (N, context_dim)] → (N, \*params).
        latent_shape: Shape of one code.
        params_shape: Shape of what the likelihood reads for one observation.
        context_dim: Size of the context, 0 for none.

    Raises:
        ConfigError: If there is a context but the network does not take one.
        ShapeError: If the network fails on such codes, or its output has another shape.

    Example:
        >>> decoder = nn.Sequential(nn.Linear(2, 64), nn.Unflatten(1, (1, 8, 8)))
        >>> check_decoder(decoder, (2,), (1, 8, 8), context_dim=0)
    """
    params = _probe(network, latent_shape, context_dim, argument="z")
    if not _is_batch(params) or tuple(params.shape[1:]) != tuple(params_shape):
        raise ShapeError(
            "the decoder does not return what the likelihood reads",
            expected=f"floating-point numbers of shape {_batched('N', params_shape)}",
            got=_brief(params),
            where=type(network).__name__,
            remedy=f"let it return {flat_size(params_shape)} numbers for each code and end with "
            f"nn.Unflatten(1, {tuple(params_shape)})",
        )


def _probe(network: nn.Module, shape: Sequence[int], context_dim: int, *, argument: str) -> Any:
    """What the network returns for two examples of zeros."""
    name = type(network).__name__
    if context_dim and not accepts_context(network):
        raise ConfigError(
            f"the model has a context but {name}.forward takes none",
            expected=f"forward({argument}, c)",
            got=f"forward{inspect.signature(network.forward)}",
        )
    value = torch.zeros(PROBES, *shape, **_options(network))
    c = value.new_zeros(PROBES, context_dim) if context_dim else None
    with _undisturbed(network, value.device):
        try:
            return call_network(network, value, c)
        except VaekitError:
            raise
        except (AssertionError, IndexError, RuntimeError, TypeError, ValueError) as error:
            raise ShapeError(
                f"the network fails on {argument}: {error}",
                expected=f"{argument} of shape {_batched('B', shape)} to be accepted"
                + (f" with a context of shape (B, {context_dim})" if context_dim else ""),
                where=name,
            ) from error


def _options(network: nn.Module) -> dict[str, Any]:
    """Number type and device of a network, the defaults where it has no tensors."""
    tensors = itertools.chain(network.parameters(), network.buffers())
    first = next((t for t in tensors if t.is_floating_point()), None)
    return {} if first is None else {"dtype": first.dtype, "device": first.device}


@contextlib.contextmanager
def _undisturbed(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Evaluation without gradients, after which modes and random states are as before."""
    modes = [(module, module.training) for module in network.modules()]
    accelerators = [] if device.type in ("cpu", "meta") else [device]
    kind = accelerators[0].type if accelerators else "cuda"
    network.eval()
    try:
        with torch.random.fork_rng(accelerators, device_type=kind), torch.no_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


def _is_batch(value: Any) -> bool:
    is_float = isinstance(value, Tensor) and value.is_floating_point()
    return is_float and value.dim() > 0 and len(value) == PROBES


def _brief(value: Any) -> str:
    if not isinstance(value, Tensor):
        return type(value).__name__
    kind = "" if value.is_floating_point() else f" of {value.dtype}"
    return f"{tuple(value.shape)}{kind} for a batch of {PROBES}"


def _batched(batch: str, shape: Sequence[int]) -> str:
    return f"({', '.join([batch, *map(str, shape)])})"


def flat_size(shape: Sequence[int]) -> int:
    """How many numbers a shape holds."""
    return math.prod(shape)
