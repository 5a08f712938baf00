"""Corruptions: what the encoder sees in training in place of clean observations.

A model with a corruption is *denoising*: it encodes a damaged x and is scored on the clean one.
Any ``nn.Module`` of the user's x → x̃ that is the identity in evaluation can stand in for one.
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor, nn

from vaekit.distributions import standard_normal, uniform
from vaekit.errors import ConfigError
from vaekit.spec import Spec, Within

__all__ = ["Corruption", "GaussianNoise", "Masking", "SaltAndPepper"]

Rate = Annotated[float, Within(0.0, 1.0)]


class Corruption(Spec):
    """Base of corruptions: frozen values that say how x is damaged, element by element."""

    def build(self) -> CorruptionModule:
        """The module, without parameters."""
        return CorruptionModule(self)

    def corrupt(self, x: Tensor) -> Tensor:
        r"""One draw of x̃ given x, both of shape (B, \*event)."""
        raise NotImplementedError


class CorruptionModule(nn.Module):
    """Corrupts in training mode; the identity in evaluation."""

    def __init__(self, spec: Corruption) -> None:
        super().__init__()
        self.spec = spec

    def forward(self, x: Tensor) -> Tensor:
        r"""x̃, shape (B, \*event)."""
        return self.spec.corrupt(x) if self.training else x


class GaussianNoise(Corruption, kind="corruption/gaussian"):
    """x̃ = x + σ ε with ε ~ N(0, I); it may leave the range of x, such as [0, 1] of pixels.

    Args:
        scale: σ, in the model's units: of a range of 1 for pixels, of standard deviations for
            standardised columns.

    References:
        Denoising Criterion for Variational Auto-Encoding Framework (Im, Ahn, Memisevic & Bengio,
        2015), arXiv:1511.06406.

    Example:
        >>> GaussianNoise(scale=0.1).build()(torch.zeros(4, 1, 8, 8)).std() > 0
        tensor(True)
    """

    scale: Annotated[float, Within(0.0, 1e3)] = 0.25

    def corrupt(self, x: Tensor) -> Tensor:
        r"""x + σ ε, shape (B, \*event)."""
        return x + self.scale * standard_normal((), like=x, event_dims=x.dim() - 1)


class Masking(Corruption, kind="corruption/masking"):
    """Each element is put to 0 with probability ``rate``; the others stay as they are.

    Args:
        rate: Probability of an element to be lost.

    References:
        Extracting and Composing Robust Features with Denoising Autoencoders (Vincent, Larochelle,
        Bengio & Manzagol, 2008).

    Example:
        >>> Masking(rate=1.0).build()(torch.ones(2, 3)).sum()
        tensor(0.)
    """

    rate: Rate = 0.25

    def corrupt(self, x: Tensor) -> Tensor:
        r"""x with elements at 0, shape (B, \*event)."""
        return torch.where(_uniform(x) < self.rate, torch.zeros_like(x), x)


class SaltAndPepper(Corruption, kind="corruption/salt-and-pepper"):
    """Each element is put to ``low`` or to ``high`` with probability ``rate`` / 2 each.

    Args:
        rate: Probability of an element to be lost.
        low: Pepper, in the model's units.
        high: Salt.

    Raises:
        ConfigError: If ``low`` is not below ``high``.

    References:
        Stacked Denoising Autoencoders (Vincent, Larochelle, Lajoie, Bengio & Manzagol, 2010).

    Example:
        >>> SaltAndPepper(rate=1.0).build()(torch.full((100,), 0.5).view(10, 10)).unique()
        tensor([0., 1.])
    """

    rate: Rate = 0.25
    low: float = 0.0
    high: float = 1.0

    def validate(self) -> None:  # noqa: D102
        if not self.low < self.high:
            raise ConfigError(
                "pepper must be below salt",
                expected=f"low < {self.high}",
                got=self.low,
                where=f"{self.kind}.low",
            )

    def corrupt(self, x: Tensor) -> Tensor:
        r"""x with elements at ``low`` and ``high``, shape (B, \*event)."""
        u = _uniform(x)
        salted = torch.where(u < self.rate, torch.full_like(x, self.high), x)
        return torch.where(u < self.rate / 2, torch.full_like(x, self.low), salted)


def _uniform(x: Tensor) -> Tensor:
    """Uniform draws in [0, 1), one for each element, each row with its own."""
    return uniform((), like=x, event_dims=x.dim() - 1)
