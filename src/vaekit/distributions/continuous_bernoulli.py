r"""The continuous Bernoulli, a density on [0, 1].

With the logit :math:`\ell` it is the exponential family :math:`p(x) \propto e^{\ell x}` on [0, 1].
Everything below follows from the even function

.. math:: g(\ell) = \log \frac{\sinh(\ell/2)}{\ell/2}
    = \tfrac{1}{24}\ell^2 - \tfrac{1}{2880}\ell^4 + \dots,

since :math:`\log p(x) = (x - \tfrac12)\ell - g(\ell)` and :math:`E[x] = \tfrac12 + g'(\ell)`. Near
:math:`\ell = 0` the closed forms lose all their digits, so power series take over there.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vaekit.distributions.density import Density
from vaekit.distributions.noise import open_uniform

__all__ = ["ContinuousBernoulli"]

SERIES_BELOW = 0.1
# Coefficients B_2n / (2n (2n)!) of g in powers of logits², B_2n the Bernoulli numbers.
G_SERIES = (1 / 24, -1 / 2880, 1 / 181_440)


class ContinuousBernoulli(Density):
    r"""Independent values in [0, 1] with a density that grows as :math:`e^{\ell x}`, in nats.

    .. math:: \log p(x_i) = x_i\,\ell_i - \log(1 + e^{\ell_i}) + \log C(\ell_i), \qquad
        C(\ell) = \ell \coth(\ell / 2)

    Args:
        logits: Natural parameters, shape ``(*batch, *event)``.
        event_dims: Trailing axes that make up one event.

    References:
        The Continuous Bernoulli: Fixing a Pervasive Error in Variational Autoencoders
        (Loaiza-Ganem & Cunningham, 2019), arXiv:1907.06845.

    Example:
        >>> ContinuousBernoulli(torch.zeros(4, 3)).log_prob(torch.rand(4, 3))[0]
        tensor(0.)
    """

    __slots__ = ("logits",)

    def __init__(self, logits: Tensor, *, event_dims: int = 1) -> None:
        self.logits = logits
        self.event_dims = event_dims

    def log_prob_elements(self, value: Tensor) -> Tensor:  # noqa: D102
        return (value - 0.5) * self.logits - _g(self.logits)

    def rsample(self, shape: Sequence[int] = ()) -> Tensor:
        """Draws by the inverse of the distribution function; gradients reach the logits."""
        u = open_uniform(shape, like=self.logits, event_dims=self.event_dims)
        near_zero = self.logits.abs() < SERIES_BELOW
        series = _quantile_series(u, torch.where(near_zero, self.logits, 0.0))
        closed_form = _quantile(u, torch.where(near_zero, 1.0, self.logits))
        return torch.where(near_zero, series, closed_form)

    @property
    def mean(self) -> Tensor:  # noqa: D102
        near_zero = self.logits.abs() < SERIES_BELOW
        small = torch.where(near_zero, self.logits, 0.0)
        large = torch.where(near_zero, 1.0, self.logits)
        slope = small * _polynomial(small.square(), [2 * n * a for n, a in enumerate(G_SERIES, 1)])
        return 0.5 + torch.where(near_zero, slope, 0.5 / torch.tanh(large / 2) - 1 / large)


def _g(logits: Tensor) -> Tensor:
    """log(sinh(t/2) / (t/2)); both branches are finite everywhere, so gradients are too."""
    near_zero = logits.abs() < SERIES_BELOW
    square = torch.where(near_zero, logits, 0.0).square()
    large = torch.where(near_zero, 1.0, logits).abs()
    closed_form = 0.5 * large + torch.log(-torch.expm1(-large) / large)
    return torch.where(near_zero, square * _polynomial(square, G_SERIES), closed_form)


def _polynomial(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    """Horner's scheme, constant term first."""
    total = torch.full_like(x, coefficients[-1])
    for a in reversed(coefficients[:-1]):
        total = total * x + a
    return total


def _quantile(u: Tensor, logits: Tensor) -> Tensor:
    """log(1 + u (e^t − 1)) / t, reflected where t > 0 so that nothing overflows."""
    rising, steep = logits > 0, logits.abs()
    below, above = torch.where(rising, 1 - u, u), torch.where(rising, u, 1 - u)
    change = below * torch.expm1(-steep)
    small = change > -0.5
    log_small = torch.log1p(torch.where(small, change, 0.0))
    log_large = torch.log(torch.where(small, 1.0, above + below * torch.exp(-steep)))
    distance = -(log_small + log_large) / steep
    return torch.where(rising, 1 - distance, distance)


def _quantile_series(u: Tensor, logits: Tensor) -> Tensor:
    """The same by the cumulants κ_n of a coin of probability u: Σ κ_n t^(n−1) / n!."""
    variance, skew = u * (1 - u), 1 - 2 * u
    k4 = variance * (1 - 6 * variance)
    k5 = variance * skew * (1 - 12 * variance)
    k6 = variance * (1 - 30 * variance + 120 * variance.square())
    total = k6 / 720
    for term in (k5 / 120, k4 / 24, variance * skew / 6, variance / 2, u):
        total = total * logits + term
    return total
