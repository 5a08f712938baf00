"""Evidence of a model with a discrete latent variable that is summed over, not sampled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import torch
from torch import Tensor

from vaekit.distributions import OneHot
from vaekit.errors import ConfigError
from vaekit.models.evidence import Evidence, Node

__all__ = ["Enumerated"]


class Enumerated(Evidence):
    """The evidence of every class, weighted by q(y): E over y exactly, over z by sampling.

    Its nodes are y and z. ``log_px``, ``rate`` and ``elbo`` are expectations under q(y);
    ``log_weight`` sums over the classes inside the logarithm, so that its bound on log p(x) is as
    tight as sampling z alone allows. ``px`` is that of the first class.

    Args:
        each: The evidence given each class, in order, all with the same K and B.
        y: The class; its ``z`` holds the masses q(y), shape (K, B, C).
        guess: q(y|x), whether or not the label is known.
        labels: One-hot, zeros where unknown, shape (B, C).
    """

    __slots__ = ("each", "guess", "labels")

    def __init__(
        self, each: Sequence[Evidence], y: Node, *, guess: OneHot, labels: Tensor
    ) -> None:
        first = each[0]
        groups = zip(*(e.nodes for e in each), strict=True)
        nodes = [y, *(_Averaged(group, y.z) for group in groups)]
        super().__init__(first.px, None, nodes, value=first.value)
        self.each = tuple(each)
        self.guess = guess
        self.labels = labels

    @property
    def log_px_elements(self) -> Tensor:
        """E over y of the terms of log p(x|y, z), shape ``(K, B, *event)``."""
        return _average([e.log_px_elements for e in self.each], self.nodes[0].z)

    @property
    def log_px(self) -> Tensor:
        """E over y of log p(x|y, z), shape (K, B)."""
        return _average([e.log_px for e in self.each], self.nodes[0].z)

    @property
    def log_weight(self) -> Tensor:
        """log Σ p(x, y, z) / q(z|x, y) over the classes that are possible, shape (K, B)."""
        log_joint = torch.stack([e.log_weight for e in self.each], -1)
        log_joint = log_joint + self.nodes[0].p.mean.log()
        known = self.labels.sum(-1, keepdim=True) > 0
        return log_joint.masked_fill(known & (self.labels == 0), -torch.inf).logsumexp(-1)


class _Averaged(Node):
    """A latent group given each class, averaged under q(y), as all that is linear in it is."""

    __slots__ = ("_group", "_masses")

    def __init__(self, group: Sequence[Node], masses: Tensor) -> None:
        self._group = tuple(group)
        self._masses = masses
        self.p = group[0].p
        self._kl_elements = self._carried_log_q = None

    def _mean(self, values: Sequence[Tensor]) -> Tensor:
        return _average(values, self._masses)

    def _refuse(self) -> NoReturn:
        raise ConfigError(
            "codes have one posterior for each class, and this needs a single one",
            remedy="use objective=semi-supervised, with bound elbo or iwae",
        )

    q = z = value = property(_refuse)

    @property
    def has_rate(self) -> bool:
        """Whether KL(q(z|x, y)‖p(z|y)) exists."""
        return all(node.has_rate for node in self._group)

    @property
    def prior_learns(self) -> bool:
        """Whether log p(z|y) has parameters that a gradient reaches."""
        return any(node.prior_learns for node in self._group)

    @property
    def kl_elements(self) -> Tensor:
        """E over y of the terms of KL(q(z|x, y)‖p(z|y))."""
        return self._mean([node.kl_elements for node in self._group])

    @property
    def kl(self) -> Tensor:
        """E over y of KL(q(z|x, y)‖p(z|y)), shape (K, B)."""
        return self._mean([node.kl for node in self._group])

    @property
    def log_p(self) -> Tensor:
        """E over y of log p(z|y) at the samples, shape (K, B)."""
        return self._mean([node.log_p for node in self._group])

    @property
    def log_q(self) -> Tensor:
        """E over y of log q(z|x, y) at the samples, shape (K, B)."""
        return self._mean([node.log_q for node in self._group])


def _average(values: Sequence[Tensor], masses: Tensor) -> Tensor:
    """Σ over y of masses (K, B, C) times values ``(K, B, *rest)``, one for each class."""
    shape = (*masses.shape[:2], *(1,) * (values[0].dim() - 2))
    terms = [mass.reshape(shape) * v for mass, v in zip(masses.unbind(-1), values, strict=True)]
    return torch.stack(terms).sum(0)
