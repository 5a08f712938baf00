"""Which network to start with, from the shape of the data alone."""

from __future__ import annotations

from collections.abc import Sequence

from vaekit.networks.conv import Conv
from vaekit.networks.mlp import MLP

__all__ = ["default_network"]

SMALL_SIDE = 16


def default_network(event_shape: Sequence[int]) -> Conv | MLP:
    """Convolutions for images (C, H, W) with both sides at least 16, else dense layers.

    Example:
        >>> default_network((1, 28, 28)).kind, default_network((1, 8, 8)).kind
        ('network/conv', 'network/mlp')
    """
    is_image = len(event_shape) == 3 and min(event_shape[1:]) >= SMALL_SIDE
    return Conv() if is_image else MLP(hidden=(256, 128))
