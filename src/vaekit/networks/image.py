"""What all image networks share: fields, sizes, dense ends and where the context joins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from vaekit.errors import ConfigError
from vaekit.networks.mlp import Activation, dense_stack
from vaekit.networks.network import flat_size
from vaekit.networks.resample import Size, default_depth, ladder
from vaekit.spec import Spec, Within

__all__ = ["ImageDecoder", "ImageEncoder", "ImageNetwork", "Stage", "channels_last"]

MAX_STAGES = 32
Stage = tuple[int, int, Size]
"""Channels on the image's side and on the code's side; height and width on the image's side."""


class ImageNetwork(Spec):
    """Base of the specs of image networks: stages down to a small grid, then dense layers.

    A subclass gives the stages of both directions and the width of the first one.
    """

    channels: tuple[Annotated[int, Within(1, 4096)], ...] | None = None
    hidden: tuple[Annotated[int, Within(1, 65_536)], ...] = (256,)
    activation: Activation = "relu"
    kernel: Annotated[int, Within(1, 15)] = 3

    activates_grid: ClassVar[bool] = True
    """Whether the decoder's stages start from activated dense layers."""

    def validate(self) -> None:  # noqa: D102
        if self.kernel % 2 == 0:
            raise ConfigError(
                "the kernel needs a centre",
                expected="an odd number",
                got=self.kernel,
                where=f"{self.kind}.kernel",
            )
        if self.channels is not None and not 1 <= len(self.channels) <= MAX_STAGES:
            raise ConfigError(
                "the number of stages is out of bounds",
                expected=f"1 to {MAX_STAGES} of them",
                got=len(self.channels),
                where=f"{self.kind}.channels",
                remedy="for a network without convolutions use 'mlp'",
            )

    def encoder(self, event_shape: Sequence[int], *, context_dim: int = 0) -> ImageEncoder:
        """A module (B, C, H, W) → (B, features).

        Raises:
            ConfigError: If the event is not an image (C, H, W).
        """
        stages, grid = self._plan(event_shape)
        return ImageEncoder(self, self.down(stages), grid, context_dim=context_dim)

    def decoder(
        self, latent_shape: Sequence[int], params_shape: Sequence[int], *, context_dim: int = 0
    ) -> ImageDecoder:
        r"""A module (N, \*latent) → (N, C, H, W).

        Raises:
            ConfigError: If the parameters are not shaped like an image (C, H, W).
        """
        stages, grid = self._plan(params_shape)
        size = flat_size(latent_shape) + context_dim
        return ImageDecoder(self, self.up(stages), grid, size)

    @property
    def first_width(self) -> int:
        """Channels of the first stage where ``channels`` is None."""
        return 32

    def down(self, stages: Sequence[Stage]) -> nn.Sequential:
        """The encoder's stages, from the image to the grid."""
        raise NotImplementedError

    def up(self, stages: Sequence[Stage]) -> nn.Sequential:
        """The decoder's stages, from the grid to the image; ``stages`` as in :meth:`down`."""
        raise NotImplementedError

    def _plan(self, shape: Sequence[int]) -> tuple[list[Stage], tuple[int, ...]]:
        n, size = self._image(shape)
        channels = (n, *(self.channels or self._default_channels(size)))
        sizes = ladder(size, len(channels) - 1)
        stages = list(zip(channels, channels[1:], sizes, strict=False))
        return stages, (channels[-1], *sizes[-1])

    def _default_channels(self, size: Size) -> tuple[int, ...]:
        return tuple(self.first_width * 2 ** min(i, 3) for i in range(default_depth(size)))

    def _image(self, shape: Sequence[int]) -> tuple[int, Size]:
        if len(shape) != 3 or min(shape) < 1:
            raise ConfigError(
                "this network is for images",
                expected="a shape (channels, height, width)",
                got=tuple(shape),
                where=self.kind,
                remedy="use the network 'mlp', which takes any shape, or give the data the axis "
                "it lacks: a grey image is (1, height, width)",
            )
        n, height, width = shape
        return n, (height, width)


def channels_last(h: Tensor) -> Tensor:
    """The same values with the channels innermost in memory, where convolutions run faster."""
    # A single channel counts as contiguous either way, and would pull what follows to NCHW.
    return h.clone(memory_format=torch.channels_last)


class ImageEncoder(nn.Module):
    r"""Convolutional stages, then dense layers that also read the context.

    Args:
        spec: What it is built from.
        stages: (B, C, H, W) → (B, \*grid).
        grid: Shape (C', H', W') after the stages.
        context_dim: Size of the context.
    """

    def __init__(
        self, spec: ImageNetwork, stages: nn.Sequential, grid: Sequence[int], *, context_dim: int
    ) -> None:
        super().__init__()
        self.spec = spec
        self.stages = stages
        sizes = (flat_size(grid) + context_dim, *spec.hidden)
        self.head = dense_stack(sizes, activation=spec.activation, last=True)

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Features (B, hidden[-1]), or the flat grid and the context without dense layers."""
        h = self.stages(channels_last(x)).flatten(1)
        return self.head(h if c is None else torch.cat([h, c], -1))


class ImageDecoder(nn.Module):
    r"""Dense layers that read the code and the context, then convolutional stages.

    Args:
        spec: What it is built from.
        stages: (N, \*grid) → (N, \*params).
        grid: Shape (C', H', W') before the stages.
        size: Size of the flat code and the context together.
    """

    def __init__(
        self, spec: ImageNetwork, stages: nn.Sequential, grid: Sequence[int], size: int
    ) -> None:
        super().__init__()
        self.spec = spec
        self.grid = tuple(grid)
        sizes = (size, *reversed(spec.hidden), flat_size(grid))
        self.stem = dense_stack(sizes, activation=spec.activation, last=spec.activates_grid)
        self.stages = stages

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        r"""Likelihood parameters of shape (N, \*params), raw."""
        h = z.flatten(1)
        h = self.stem(h if c is None else torch.cat([h, c], -1)).unflatten(1, self.grid)
        params: Tensor = self.stages(channels_last(h))
        return params.contiguous()
