"""The circular likelihood of places in a cycle, such as times of day or of the year."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from torch import Tensor

from vaekit import distributions
from vaekit.likelihoods.bernoulli import UnitIntervalLikelihood
from vaekit.spec import Spec, Within

__all__ = ["Circular", "CircularLikelihood"]

LARGEST = 1e9
"""What the decoder emits is cut here, so that its square is a number in single precision."""


class Circular(Spec, kind="likelihood/circular"):
    r"""Von Mises likelihood of fractions of a cycle, x in [0, 1): 23:59 is close to 0:00.

    .. math:: \log p(x \mid z) = \sum_i a_i \cos 2\pi x_i + b_i \sin 2\pi x_i
              - \log I_0(\kappa_i), \qquad \kappa_i = \sqrt{a_i^2 + b_i^2}

    A density in nats. The decoder emits all a, then all b: the direction (a, b) is the mean, its
    length κ, bounded smoothly by ``most``, the concentration. The standard deviation is then about
    :math:`1 / 2\pi\sqrt\kappa` cycles. The reconstruction is the circular mean; 0 and 1 are one
    place.

    Args:
        most: Bound of κ; 1000 is a standard deviation of 0.005 cycles, 7 minutes of a day.

    References:
        Directional Statistics (Mardia & Jupp, 2000), Wiley, section 3.5.4.

    Example:
        >>> import torch
        >>> likelihood = Circular().build(event_shape=(1,))
        >>> likelihood.mean(torch.tensor([[0.0, 5.0]]))
        tensor([[0.2500]])
    """

    most: Annotated[float, Within(1.0, 1e5)] = 1e3

    def build(self, *, event_shape: Sequence[int]) -> CircularLikelihood:
        """The module for observations of ``event_shape``."""
        return CircularLikelihood(self, event_shape)


class CircularLikelihood(UnitIntervalLikelihood):
    """The module of :class:`Circular`; ``params_shape`` doubles the first axis of x."""

    spec: Circular
    support = "fractions of a cycle, in [0, 1]"
    remedy = (
        "divide by the length of the cycle (24 for hours of the day) and take the fractional part"
    )

    @property
    def params_shape(self) -> tuple[int, ...]:
        """The shape of x with its first axis doubled."""
        first, *rest = self.event_shape
        return (2 * first, *rest)

    def forward(self, params: Tensor, *, x: Tensor | None = None) -> distributions.VonMises:
        """The density p(x|z); see :class:`Likelihood`."""
        cosine, sine = params.clamp(-LARGEST, LARGEST).chunk(2, dim=-self.event_dims)
        most = self.spec.most
        shrink = (1 + (cosine / most).square() + (sine / most).square()).rsqrt()
        return distributions.VonMises(shrink * cosine, shrink * sine, event_dims=self.event_dims)
