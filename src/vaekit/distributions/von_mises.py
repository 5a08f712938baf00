"""Von Mises: a density on the circle, for times of day and other places in a cycle."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from vaekit.distributions.density import Density
from vaekit.distributions.noise import uniform
from vaekit.distributions.sphere import polar_quantile

__all__ = ["VonMises"]

TINY = 1e-12
"""Added to κ², so that κ has a gradient where it is 0; log I₀ changes by a quarter of it."""
BLOCK = 4096
"""For how many elements draws are made at once: each takes a table of half a thousand numbers."""


class VonMises(Density):
    r"""Independent fractions of a cycle, x in [0, 1); a density, in nats.

    .. math:: \log p(x_i) = a_i \cos 2\pi x_i + b_i \sin 2\pi x_i - \log I_0(\kappa_i), \qquad
              \kappa_i = \sqrt{a_i^2 + b_i^2}

    The direction (a, b) is that of the mean, and κ says how close to it x is; 0 is uniform. As a
    density of the fraction, not of the angle, it needs no log 2π. It is periodic: 1 is 0.

    Args:
        cosine: a, shape ``(*batch, *event)``.
        sine: b, of the same shape.
        event_dims: Trailing axes that make up one event.

    References:
        Directional Statistics (Mardia & Jupp, 2000), Wiley, section 3.5.4.

    Example:
        >>> noon = VonMises(torch.full((2, 1), -4.0), torch.zeros(2, 1))
        >>> noon.mean[0], noon.log_prob(torch.tensor([0.5])).exp()
        (tensor([0.5000]), tensor([4.8308, 4.8308]))
    """

    __slots__ = ("cosine", "sine")

    def __init__(self, cosine: Tensor, sine: Tensor, *, event_dims: int = 1) -> None:
        self.cosine = cosine
        self.sine = sine
        self.event_dims = event_dims

    @property
    def concentration(self) -> Tensor:
        """κ, shape ``(*batch, *event)``."""
        return (self.cosine.square() + self.sine.square() + TINY).sqrt()

    def log_prob_elements(self, value: Tensor) -> Tensor:
        """Terms of log p(value); the exponentials of log I₀ are taken out of it."""
        angle, kappa = 2 * math.pi * value, self.concentration
        along = self.cosine * angle.cos() + self.sine * angle.sin()
        return (along - kappa) - torch.special.i0e(kappa).log()

    def sample(self, shape: Sequence[int] = ()) -> Tensor:
        """Draws of shape ``(*shape, *batch, *event)``, by inverting the distribution function.

        The function is tabulated in double precision; its error is below 1e-7.
        """
        with torch.no_grad():
            u = uniform(shape, like=self.cosine, event_dims=self.event_dims)
            signed = 2 * u.double().reshape(-1, self.cosine.numel()) - 1
            kappa = self.concentration.double().flatten()
            blocks = zip(kappa.split(BLOCK), signed.abs().split(BLOCK, -1), strict=True)
            polar = [torch.atan2(*polar_quantile(2, k, mass)[::-1]) for k, mass in blocks]
            offset = (torch.cat(polar, -1).copysign(signed) / (2 * math.pi)).reshape(u.shape)
            return _in_cycle(self._turn(self.cosine.double(), self.sine.double()) + offset).to(u)

    @property
    def mean(self) -> Tensor:
        """The circular mean as a fraction of a cycle, shape ``(*batch, *event)``; it is the mode.

        Where κ is 0 there is none; it is 0 then.
        """
        return _in_cycle(self._turn(self.cosine, self.sine))

    @property
    def resultant(self) -> Tensor:
        """The length I₁(κ) / I₀(κ) of the mean of (cos 2πx, sin 2πx), in [0, 1)."""
        kappa = self.concentration
        return torch.special.i1e(kappa) / torch.special.i0e(kappa)

    @staticmethod
    def _turn(cosine: Tensor, sine: Tensor) -> Tensor:
        return torch.atan2(sine, cosine) / (2 * math.pi)


def _in_cycle(turns: Tensor) -> Tensor:
    """The fraction of a turn, in [0, 1): less than half the spacing of floats below 1 is 0."""
    fraction = turns - turns.floor()
    return torch.where(fraction < 1, fraction, 0.0)
