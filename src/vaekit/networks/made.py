"""A dense network whose outputs depend on the coordinates before them only (MADE)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["MADE"]


class MaskedLinear(nn.Linear):
    """A linear layer some of whose weights do not exist."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.to(self.weight))

    def forward(self, input: Tensor) -> Tensor:
        """The layer with its masked weights at 0."""
        return F.linear(input, self.weight * self.mask, self.bias)


class MADE(nn.Module):
    r"""Autoregressive network: output i is a function of the inputs before i, and of a context.

    Every unit has a degree: input i has i + 1, hidden units have 0 … n − 1 in equal shares, and a
    unit sees units of lower or equal degree; output i sees hidden units of degree i and below. So
    :math:`\partial f_i / \partial x_j = 0` for j ≥ i, and units of degree 0 see the context alone.
    Before training all outputs are 0.

    Args:
        n: How many coordinates.
        context: Size of the context, 0 for none.
        outputs: How many numbers for each coordinate.
        hidden: Widths of the hidden layers, ELU between them; none makes the network linear.
        reverse: Whether the order is that of the last coordinate first.

    References:
        MADE: Masked Autoencoder for Distribution Estimation (Germain et al., 2015),
        arXiv:1502.03509.

    Example:
        >>> net = MADE(3, context=8, outputs=2, hidden=(16,))
        >>> net(torch.zeros(7, 5, 3), torch.zeros(5, 8)).shape
        torch.Size([7, 5, 2, 3])
    """

    def __init__(
        self,
        n: int,
        *,
        context: int = 0,
        outputs: int = 1,
        hidden: Sequence[int] = (),
        reverse: bool = False,
    ) -> None:
        super().__init__()
        self.n = n
        self.order = tuple(reversed(range(n))) if reverse else tuple(range(n))
        place = torch.tensor(self.order).argsort()
        degrees = [place + 1, *(torch.arange(width) * n // width for width in hidden)]
        masks = [b.unsqueeze(1) >= a for a, b in pairwise(degrees)]
        masks.append(place.repeat(outputs).unsqueeze(1) >= degrees[-1])
        self.layers = nn.ModuleList(MaskedLinear(mask) for mask in masks)
        self.context = nn.Linear(context, len(masks[0]), bias=False) if context else None
        for parameter in (self.layers[-1] if hidden else self).parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Numbers of shape ``(*batch, outputs, n)``.

        Args:
            x: Shape ``(*batch, n)``.
            context: Shape ``(*some of batch, context)``.
        """
        h = self.layers[0](x)
        if self.context is not None:
            h = h + self.context(context)
        for layer in self.layers[1:]:
            h = layer(F.elu(h))
        return h.unflatten(-1, (-1, self.n))
