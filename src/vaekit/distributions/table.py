"""Densities of table rows: independent columns of several kinds, each of which may be missing."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from vaekit.distributions.categorical import Categorical
from vaekit.distributions.density import Density
from vaekit.distributions.noise import uniform

__all__ = ["TableDensity"]


class TableDensity(Density):
    r"""Columns with densities of their own kinds and a probability of being missing.

    With :math:`r_i` the log odds that column i is missing, the term of a column is

    .. math:: \log \sigma(r_i) \text{ where it is missing, } \qquad
        \log \sigma(-r_i) + \log p_i(x_i) \text{ where it is not.}

    NaN stands for a missing value. A column that is void (:attr:`void`) has the term 0 where it
    is NaN and no odds: another column says already that it is. Draws have a value there, to be
    ignored where that other column says so.

    Args:
        parts: Densities of groups of columns, one event axis each, of one batch shape.
        order: Where each column stands among those of all groups, int64 ``(D,)``.
        log_odds: :math:`r`, shape ``(*batch, D)`` or ``(D,)``; None where nothing can be missing.
        void: Which columns are void where they are NaN, Boolean ``(D,)``.
        places: The columns of each group, where they are known; by default found from ``order``.

    Example:
        >>> from vaekit.distributions import Bernoulli, Normal
        >>> parts = [Normal(torch.zeros(4, 1), torch.ones(4, 1)), Bernoulli(torch.zeros(4, 1))]
        >>> rows = TableDensity(parts, torch.tensor([0, 1]), torch.zeros(2))
        >>> terms = rows.log_prob_elements(torch.tensor([torch.nan, 1.0]))
        >>> terms[0].exp().tolist()
        [0.5, 0.25]
    """

    __slots__ = ("log_odds", "order", "parts", "places", "void")

    def __init__(
        self,
        parts: Sequence[Density],
        order: Tensor,
        log_odds: Tensor | None = None,
        void: Tensor | None = None,
        places: Sequence[Tensor] = (),
    ) -> None:
        self.parts = tuple(parts)
        self.order = order
        self.log_odds = log_odds
        self.void = void
        self.event_dims = 1
        self.places = tuple(places) or _places(self.parts, order)

    @property
    def batch_shape(self) -> torch.Size:  # noqa: D102
        return self.parts[0].batch_shape

    def log_prob_elements(self, value: Tensor) -> Tensor:  # noqa: D102
        if self.log_odds is None and self.void is None:
            return self._terms(value)
        missing = value.isnan()
        terms = self._terms(torch.where(missing, 0.0, value))  # NaN would reach all gradients
        if self.log_odds is None:
            return torch.where(missing, 0.0, terms)
        there, gone = F.logsigmoid(-self.log_odds), F.logsigmoid(self.log_odds)
        if self.void is not None:
            there, gone = (torch.where(self.void, 0.0, t) for t in (there, gone))
        return torch.where(missing, gone, terms + there)

    def _terms(self, value: Tensor) -> Tensor:
        if len(self.parts) == 1:
            return self.parts[0].log_prob_elements(value)
        each = [
            part.log_prob_elements(value[..., place])
            for part, place in zip(self.parts, self.places, strict=True)
        ]
        return torch.cat(each, -1)[..., self.order]

    def sample(self, shape: Sequence[int] = ()) -> Tensor:
        """Rows of shape ``(*shape, *batch, D)``, NaN where a value is missing."""
        with torch.no_grad():
            drawn = self._joined([part.sample(shape) for part in self.parts])
            if self.log_odds is None:
                return drawn
            odds = self.log_odds.expand(drawn.shape[len(shape) :])
            gone = uniform(shape, like=odds, event_dims=1) < odds.sigmoid()
            if self.void is not None:
                gone = gone & ~self.void
            return torch.where(gone, torch.nan, drawn)

    @property
    def mean(self) -> Tensor:
        """What is expected where a value is there: means, and the most probable codes."""
        return self._joined([_expected(part) for part in self.parts])

    def _joined(self, each: Sequence[Tensor]) -> Tensor:
        if len(each) == 1:
            return each[0]
        return torch.cat(list(each), -1)[..., self.order]

    def detach(self) -> TableDensity:  # noqa: D102
        odds = None if self.log_odds is None else self.log_odds.detach()
        parts = [part.detach() for part in self.parts]
        return TableDensity(parts, self.order, odds, self.void, self.places)


def _expected(part: Density) -> Tensor:
    """The mode of codes, whose mean says nothing."""
    return part.mode if isinstance(part, Categorical) else part.mean


def _places(parts: Sequence[Density], order: Tensor) -> tuple[Tensor, ...]:
    """Which columns each group holds, in the order of the group."""
    sizes = [part.mean.shape[-1] for part in parts]
    return tuple(order.argsort().split(sizes))
