"""Groups of categorical variables as one-hot vectors, relaxed where gradients are needed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from vaekit.distributions.density import Density, register_kl
from vaekit.distributions.noise import open_uniform

__all__ = ["OneHot"]


class OneHot(Density):
    r"""Independent groups of K classes, each written as a one-hot vector; a mass, in nats.

    .. math:: \log p = \sum_g \sum_k z_{gk} \log \pi_{gk}, \quad \pi_g = \mathrm{softmax}(\ell_g)

    Draws add Gumbel noise to the logits: :meth:`sample` takes the largest, an exact draw.
    :meth:`rsample` does so too without a temperature; with one it returns the *relaxed* vector
    :math:`\mathrm{softmax}((\ell + g) / \tau)`, which has gradients. A relaxed vector is no draw
    of this mass: what is computed from it is biased, less so for smaller τ, but noisier then. With
    ``hard`` the value is the exact one-hot vector and the gradient that of the relaxed one.

    Args:
        logits: Unnormalised log masses, groups one after the other, shape ``(*batch, G K)``.
        classes: K.
        temperature: τ of the relaxation, or None for exact draws.
        hard: Whether relaxed draws are rounded to one-hot vectors on the way forward.

    References:
        | Categorical Reparameterization with Gumbel-Softmax (Jang, Gu & Poole, 2016),
          arXiv:1611.01144.
        | The Concrete Distribution (Maddison, Mnih & Teh, 2016), arXiv:1611.00712.

    Example:
        >>> q = OneHot(torch.zeros(4, 6), classes=3)
        >>> q.sample().sum(-1), q.log_prob(q.sample()).exp() * 9
        (tensor([2., 2., 2., 2.]), tensor([1.0000, 1.0000, 1.0000, 1.0000]))
    """

    __slots__ = ("classes", "hard", "log_probs", "temperature")
    draws_have_paths = False

    def __init__(
        self,
        logits: Tensor,
        *,
        classes: int,
        temperature: float | None = None,
        hard: bool = False,
    ) -> None:
        self.log_probs = logits.unflatten(-1, (-1, classes)).log_softmax(-1)
        self.classes = classes
        self.temperature = temperature
        self.hard = hard
        self.event_dims = 1

    @property
    def is_relaxed(self) -> bool:
        """Whether there is a temperature and draws are not rounded."""
        return self.temperature is not None and not self.hard

    def log_prob_elements(self, value: Tensor) -> Tensor:  # noqa: D102
        return value * self.log_probs.flatten(-2)

    def rsample(self, shape: Sequence[int] = ()) -> Tensor:  # noqa: D102
        scores = self._scores(shape)
        exact = F.one_hot(scores.argmax(-1), self.classes).to(scores)
        if self.temperature is None:
            return exact.flatten(-2)
        relaxed = (scores / self.temperature).softmax(-1)
        if self.hard:
            relaxed = exact + (relaxed - relaxed.detach())
        return relaxed.flatten(-2)

    def sample(self, shape: Sequence[int] = ()) -> Tensor:
        """Exact one-hot draws of shape ``(*shape, *batch, G K)``, without gradients."""
        with torch.no_grad():
            scores = self._scores(shape)
            return F.one_hot(scores.argmax(-1), self.classes).to(scores).flatten(-2)

    def _scores(self, shape: Sequence[int]) -> Tensor:
        """Log masses with Gumbel noise: the largest is a draw."""
        u = open_uniform(shape, like=self.log_probs, event_dims=2)
        return self.log_probs - (-u.log()).log()

    @property
    def mean(self) -> Tensor:
        """The masses π, shape ``(*batch, G K)``."""
        return self.log_probs.exp().flatten(-2)

    @property
    def stddev(self) -> Tensor:
        """√(π (1 − π)), shape ``(*batch, G K)``."""
        return (self.mean * (1 - self.mean)).sqrt()


@register_kl(OneHot, OneHot)
def _(q: OneHot, p: OneHot) -> Tensor:
    """One term for each group, Σ q (log q − log p), shape ``(*batch, G)``."""
    return (q.log_probs.exp() * (q.log_probs - p.log_probs)).sum(-1)
