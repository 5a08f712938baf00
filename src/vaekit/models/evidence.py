r"""Evidence: what one forward pass says about a batch, in nats, element by element.

Objectives, importance-sampled likelihoods, anomaly scores, explanations and metrics are all
functions of this record. The sample axis K leads, then the batch axis B:

====================  ====================  =============================================
quantity              shape                 meaning
====================  ====================  =============================================
``log_px_elements``   (K, B, \*event)       terms of log p(x|z)
``node.kl_elements``  (K, B, \*latent)      terms of KL(q‖p), closed form or one sample;
                                            (K, B, 1) where it has no terms per coordinate
``log_px``            (K, B)                log p(x|z)
``rate``              (K, B)                Σ KL over all latent nodes
``distortion``        (K, B)                −log p(x|z)
``elbo``              (K, B)                log_px − rate
``log_weight``        (K, B)                log_px + Σ (log p(z) − log q(z|x))
====================  ====================  =============================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from vaekit.distributions import Density
from vaekit.errors import ConfigError

__all__ = ["Evidence", "Node"]


def _sum(elements: Tensor) -> Tensor:
    """(K, B, …) → (K, B)."""
    return elements if elements.dim() == 2 else elements.flatten(2).sum(-1)


class Node:
    """One latent group: its sample, its posterior and its prior.

    Args:
        z: The sample, shape ``(K, B, *latent)``.
        q: The posterior q(z|x).
        p: The prior p(z), which may depend on the nodes before.
        value: What q and p score when that is not z itself (a code's index).
        log_q: log q(z|x), shape ``(K, B)``, where recomputing it from z would be slow.

    Example:
        >>> from vaekit.distributions import Normal, StandardNormal
        >>> q = Normal(torch.zeros(4, 2), torch.ones(4, 2))
        >>> node = Node(q.rsample((3,)), q, StandardNormal(torch.zeros(2)))
        >>> node.kl.shape, float(node.kl.sum())
        (torch.Size([3, 4]), 0.0)
    """

    __slots__ = ("_carried_log_q", "_kl_elements", "_log_p", "p", "q", "value", "z")

    def __init__(
        self,
        z: Tensor,
        q: Density,
        p: Density,
        *,
        value: Tensor | None = None,
        log_q: Tensor | None = None,
    ) -> None:
        self.z = z
        self.q = q
        self.p = p
        self.value = z if value is None else value
        self._carried_log_q = log_q
        self._kl_elements: Tensor | None = None
        self._log_p: Tensor | None = None

    @property
    def kl_elements(self) -> Tensor:
        """Terms of KL(q‖p): closed form where registered, else log q − log p at the sample."""
        if self._kl_elements is None:
            closed_form = self.q.kl_elements(self.p)
            self._kl_elements = (
                self._estimate(self.q.log_prob_elements, lambda: self.log_q)
                if closed_form is None
                else self._for_every_sample(closed_form)
            )
        return self._kl_elements

    @property
    def kl_elements_stopped(self) -> Tensor:
        """log q − log p at the sample, q's parameters held constant (sticking the landing)."""
        return self._estimate(self.q.detach().log_prob_elements, lambda: self.log_q_stopped)

    def _estimate(
        self, elements: Callable[[Tensor], Tensor], log_q: Callable[[], Tensor]
    ) -> Tensor:
        """log q − log p at the sample: its terms, or where there are none, the whole."""
        if self._has_terms:
            self._require_draws()
            return elements(self.value) - self.p.log_prob_elements(self.value)
        return (log_q() - self.log_p).unsqueeze(-1)

    def _for_every_sample(self, kl: Tensor) -> Tensor:
        """A closed form of shape (B, …) or (K, B, …) as (K, B, …)."""
        batch_dims = kl.dim() - (self.q.event_dims if self.q.has_terms else 1)
        terms = kl.shape[batch_dims:]
        return kl.expand(*self.value.shape[:2], *terms)

    @property
    def _is_estimated(self) -> bool:
        """Whether KL(q‖p) has no closed form."""
        return self.q.kl_elements(self.p) is None

    @property
    def has_rate(self) -> bool:
        """Whether KL(q‖p) exists: the rate of a point is 0 by convention."""
        return self.q.has_density

    @property
    def prior_learns(self) -> bool:
        """Whether log p has parameters that a gradient reaches."""
        return self.p.log_prob(self.value.detach()).requires_grad

    @property
    def _has_terms(self) -> bool:
        """Whether log q and log p both are sums over the coordinates."""
        return self._carried_log_q is None and self.q.has_terms and self.p.has_terms

    @property
    def kl(self) -> Tensor:
        """KL(q‖p), shape (K, B)."""
        if self._kl_elements is None and self.p.terms_are_slow and self._is_estimated:
            return self.log_q - self.log_p
        return _sum(self.kl_elements)

    @property
    def log_p(self) -> Tensor:
        """log p(z) at the sample, shape (K, B); taken once, for it may be an estimate."""
        if self._log_p is None:
            self._log_p = self.p.log_prob(self.value)
        return self._log_p

    @property
    def log_q(self) -> Tensor:
        """log q(z|x) at the sample, shape (K, B).

        Raises:
            ConfigError: If q is relaxed, as its draws are then none of q.
        """
        self._require_draws()
        if self._carried_log_q is not None:
            return self._carried_log_q
        return self.q.log_prob(self.value)

    @property
    def log_q_stopped(self) -> Tensor:
        """log q(z|x) with q's parameters held constant: the path derivative of STL and DReG."""
        self._require_draws()
        return self.q.detach().log_prob(self.value)

    def _require_draws(self) -> None:
        if self.q.is_relaxed:
            raise ConfigError(
                "relaxed codes are no draws of q(z|x), so their log weights bound nothing",
                expected="exact codes, or a rate in closed form alone",
                got=f"{type(self.q).__name__} with a temperature",
                remedy="use posterior categorical:hard=true, or objective 'elbo' with the prior "
                "'uniform-categorical'; in evaluation codes are exact",
            )


class Evidence:
    """What a model says about a batch: elements first, sums derived from them.

    Args:
        px: The likelihood p(x|z), batch shape (K, B).
        log_px_elements: Terms of log p(x|z), shape ``(K, B, *event)``; None leaves them to ``px``,
            which computes them, or their sum alone, when they are asked for.
        nodes: The latent groups, from the top down.
        penalties: Named scalars that are part of the model, not of the bound (a commitment loss).
        value: What ``px`` scores, shape ``(B, *event)``; needed where the elements are None.
    """

    __slots__ = ("_log_px", "_log_px_elements", "nodes", "penalties", "px", "value")

    def __init__(
        self,
        px: Density,
        log_px_elements: Tensor | None,
        nodes: Sequence[Node],
        penalties: Mapping[str, Tensor] | None = None,
        *,
        value: Tensor | None = None,
    ) -> None:
        if log_px_elements is None and value is None:
            raise ConfigError("evidence needs the elements of log p(x|z), or the value to score")
        self.px = px
        self.value = value
        self.nodes = tuple(nodes)
        self.penalties = dict(penalties or {})
        self._log_px_elements = log_px_elements
        self._log_px: Tensor | None = None

    @property
    def log_px_elements(self) -> Tensor:
        """Terms of log p(x|z), shape ``(K, B, *event)``."""
        if self._log_px_elements is None:
            assert self.value is not None
            self._log_px_elements = self.px.log_prob_elements(self.value)
        return self._log_px_elements

    @property
    def log_px(self) -> Tensor:
        """log p(x|z), shape (K, B)."""
        if self._log_px is None:
            if self._log_px_elements is None and self.value is not None:
                self._log_px = self.px.log_prob(self.value)
            else:
                self._log_px = _sum(self.log_px_elements)
        return self._log_px

    @property
    def distortion(self) -> Tensor:
        """−log p(x|z), shape (K, B)."""
        return -self.log_px

    @property
    def rate(self) -> Tensor:
        """Σ KL(q‖p) over the nodes, shape (K, B); zero for a model without latents."""
        if not self.nodes:
            return torch.zeros_like(self.log_px)
        total = self.nodes[0].kl
        for node in self.nodes[1:]:
            total = total + node.kl
        return total

    @property
    def elbo(self) -> Tensor:
        """log p(x|z) − rate: a lower bound on log p(x) in expectation, shape (K, B)."""
        return self.log_px - self.rate

    @property
    def log_weight(self) -> Tensor:
        """log p(x, z) − log q(z|x), shape (K, B): all that importance sampling needs."""
        total = self.log_px
        for node in self.nodes:
            total = total + (node.log_p - node.log_q)
        return total

    @property
    def penalty(self) -> Tensor:
        """The sum of all penalties, a scalar."""
        return sum(self.penalties.values(), self.log_px.new_zeros(()))
