"""All weights of a player in one buffer, so that an optimiser step is one kernel, not dozens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["FlatWeights"]

CHANNELS_LAST = (0, 2, 3, 1)


class FlatWeights:
    """One vector that holds the weights of many parameters, which become views of it.

    Optimisers that treat each weight alone (Adam, AdamW, Adamax, SGD) make the same steps on it as
    on the parameters; a parameter that a batch does not reach has a gradient of zero.

    Args:
        parameters: Of one type, on one device; their data is moved.

    Example:
        >>> layer = nn.Linear(2, 3)
        >>> flat = FlatWeights(list(layer.parameters()))
        >>> with torch.no_grad():
        ...     _ = flat.weight.fill_(1.0)
        >>> layer.bias.tolist(), flat.weight.shape
        ([1.0, 1.0, 1.0], torch.Size([9]))
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = list(parameters)
        self._orders = [_order(p) for p in self.parameters]
        self._zeros: dict[int, Tensor] = {}
        self.weight = nn.Parameter(self.join([p.detach() for p in self.parameters]))
        self.gradient = torch.zeros_like(self.weight.data)
        with torch.no_grad():
            sizes = [p.numel() for p in self.parameters]
            pieces = self.weight.detach().split(sizes)
            for parameter, piece, order in zip(self.parameters, pieces, self._orders, strict=True):
                parameter.data = _unflattened(piece, parameter.shape, order)

    @staticmethod
    def suits(parameters: Sequence[nn.Parameter]) -> bool:
        """Whether these parameters can share a buffer: one type, one device, at least one."""
        return len({(p.dtype, p.device) for p in parameters}) == 1

    def join(self, values: Sequence[Tensor | None], *, out: Tensor | None = None) -> Tensor:
        """One value for each parameter as one vector; None stands for zeros."""
        pieces = []
        for parameter, value, order in zip(self.parameters, values, self._orders, strict=True):
            if value is None:
                value = torch.zeros_like(parameter)
            pieces.append((value if order is None else value.permute(order)).reshape(-1))
        return torch.cat(pieces, out=out) if out is not None else torch.cat(pieces)

    def gather(self) -> None:
        """Make the parameters' gradients the gradient of the vector."""
        self.join([p.grad for p in self.parameters], out=self.gradient)
        self.weight.grad = self.gradient

    def release(self) -> None:
        """Give each parameter storage of its own again."""
        for parameter in self.parameters:
            parameter.data = parameter.data.clone()


def _order(parameter: Tensor) -> tuple[int, ...] | None:
    """The order of axes in memory where it is channels-last, None where it is the usual one."""
    usual = torch.empty(parameter.shape, device="meta").stride()
    if parameter.dim() != 4 or parameter.stride() == usual:
        return None
    last = parameter.is_contiguous(memory_format=torch.channels_last)
    return CHANNELS_LAST if last else None


def _unflattened(piece: Tensor, shape: torch.Size, order: tuple[int, ...] | None) -> Tensor:
    if order is None:
        return piece.view(shape)
    return piece.view([shape[axis] for axis in order]).permute(0, 3, 1, 2)
