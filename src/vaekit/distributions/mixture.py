"""Mixtures: weighted sums of densities of one family."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vaekit.distributions.density import Density, kl_elements, register_kl
from vaekit.distributions.noise import standard_normal, uniform, without_rows
from vaekit.distributions.normal import HALF_LOG_2PI, Normal
from vaekit.errors import ConfigError

__all__ = ["Mixture"]


class Mixture(Density):
    r"""A mixture of K densities, :math:`p(x) = \sum_k w_k \, p_k(x)`.

    The terms of log p are those of the chain rule, :math:`\log p(x_i \mid x_{<i})`: with
    :math:`s_{ki} = \sum_{j \le i} \log p_k(x_j \mid x_{<j})` they are the differences of
    :math:`\log \sum_k w_k e^{s_{ki}}` over i. They take K numbers for each coordinate, while their
    sum takes two matrix products where the components are independent normals.

    Args:
        components: The densities :math:`p_k`, batch shape (K,); independent normals may have a
            batch before that, ``(*batch, K)``.
        log_weights: :math:`\log w_k` up to a constant, shape ``(*batch, K)``.

    Raises:
        ConfigError: If the components' events have no axis.

    Example:
        >>> parts = Normal(torch.tensor([[-2.0], [2.0]]), torch.ones(2, 1))
        >>> p = Mixture(parts, torch.zeros(2))
        >>> p.log_prob(torch.zeros(4, 1)).shape, round(float(p.stddev) ** 2, 4)
        (torch.Size([4]), 5.0)
    """

    __slots__ = ("components", "log_weights")

    def __init__(self, components: Density, log_weights: Tensor) -> None:
        if not components.event_dims:
            raise ConfigError(
                "a mixture is of densities over vectors",
                expected="components with an axis for the event",
                got="event_dims = 0",
                remedy="give numbers an axis of length 1, and event_dims=1",
            )
        self.components = components
        self.log_weights = log_weights.log_softmax(-1)
        self.event_dims = components.event_dims

    @property
    def batch_shape(self) -> torch.Size:  # noqa: D102
        return self.log_weights.shape[:-1]

    @property
    def has_terms(self) -> bool:  # noqa: D102
        return self.components.has_terms

    @property
    def terms_are_slow(self) -> bool:  # noqa: D102
        return self.log_weights.shape[-1] > 1

    def log_prob(self, value: Tensor) -> Tensor:  # noqa: D102
        if isinstance(self.components, Normal):
            each = _log_probs(self.components, value)
        else:
            each = self.components.log_prob(self._beside(value))
        return torch.logsumexp(each + self.log_weights, -1)

    def log_prob_elements(self, value: Tensor) -> Tensor:  # noqa: D102
        terms = self.components.log_prob_elements(self._beside(value)).flatten(-self.event_dims)
        joint = terms.cumsum(-1) + self.log_weights.unsqueeze(-1)
        so_far = torch.logsumexp(joint, -2)
        elements = so_far.diff(prepend=torch.zeros_like(so_far[..., :1]))
        return elements.reshape(value.shape) if self.has_terms else elements

    def sample(self, shape: Sequence[int] = ()) -> Tensor:  # noqa: D102
        with torch.no_grad():
            u = uniform(shape, like=self.log_weights[..., 0], event_dims=0).unsqueeze(-1)
            ends = self.log_weights.exp().cumsum(-1)[..., :-1]
            index = (u >= ends).sum(-1)
            if not isinstance(self.components, Normal):
                with without_rows():
                    return self._pick(self.components.sample(shape), index)
            loc, scale = self.components.mean, self.components.stddev
            like = loc.select(-1 - self.event_dims, 0)
            eps = standard_normal(shape, like=like, event_dims=self.event_dims)
            return torch.addcmul(self._pick(loc, index), self._pick(scale, index), eps)

    @property
    def mean(self) -> Tensor:  # noqa: D102
        return self._average(self.components.mean)

    @property
    def stddev(self) -> Tensor:  # noqa: D102
        spread = self.components.mean - self.mean.unsqueeze(-1 - self.event_dims)
        return self._average(self.components.stddev.square() + spread.square()).sqrt()

    def _beside(self, value: Tensor) -> Tensor:
        """The value with an axis for the components."""
        return value.unsqueeze(-1 - self.event_dims)

    def _average(self, each: Tensor) -> Tensor:
        """The weighted mean over components, from shape ``(*batch, K, *event)``."""
        weights = self.log_weights.exp().reshape(*self.log_weights.shape, *[1] * self.event_dims)
        return (weights * each).sum(-1 - self.event_dims)

    def _pick(self, each: Tensor, index: Tensor) -> Tensor:
        """Of ``(…, *batch, K, *event)`` the components at ``index``, ``(*shape, *batch)``."""
        axis = -1 - self.event_dims
        event = each.shape[axis + 1 :]
        each = each.expand(*index.shape, *each.shape[axis:])
        one = index.reshape(*index.shape, 1, *[1] * self.event_dims)
        return each.gather(axis, one.expand(*index.shape, 1, *event)).squeeze(axis)


def _log_probs(p: Normal, value: Tensor) -> Tensor:
    r"""log N(value; loc_k, scale_k²) for each k, shape ``(…, *batch, K)``.

    With :math:`\tau = \sigma^{-2}` the square becomes products of matrices,

    .. math:: \textstyle\sum_i \tau_{ki} (x_i - \mu_{ki})^2 =
        \sum_i \tau_{ki} x_i^2 - 2 \tau_{ki} \mu_{ki} x_i + \tau_{ki} \mu_{ki}^2 .

    These are much larger than their sum, hence the double precision.
    """
    dtype = torch.float32 if value.device.type == "mps" else torch.float64  # which has no other
    loc, log_scale, x = (
        t.to(dtype).flatten(-p.event_dims) for t in (p.loc, p.log_scale.expand_as(p.loc), value)
    )
    precision = torch.exp(-2 * log_scale)
    x = x.unsqueeze(-2)
    squares = x.square() @ precision.mT - 2 * (x @ (loc * precision).mT)
    constant = (loc.square() * precision + 2 * log_scale + 2 * HALF_LOG_2PI).sum(-1)
    return (-0.5 * (squares.squeeze(-2) + constant)).to(value.dtype)


@register_kl(Density, Mixture)
def _(q: Density, p: Mixture) -> Tensor | None:
    """A mixture of one is its component."""
    only = p.components
    if p.terms_are_slow or not isinstance(only, Normal):
        return None
    axis = -1 - p.event_dims
    loc, log_scale = only.loc.squeeze(axis), only.log_scale.expand_as(only.loc).squeeze(axis)
    return kl_elements(q, Normal.from_log_scale(loc, log_scale, event_dims=p.event_dims))
