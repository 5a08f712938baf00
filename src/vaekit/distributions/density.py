"""Densities: what posteriors, priors and likelihoods return.

A density over events of shape ``(*event,)`` with parameters of shape ``(*batch, *event)``. It
keeps *elements*: ``log_prob_elements`` has one term per coordinate of the event, in nats, and
``log_prob`` is their sum. For densities that do not factorise the terms are those of the chain
rule, so they still sum to the whole. These classes are small and plain on purpose: they live on
the hot path and must trace under ``torch.compile(fullgraph=True)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from vaekit.errors import ConfigError

__all__ = ["Density", "JointDensity", "kl_elements", "register_kl", "sum_events", "widen"]

KL = Callable[[Any, Any], Tensor | None]
_kl_pairs: dict[tuple[type, type], KL] = {}


def sum_events(elements: Tensor, event_dims: int) -> Tensor:
    """Sum over the last ``event_dims`` axes (none: the tensor itself)."""
    return elements.flatten(-event_dims).sum(-1) if event_dims else elements


def widen(params: Tensor) -> Tensor:
    """Network outputs in at least single precision: log densities are not computed in half.

    Example:
        >>> widen(torch.zeros(2, dtype=torch.bfloat16)).dtype, widen(torch.zeros(2).double()).dtype
        (torch.float32, torch.float64)
    """
    return params.to(torch.promote_types(params.dtype, torch.float32))


class Density:
    """Base of all densities. Subclasses list their parameter tensors in ``__slots__``.

    Attributes:
        event_dims: How many trailing axes make up one event.
        has_density: False where log p does not exist (a point).
        draws_with_log_prob: Whether a draw's log density should be taken with the draw, because
            finding it from the value alone is slow (an inverse autoregressive flow).
        draws_have_paths: Whether ``rsample`` carries the exact gradient of expectations.
    """

    __slots__ = ("event_dims",)
    event_dims: int
    has_density: ClassVar[bool] = True
    draws_with_log_prob: ClassVar[bool] = False
    draws_have_paths: ClassVar[bool] = True

    @property
    def has_terms(self) -> bool:
        """Whether log p has a term for each coordinate."""
        return True

    @property
    def terms_are_slow(self) -> bool:
        """Whether the terms take much longer than their sum (a mixture of many components)."""
        return False

    @property
    def is_relaxed(self) -> bool:
        """Whether ``rsample`` gives no draws of this density: log p of them bounds nothing."""
        return False

    @property
    def batch_shape(self) -> torch.Size:
        """The shape of the parameters without the event."""
        return self.mean.shape[: self.mean.dim() - self.event_dims]

    def log_prob_elements(self, value: Tensor) -> Tensor:
        """Terms of log p(value) in nats, shape ``(*batch, *event)``; they sum to ``log_prob``."""
        raise ConfigError(f"{type(self).__name__} has no density", remedy=_NO_DENSITY)

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(value) in nats, shape ``(*batch,)``."""
        return sum_events(self.log_prob_elements(value), self.event_dims)

    def rsample(self, shape: Sequence[int] = ()) -> Tensor:
        """Reparametrised draws of shape ``(*shape, *batch, *event)``, with gradients."""
        raise ConfigError(
            f"{type(self).__name__} has no reparametrised samples", remedy="use sample() instead"
        )

    def sample(self, shape: Sequence[int] = ()) -> Tensor:
        """Draws of shape ``(*shape, *batch, *event)`` without gradients."""
        with torch.no_grad():
            return self.rsample(shape)

    def rsample_and_log_prob(self, shape: Sequence[int] = ()) -> tuple[Tensor, Tensor]:
        """Draws and their log density (nats); override where one computation gives both."""
        value = self.rsample(shape)
        return value, self.log_prob(value)

    @property
    def mean(self) -> Tensor:
        """The mean, shape ``(*batch, *event)``."""
        raise ConfigError(f"{type(self).__name__} has no mean in closed form")

    @property
    def stddev(self) -> Tensor:
        """Marginal standard deviations, shape ``(*batch, *event)``."""
        raise ConfigError(f"{type(self).__name__} has no standard deviation in closed form")

    def cdf(self, value: Tensor) -> Tensor:
        """P(x ≤ value) for each element, shape ``(*batch, *event)``, where that is a function."""
        raise ConfigError(f"{type(self).__name__} has no distribution function in closed form")

    def kl_elements(self, p: Density) -> Tensor | None:
        """Terms of KL(self ‖ p) in nats, or None where no closed form is registered."""
        return kl_elements(self, p)

    def detach(self) -> Self:
        """The same density with its parameters cut from the graph."""
        copy = object.__new__(type(self))
        for cls in type(self).__mro__:
            for name in getattr(cls, "__slots__", ()):
                value = getattr(self, name)
                inner = isinstance(value, Tensor | Density)
                setattr(copy, name, value.detach() if inner else value)
        return copy


class JointDensity(Density):
    """Base of densities whose log p has no terms per coordinate (a flow, a sphere's).

    Subclasses give :meth:`log_prob`; the only term is the whole.
    """

    __slots__ = ()

    @property
    def has_terms(self) -> bool:
        """No: the only term is the whole."""
        return False

    def log_prob_elements(self, value: Tensor) -> Tensor:
        """log p(value) in nats as a single term, shape ``(*batch, 1)``."""
        return self.log_prob(value).unsqueeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(value) in nats, shape ``(*batch,)``."""
        raise NotImplementedError


_NO_DENSITY = (
    "bounds and likelihoods need one: choose a posterior with a density "
    "(for example 'diagonal'), or compare by reconstruction error"
)


def register_kl(q: type[Density], p: type[Density]) -> Callable[[KL], KL]:
    """Register the closed form of KL(q ‖ p), element by element, for a pair of classes.

    The function may return None where these two have no closed form.
    """

    def keep(function: KL) -> KL:
        _kl_pairs[q, p] = function
        return function

    return keep


def kl_elements(q: Density, p: Density) -> Tensor | None:
    """Terms of KL(q ‖ p) in nats from the registered pair of most specific classes, else None."""
    for q_class in type(q).__mro__:
        for p_class in type(p).__mro__:
            closed_form = _kl_pairs.get((q_class, p_class))
            if closed_form is not None:
                return closed_form(q, p)
    return None
