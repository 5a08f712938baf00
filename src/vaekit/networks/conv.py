"""Convolutional encoders and decoders for images of any height, width and number of channels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

from torch import nn

from vaekit.networks.image import (
    Down,
    ImageDecoder,
    ImageEncoder,
    Size,
    Up,
    check_stages,
    ladder,
    read_image_shape,
    widths,
)
from vaekit.networks.mlp import ACTIVATIONS, Activation
from vaekit.spec import Spec, Within

__all__ = ["Conv"]

FIRST_WIDTH = 32
# Half of a centred activation's power is lost in a rectifier; twice the variance makes up for it.
GAIN = 2.0


class Conv(Spec, kind="network/conv"):
    """Strided convolutions down to a small grid, then dense layers; the decoder mirrors both.

    A stage halves every side that is longer than 6, rounding up. On the way back the image is
    enlarged to the same sizes by nearest-neighbour convolutions (:class:`~vaekit.networks.image.Up`),
    so any height and width is met exactly and without checkerboards. The context joins the dense
    layers.

    Args:
        channels: Channels of each stage; None chooses 32, 64, 128, 256, 256 … with as many stages
            as bring every side down to 6 or less.
        hidden: Widths of the dense layers between the grid and the features; may be none.
        activation: One of :data:`~vaekit.networks.ACTIVATIONS`.
        kernel: Side of the convolutions, odd.

    Raises:
        ConfigError: If the kernel is even, or the data are not images (C, H, W).

    Example:
        >>> net = Conv(channels=(8, 16))
        >>> net.encoder((3, 28, 20))(torch.zeros(4, 3, 28, 20)).shape
        torch.Size([4, 256])
        >>> net.decoder((2,), (3, 28, 20))(torch.zeros(4, 2)).shape
        torch.Size([4, 3, 28, 20])
    """

    channels: tuple[Annotated[int, Within(1, 4096)], ...] | None = None
    hidden: tuple[Annotated[int, Within(1, 65_536)], ...] = (256,)
    activation: Activation = "relu"
    kernel: Annotated[int, Within(1, 15)] = 3

    def validate(self) -> None:  # noqa: D102
        check_stages(self.channels, self.kernel, where=self.kind)

    def encoder(self, event_shape: Sequence[int], *, context_dim: int = 0) -> ImageEncoder:
        """A module (B, C, H, W) → (B, features)."""
        n, size = read_image_shape(event_shape, where=self.kind)
        channels = widths(self.channels, size, first=FIRST_WIDTH)
        sizes = ladder(size, len(channels))
        return ImageEncoder(
            self,
            self._down((n, *channels), sizes),
            (channels[-1], *sizes[-1]),
            hidden=self.hidden,
            activation=self.activation,
            context_dim=context_dim,
        )

    def decoder(
        self, latent_shape: Sequence[int], params_shape: Sequence[int], *, context_dim: int = 0
    ) -> ImageDecoder:
        """A module (N, \\*latent) → (N, C', H, W)."""
        n, size = read_image_shape(params_shape, where=self.kind)
        channels = widths(self.channels, size, first=FIRST_WIDTH)
        sizes = ladder(size, len(channels))
        return ImageDecoder(
            self,
            self._up((n, *channels), sizes),
            (channels[-1], *sizes[-1]),
            latent_shape=latent_shape,
            hidden=self.hidden,
            activation=self.activation,
            activate_grid=True,
            context_dim=context_dim,
        )

    def _down(self, channels: Sequence[int], sizes: Sequence[Size]) -> nn.Sequential:
        layers: list[nn.Module] = []
        for (n_in, n_out), size in zip(pairwise(channels), sizes, strict=False):
            layers.append(Down(n_in, n_out, size, kernel=self.kernel, gain=GAIN))
            layers.append(ACTIVATIONS[self.activation]())
        return nn.Sequential(*layers)

    def _up(self, channels: Sequence[int], sizes: Sequence[Size]) -> nn.Sequential:
        layers: list[nn.Module] = []
        steps = list(zip(pairwise(channels), sizes, strict=False))
        for (n_out, n_in), size in reversed(steps):
            layers.append(Up(n_in, n_out, size, kernel=self.kernel, gain=GAIN))
            layers.append(ACTIVATIONS[self.activation]())
        return nn.Sequential(*layers[:-1])
