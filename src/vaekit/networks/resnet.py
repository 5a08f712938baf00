"""Residual encoders and decoders for images, of any depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from torch import Tensor, nn

from vaekit.networks.image import ImageNetwork, Stage
from vaekit.networks.mlp import ACTIVATIONS, Activation, gain
from vaekit.networks.resample import Down, Same, Size, Up, ladder
from vaekit.spec import Within

__all__ = ["ResNet", "Residual"]

MAX_GROUPS = 8
GROUP_SIZE = 4


class ResNet(ImageNetwork, kind="network/resnet"):
    """Pre-activation residual blocks between resampling convolutions; the decoder mirrors it.

    Each stage resamples as in :class:`~vaekit.networks.Conv` and refines the smaller image with
    ``blocks`` residual blocks. With N blocks in all, the branch of each starts with variance 1/N:
    activations stay of order one at any depth, and every parameter has a gradient from the first
    step. The normalisation looks at one example at a time, so no result depends on batch mates.

    Args:
        channels: Channels of each stage; None chooses ``width`` doubled at each stage up to
            eightfold, with as many stages as bring every side down to 6 or less.
        hidden: Widths of the dense layers between the grid and the features; may be none.
        activation: One of :data:`~vaekit.networks.ACTIVATIONS`.
        kernel: Side of the convolutions, odd.
        width: Channels of the first stage where ``channels`` is None.
        blocks: Residual blocks in each stage.
        norm: ``"group"`` for group normalisation (at most 8 groups of at least 4 channels) or
            ``"none"``.

    Raises:
        ConfigError: If the kernel is even, ``channels`` is empty, or the data are not images
            (C, H, W).

    References:
        Identity Mappings in Deep Residual Networks (He, Zhang, Ren & Sun, 2016), arXiv:1603.05027.
        Group Normalization (Wu & He, 2018), arXiv:1803.08494.
        Very Deep VAEs Generalize Autoregressive Models and Can Outperform Them on Images (Child,
        2020), arXiv:2011.10650, for the 1/N of the branches.

    Example:
        >>> import torch
        >>> net = ResNet(width=8, blocks=1)
        >>> net.encoder((1, 13, 7))(torch.zeros(4, 1, 13, 7)).shape
        torch.Size([4, 256])
        >>> net.decoder((2,), (2, 13, 7))(torch.zeros(4, 2)).shape
        torch.Size([4, 2, 13, 7])
    """

    channels: tuple[Annotated[int, Within(GROUP_SIZE, 4096)], ...] | None = None
    activation: Activation = "silu"
    width: Annotated[int, Within(GROUP_SIZE, 512)] = 32
    blocks: Annotated[int, Within(1, 1000)] = 2
    norm: Literal["group", "none"] = "group"

    activates_grid: ClassVar[bool] = False

    @property
    def first_width(self) -> int:
        """Channels of the first stage where ``channels`` is None."""
        return self.width

    def down(self, stages: Sequence[Stage]) -> nn.Sequential:
        """Resample, refine, …, and at the end normalise and activate."""
        layers: list[nn.Module] = []
        for n_in, n_out, size in stages:
            layers.append(Down(n_in, n_out, size, kernel=self.kernel))
            layers += self._refine(n_out, size, len(stages))
        return nn.Sequential(*layers, *before_convolution(self, stages[-1][1]))

    def up(self, stages: Sequence[Stage]) -> nn.Sequential:
        """Refine, resample, …, with a normalisation and activation before the last convolution."""
        layers: list[nn.Module] = []
        for n_out, n_in, size in reversed(stages):
            layers += self._refine(n_in, size, len(stages))
            layers.append(Up(n_in, n_out, size, kernel=self.kernel))
        return nn.Sequential(*layers[:-1], *before_convolution(self, stages[0][1]), layers[-1])

    def _refine(self, n: int, size: Size, stages: int) -> list[nn.Module]:
        halved, total = ladder(size, 1)[-1], self.blocks * stages
        return [Residual(self, n, halved, variance=1 / total) for _ in range(self.blocks)]


class Residual(nn.Module):
    """h + branch(h), where the branch twice normalises, activates and convolves.

    Args:
        spec: Its normalisation, activation and kernel.
        n: Channels in and out.
        size: Height and width.
        variance: What the branch adds at first to an h of variance one.
    """

    def __init__(self, spec: ResNet, n: int, size: Size, *, variance: float) -> None:
        super().__init__()
        power = gain(spec.activation)
        self.branch = nn.Sequential(
            *before_convolution(spec, n),
            Same(n, n, size, kernel=spec.kernel, gain=power),
            *before_convolution(spec, n),
            Same(n, n, size, kernel=spec.kernel, gain=power * variance),
        )

    def forward(self, h: Tensor) -> Tensor:
        """(B, n, H, W) → (B, n, H, W)."""
        return h + self.branch(h)


def before_convolution(spec: ResNet, n: int) -> list[nn.Module]:
    """Normalisation, if any, and activation."""
    norm = [nn.GroupNorm(groups(n), n)] if spec.norm == "group" else []
    return [*norm, ACTIVATIONS[spec.activation]()]


def groups(n: int) -> int:
    """The most groups, up to 8, that split n channels evenly into four or more each.

    Example:
        >>> [groups(n) for n in (4, 8, 12, 30, 32, 256)]
        [1, 2, 3, 6, 8, 8]
    """
    return max(g for g in range(1, MAX_GROUPS + 1) if n % g == 0 and n // g >= min(n, GROUP_SIZE))
