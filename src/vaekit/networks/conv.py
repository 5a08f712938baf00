"""Convolutional encoders and decoders for images of any height, width and number of channels."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from vaekit.networks.image import ImageNetwork, Stage
from vaekit.networks.mlp import ACTIVATIONS, gain
from vaekit.networks.resample import Down, Up

__all__ = ["Conv"]


class Conv(ImageNetwork, kind="network/conv"):
    """Strided convolutions down to a small grid, then dense layers; the decoder mirrors both.

    A stage halves every side that is longer than 6, rounding up. On the way back
    :class:`~vaekit.networks.resample.Up` enlarges to the same sizes, so any height and width is
    met exactly and without checkerboards. The context joins the dense layers.

    Args:
        channels: Channels of each stage; None chooses 32, 64, 128, 256, 256 … with as many stages
            as bring every side down to 6 or less.
        hidden: Widths of the dense layers between the grid and the features; may be none.
        activation: One of :data:`~vaekit.networks.ACTIVATIONS`.
        kernel: Side of the convolutions, odd.

    Raises:
        ConfigError: If the kernel is even, ``channels`` is empty, or the data are not images
            (C, H, W).

    Example:
        >>> import torch
        >>> net = Conv(channels=(8, 16))
        >>> net.encoder((3, 28, 20))(torch.zeros(4, 3, 28, 20)).shape
        torch.Size([4, 256])
        >>> net.decoder((2,), (3, 28, 20))(torch.zeros(4, 2)).shape
        torch.Size([4, 3, 28, 20])
    """

    def down(self, stages: Sequence[Stage]) -> nn.Sequential:
        """Strided convolutions, each followed by the activation."""
        layers: list[nn.Module] = []
        for n_in, n_out, size in stages:
            layers.append(Down(n_in, n_out, size, kernel=self.kernel, gain=gain(self.activation)))
            layers.append(ACTIVATIONS[self.activation]())
        return nn.Sequential(*layers)

    def up(self, stages: Sequence[Stage]) -> nn.Sequential:
        """Enlarging convolutions with the activation between them."""
        layers: list[nn.Module] = []
        for n_out, n_in, size in reversed(stages):
            layers.append(Up(n_in, n_out, size, kernel=self.kernel, gain=gain(self.activation)))
            layers.append(ACTIVATIONS[self.activation]())
        return nn.Sequential(*layers[:-1])
