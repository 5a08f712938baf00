r"""A logistic density collected into bins: a distribution over equally spaced levels.

With :math:`\sigma` the logistic function, a the upper and b the lower edge of a bin in units of
the scale, the mass of an inner bin is

.. math:: \log(\sigma(a) - \sigma(b)) = \log\sigma(a) + \log\sigma(-b) + \log(1 - e^{-(a - b)}),

where nothing cancels because :math:`a - b` is the bin's width, known exactly. The first bin
reaches down to :math:`-\infty` and the last up to :math:`\infty`, so that the masses of all levels
sum to :math:`\sigma(a_0) + \dots + \sigma(-b_{L-1}) = 1` wherever the location lies.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from vaekit.distributions.density import Density
from vaekit.distributions.noise import open_uniform

__all__ = ["DiscretisedLogistic"]


class DiscretisedLogistic(Density):
    r"""Independent values on the levels k / (L − 1), k = 0..L−1; a mass, in nats.

    The bin of a level is centred on it and 1 / (L − 1) wide; the outer two are open. Values
    between the levels are scored as the nearest level.

    Args:
        loc: Centres of the logistic, in the units of x, shape ``(*batch, *event)``.
        log_scale: Logarithm of its scale, broadcastable to ``loc``.
        levels: How many levels L there are.
        event_dims: Trailing axes that make up one event.

    References:
        Improved Variational Inference with Inverse Autoregressive Flow (Kingma et al., 2016),
        arXiv:1606.04934; PixelCNN++ (Salimans et al., 2017), arXiv:1701.05517.

    Example:
        >>> px = DiscretisedLogistic(torch.full((2, 1), 0.5), torch.zeros(()), levels=2)
        >>> px.log_prob(torch.ones(2, 1)).exp()
        tensor([0.5000, 0.5000])
    """

    __slots__ = ("levels", "loc", "log_scale")

    def __init__(
        self, loc: Tensor, log_scale: Tensor, *, levels: int = 256, event_dims: int = 1
    ) -> None:
        self.loc = loc
        self.log_scale = log_scale
        self.levels = levels
        self.event_dims = event_dims

    def log_prob_elements(self, value: Tensor) -> Tensor:  # noqa: D102
        last = self.levels - 1
        code = (value * last).round()
        scale = self.log_scale.exp()
        below_upper = F.logsigmoid(((code + 0.5) / last - self.loc) / scale)
        above_lower = F.logsigmoid((self.loc - (code - 0.5) / last) / scale)
        inside = torch.log(-torch.expm1(-1 / (last * scale)))
        first_bin, last_bin = code < 0.5, code > last - 0.5
        return (
            torch.where(last_bin, 0.0, below_upper)
            + torch.where(first_bin, 0.0, above_lower)
            + torch.where(first_bin | last_bin, 0.0, inside)
        )

    def sample(self, shape: Sequence[int] = ()) -> Tensor:
        """Levels of shape ``(*shape, *batch, *event)``: a logistic draw, moved to its level."""
        with torch.no_grad():
            u = open_uniform(shape, like=self.loc, event_dims=self.event_dims)
            draw = self.loc + self.log_scale.exp() * torch.logit(u)
            return (draw * (self.levels - 1)).round().clamp(0, self.levels - 1) / (self.levels - 1)

    @property
    def mean(self) -> Tensor:
        """The expected level, the sum over all bins of P(x ≥ level) times their distance."""
        last, scale = self.levels - 1, self.log_scale.exp()
        total = torch.zeros_like(self.loc)
        for k in range(1, self.levels):
            total = total + torch.sigmoid((self.loc - (k - 0.5) / last) / scale)
        return total / last
