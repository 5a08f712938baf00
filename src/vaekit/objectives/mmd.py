r"""The maximum mean discrepancy between two samples, and draws of the prior to compare with.

.. math::
    \mathrm{MMD}^2 = E\, k(z, z') + E\, k(\tilde z, \tilde z') - 2\, E\, k(z, \tilde z)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from vaekit.distributions import Density
from vaekit.models import Node
from vaekit.objectives.fixed import require_fixed

__all__ = ["Kernel", "mmd", "prior_draws", "trained_draws"]

Kernel = Literal["imq", "gaussian", "polynomial"]
DRAWS_ALONE = "this objective sees its draws alone, without a gradient"
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def mmd(z: Tensor, other: Tensor, *, kernel: Kernel = "imq") -> Tensor:
    r"""Unbiased estimate (U-statistic) of MMD², a scalar; it may be negative.

    The kernel ``"imq"`` is :math:`\sum_s C_s / (C_s + \|a - b\|^2)` with :math:`C_s = 2 d s` and
    s from 0.1 to 10; ``"gaussian"`` is :math:`\exp(-\|a - b\|^2 / 2d)`; ``"polynomial"`` is
    :math:`(a \cdot b / d + 1)^3`, which compares moments up to the third.

    Args:
        z: A sample, shape (n, d). Where n or m is 1 there are no pairs within, and the value is 0.
        other: Another, shape (m, d).
        kernel: How alike two points are.

    References:
        | A Kernel Two-Sample Test (Gretton, Borgwardt, Rasch, Schölkopf & Smola, 2012, JMLR)
        | Wasserstein Auto-Encoders (Tolstikhin, Bousquet, Gelly & Schölkopf, 2017),
          arXiv:1711.01558, for ``"imq"``.
        | Demystifying MMD GANs (Bińkowski, Sutherland, Arbel & Gretton, 2018), arXiv:1801.01401,
          for ``"polynomial"``.

    Example:
        >>> z = torch.zeros(2, 1)
        >>> round(float(mmd(z, z + 2**0.5, kernel="gaussian")), 4)  # 1 + 1 - 2 / e
        1.2642
    """
    if min(len(z), len(other)) < 2:
        return 0 * (z.sum() + other.sum())
    with torch.autocast(z.device.type, enabled=False):  # products lose differences in half
        return _within(z, kernel) + _within(other, kernel) - 2 * _gram(z, other, kernel).mean()


def _within(z: Tensor, kernel: Kernel) -> Tensor:
    """Mean over all pairs of different rows."""
    gram = _gram(z, z, kernel)
    return (gram.sum() - gram.diagonal().sum()) / (len(z) * (len(z) - 1))


def _gram(a: Tensor, b: Tensor, kernel: Kernel) -> Tensor:
    """k(a, b) for all pairs, shape (n, m)."""
    d = a.shape[-1]
    if kernel == "polynomial":
        return (a @ b.T / d + 1) ** 3
    squares = a.square().sum(-1).unsqueeze(1) + b.square().sum(-1)
    distance = (squares - 2 * a @ b.T).clamp(min=0)
    if kernel == "gaussian":
        return torch.exp(-distance / (2 * d))
    values = [2 * d * s / (2 * d * s + distance) for s in SCALES]
    return torch.stack(values).sum(0)


def prior_draws(node: Node) -> Tensor:
    """As many draws of the prior as there are codes, shape ``(K, B, *latent)``, no gradient."""
    return _beside(node, node.p.sample)


def trained_draws(node: Node) -> Tensor:
    """The same with the prior's gradient, for objectives that train it by nothing else.

    Raises:
        ConfigError: If the prior has parameters that its draws do not train.
    """
    paths = type(node.p).rsample is not Density.rsample
    draws = _beside(node, node.p.rsample if paths else node.p.sample)
    if not draws.requires_grad:
        require_fixed(node, DRAWS_ALONE)
    return draws


def _beside(node: Node, draw: Callable[[Sequence[int]], Tensor]) -> Tensor:
    """Draws as many as codes, whether or not each row has a prior of its own."""
    draws = draw(node.z.shape[:1])
    return draws if draws.shape == node.z.shape else draw(node.z.shape[:2])


def discrepancy(z: Tensor, draws: Tensor, kernel: Kernel) -> Tensor:
    """MMD² between the codes of a batch and draws of the prior, both ``(K, B, *latent)``."""
    return mmd(z.flatten(0, 1).flatten(1), draws.flatten(0, 1).flatten(1), kernel=kernel)
