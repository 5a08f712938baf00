"""Critics: networks that tell two distributions apart."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn

from vaekit.distributions import widen
from vaekit.networks.mlp import dense_stack

__all__ = ["Critic"]

SLOPE = 0.2


class Critic(nn.Module):
    r"""Dense layers with leaky ReLU (slope 0.2) that end in one number, a score.

    Trained by cross-entropy to tell draws of q from as many draws of r, the score is an estimate
    of :math:`\log q(z) - \log r(z)`.

    Args:
        features: Size of a point.
        hidden: Widths of the hidden layers.

    References:
        Generative Adversarial Networks (Goodfellow et al., 2014), arXiv:1406.2661.

    Example:
        >>> import torch
        >>> Critic(3, hidden=(16, 16))(torch.zeros(5, 4, 3)).shape
        torch.Size([5, 4])
    """

    def __init__(self, features: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.layers = dense_stack((features, *hidden, 1), activation=partial(nn.LeakyReLU, SLOPE))

    def forward(self, points: Tensor) -> Tensor:
        r"""Scores of shape (\*batch) of points of shape (\*batch, features)."""
        return widen(self.layers(points)).squeeze(-1)
