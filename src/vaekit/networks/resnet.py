"""Residual encoders and decoders for images, of any depth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from vaekit.networks.image import (
    Down,
    ImageDecoder,
    ImageEncoder,
    Size,
    Up,
    check_stages,
    ladder,
    read_image_shape,
    scaled_normal_,
    widths,
)
from vaekit.networks.mlp import ACTIVATIONS, Activation
from vaekit.spec import Spec, Within

__all__ = ["ResNet", "Residual"]


class ResNet(Spec, kind="network/resnet"):
    """Pre-activation residual blocks between resampling convolutions; the decoder mirrors it.

    Each stage resamples (as in :class:`~vaekit.networks.Conv`) and then refines the image with
    ``blocks`` residual blocks. With N blocks in all, each branch starts with variance 1/N, so
    activations stay of order one at any depth, and no parameter starts without a gradient. The
    normalisation looks at one example at a time: no result depends on batch mates.

    Args:
        width: Channels of the first stage when ``channels`` is None; doubled at each stage up to
            eightfold.
        blocks: Residual blocks of each stage.
        channels: Channels of each stage; None takes as many stages as bring every side down to 6.
        hidden: Widths of the dense layers between the grid and the features; may be none.
        activation: One of :data:`~vaekit.networks.ACTIVATIONS`.
        norm: ``"group"`` normalisation (at most 8 groups of at least 4 channels) or ``"none"``.
        kernel: Side of the convolutions, odd.

    Raises:
        ConfigError: If the kernel is even, or the data are not images (C, H, W).

    References:
        Identity Mappings in Deep Residual Networks (He, Zhang, Ren & Sun, 2016), arXiv:1603.05027.
        Group Normalization (Wu & He, 2018), arXiv:1803.08494.
        Very Deep VAEs Generalize Autoregressive Models (Child, 2021), arXiv:2011.10650, for the
        1/N of the branches.

    Example:
        >>> net = ResNet(width=8, blocks=1)
        >>> net.encoder((1, 13, 7))(torch.zeros(4, 1, 13, 7)).shape
        torch.Size([4, 256])
        >>> net.decoder((2,), (2, 13, 7))(torch.zeros(4, 2)).shape
        torch.Size([4, 2, 13, 7])
    """

    width: Annotated[int, Within(4, 1024)] = 32
    blocks: Annotated[int, Within(0, 1000)] = 2
    channels: tuple[Annotated[int, Within(4, 4096)], ...] | None = None
    hidden: tuple[Annotated[int, Within(1, 65_536)], ...] = (256,)
    activation: Activation = "silu"
    norm: Literal["group", "none"] = "group"
    kernel: Annotated[int, Within(1, 15)] = 3

    def validate(self) -> None:  # noqa: D102
        check_stages(self.channels, self.kernel, where=self.kind)

    def encoder(self, event_shape: Sequence[int], *, context_dim: int = 0) -> ImageEncoder:
        """A module (B, C, H, W) → (B, features)."""
        n, size = read_image_shape(event_shape, where=self.kind)
        channels = widths(self.channels, size, first=self.width)
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
        channels = widths(self.channels, size, first=self.width)
        sizes = ladder(size, len(channels))
        return ImageDecoder(
            self,
            self._up((n, *channels), sizes),
            (channels[-1], *sizes[-1]),
            latent_shape=latent_shape,
            hidden=self.hidden,
            activation=self.activation,
            activate_grid=False,
            context_dim=context_dim,
        )

    def _down(self, channels: Sequence[int], sizes: Sequence[Size]) -> nn.Sequential:
        layers: list[nn.Module] = []
        for (n_in, n_out), size in zip(pairwise(channels), sizes, strict=False):
            layers += [Down(n_in, n_out, size, kernel=self.kernel), *self._refine(n_out, channels)]
        return nn.Sequential(*layers, *self._activate(channels[-1]))

    def _up(self, channels: Sequence[int], sizes: Sequence[Size]) -> nn.Sequential:
        layers: list[nn.Module] = []
        for (n_out, n_in), size in reversed(list(zip(pairwise(channels), sizes, strict=False))):
            layers += [*self._refine(n_in, channels), Up(n_in, n_out, size, kernel=self.kernel)]
        return nn.Sequential(*layers[:-1], *self._activate(channels[1]), layers[-1])

    def _refine(self, n: int, channels: Sequence[int]) -> list[nn.Module]:
        total = self.blocks * (len(channels) - 1)
        return [Residual(self, n, total=total) for _ in range(self.blocks)]

    def _activate(self, n: int) -> list[nn.Module]:
        norm = [nn.GroupNorm(groups(n), n)] if self.norm == "group" else []
        return [*norm, ACTIVATIONS[self.activation]()]


class Residual(nn.Module):
    """h + branch(h), the branch being twice (normalise, activate, convolve).

    Args:
        spec: Activation, normalisation and kernel.
        n: Channels in and out.
        total: Blocks N of the whole network; the branch starts with variance 1/N.
    """

    def __init__(self, spec: ResNet, n: int, *, total: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            *spec._activate(n), _same(n, spec.kernel, 1.0), *spec._activate(n), _same(n, spec.kernel, 1 / total)
        )

    def forward(self, h: Tensor) -> Tensor:
        """(B, n, H, W) → (B, n, H, W)."""
        return h + self.branch(h)
