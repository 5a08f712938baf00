"""Costs in place of a likelihood: any measure of how far a reconstruction is from x."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from vaekit.distributions import JointDensity
from vaekit.errors import ConfigError, ShapeError
from vaekit.likelihoods.likelihood import Likelihood
from vaekit.spec import Role, Spec, Within

__all__ = ["Cost", "CostLikelihood", "Perceptual", "PerceptualCost"]

Loss = Callable[[Tensor, Tensor], Tensor]


class Cost(Spec, kind="likelihood/cost"):
    r"""A cost, :math:`\log p(x \mid z) := -w\, L(\hat x(z), x)`; the decoder emits :math:`\hat x`.

    It is no density: there is an objective to train with and a reconstruction to look at, but no
    bound on log p(x), and what asks for one is refused.

    Args:
        loss: ``loss(x_hat, x)`` of two tensors ``(N, *event)`` with one number per row, or any
            more that are to be summed; or a ``cost/…`` spec whose ``build()`` returns one. It is
            held constant, and a model can be saved where it is a registered spec.
        weight: w, what the cost weighs against the rate.

    Example:
        >>> cost = Cost(loss=lambda x_hat, x: (x_hat - x).abs()).build(event_shape=(3,))
        >>> cost(torch.zeros(2, 3)).log_prob(torch.ones(2, 3))
        tensor([-3., -3.])
    """

    loss: Annotated[Any, Role("cost")]
    weight: Annotated[float, Within(0.0, 1e9)] = 1.0

    def build(self, *, event_shape: Sequence[int]) -> CostLikelihood:
        """The module for observations of ``event_shape``."""
        return CostLikelihood(self, event_shape)


class CostLikelihood(Likelihood):
    """The module of :class:`Cost`."""

    spec: Cost
    is_density = False

    def __init__(self, spec: Cost, event_shape: Sequence[int]) -> None:
        super().__init__(spec, event_shape)
        loss = spec.loss if callable(spec.loss) else spec.loss.build()
        self.loss = _constant(loss) if isinstance(loss, nn.Module) else loss

    def forward(self, params: Tensor, *, x: Tensor | None = None) -> CostDensity:
        """What stands for p(x|z); see :class:`Likelihood`."""
        return CostDensity(params, self.loss, self.spec.weight, event_dims=self.event_dims)

    def train(self, mode: bool = True) -> CostLikelihood:
        """Switch the mode of all but the loss, which is always evaluated."""
        super().train(mode)
        if isinstance(self.loss, nn.Module):
            self.loss.eval()
        return self


class Perceptual(Spec, kind="cost/perceptual"):
    r"""Squared distance of features, :math:`\sum_j \|f_j(\hat x) - f_j(x)\|^2 / n_j`.

    Args:
        features: ``features(x)`` → a tensor (N, …) or several, the f_j of size n_j: the layers of
            a trained network. vaekit ships none.

    References:
        Deep Feature Consistent Variational Autoencoder (Hou et al., 2016), arXiv:1610.00291.

    Example:
        >>> likelihood = Cost(Perceptual(nn.Flatten())).build(event_shape=(1, 2, 2))
        >>> likelihood(torch.zeros(3, 1, 2, 2)).log_prob(torch.ones(3, 1, 2, 2))
        tensor([-1., -1., -1.])
    """

    features: Annotated[Any, Role("")]

    def build(self) -> PerceptualCost:
        """The module."""
        return PerceptualCost(self)


class PerceptualCost(nn.Module):
    """The module of :class:`Perceptual`."""

    def __init__(self, spec: Perceptual) -> None:
        super().__init__()
        self.spec = spec
        self.features = spec.features if callable(spec.features) else spec.features.build()

    def forward(self, x_hat: Tensor, x: Tensor) -> Tensor:
        """One number per row."""
        pairs = zip(_several(self.features(x_hat)), _several(self.features(x)), strict=True)
        return torch.stack([(a - b).square().flatten(1).mean(1) for a, b in pairs]).sum(0)


class CostDensity(JointDensity):
    r"""What a cost gives in place of a density: minus the weighted cost, and :math:`\hat x`.

    Args:
        x_hat: The reconstruction, shape ``(*batch, *event)``.
        loss: Of two tensors ``(N, *event)``, see :class:`Cost`.
        weight: Its weight.
        event_dims: Trailing axes that make up one event.
    """

    __slots__ = ("loss", "weight", "x_hat")

    def __init__(self, x_hat: Tensor, loss: Loss, weight: float, *, event_dims: int) -> None:
        self.x_hat = x_hat
        self.loss = loss
        self.weight = weight
        self.event_dims = event_dims

    def log_prob(self, value: Tensor) -> Tensor:
        """Minus the weighted cost, shape ``(*batch,)``.

        Raises:
            ShapeError: If the loss does not keep the rows apart.
        """
        x_hat, x = torch.broadcast_tensors(self.x_hat, value)
        batch = x.shape[: x.dim() - self.event_dims]
        rows = (batch.numel(), *x.shape[len(batch) :])
        cost = self.loss(x_hat.reshape(rows), x.reshape(rows))
        if not cost.dim() or len(cost) != rows[0]:
            raise ShapeError(
                "a cost has at least one number per row",
                expected=f"shape ({rows[0]}, …)",
                got=tuple(cost.shape),
                remedy="let the loss keep the first axis (reduction='none')",
            )
        return -self.weight * cost.reshape(rows[0], -1).sum(-1).reshape(batch)

    def sample(self, shape: Sequence[int] = ()) -> Tensor:
        """Refused: a cost is no density to draw from."""
        raise ConfigError("a cost has no density to draw from", remedy="take its mean")

    @property
    def mean(self) -> Tensor:
        r"""The reconstruction :math:`\hat x`, shape ``(*batch, *event)``."""
        return self.x_hat


def _constant(loss: nn.Module) -> nn.Module:
    """A copy that is not trained: the caller's own module stays as it is."""
    return copy.deepcopy(loss).requires_grad_(False).eval()


def _several(features: Tensor | Sequence[Tensor]) -> Sequence[Tensor]:
    return [features] if isinstance(features, Tensor) else features
