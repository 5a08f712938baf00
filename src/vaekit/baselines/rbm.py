r"""Restricted Boltzmann machines: visible units v and hidden units h in one energy.

.. math::
    E(v, h) = R(v) - b^\top v - v^\top W h - c^\top h + R(h), \qquad p(v, h) \propto e^{-E(v, h)}

Units are binary (R = 0) or normal with unit variance (R(v) = ½‖v‖²). Given one side, the units of
the other are independent, with natural parameters c + Wᵀv and b + Wh.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Generator, Tensor
from torch.nn.functional import softplus

from vaekit.errors import NumericalError

__all__ = ["BINARY", "NORMAL", "RBM", "Gradient", "Units"]

FIRST_SCALE = 0.01  # of the first weights


class Units(Protocol):
    """One side of a machine, as an exponential family; all maps are elementwise but ``cost``."""

    def log_partition(self, natural: Tensor) -> Tensor:
        """log of the sum or integral of exp(natural · v − R(v)), up to a constant."""
        ...

    def mean(self, natural: Tensor) -> Tensor:
        """E v: the derivative of ``log_partition``."""
        ...

    def natural(self, mean: Tensor) -> Tensor:
        """The inverse of ``mean``."""
        ...

    def draw(self, natural: Tensor, generator: Generator) -> Tensor:
        """A sample."""
        ...

    def cost(self, v: Tensor) -> Tensor:
        """R(v), summed over the last axis."""
        ...


class _Binary:
    """0 or 1."""

    def log_partition(self, natural: Tensor) -> Tensor:
        return softplus(natural)

    def mean(self, natural: Tensor) -> Tensor:
        return natural.sigmoid()

    def natural(self, mean: Tensor) -> Tensor:
        return mean.logit(eps=0.01)

    def draw(self, natural: Tensor, generator: Generator) -> Tensor:
        return torch.bernoulli(self.mean(natural), generator=generator)

    def cost(self, v: Tensor) -> Tensor:
        return torch.zeros_like(v[..., 0])


class _Normal:
    """A real number with unit variance."""

    def log_partition(self, natural: Tensor) -> Tensor:
        return 0.5 * natural.square()

    def mean(self, natural: Tensor) -> Tensor:
        return natural

    def natural(self, mean: Tensor) -> Tensor:
        return mean

    def draw(self, natural: Tensor, generator: Generator) -> Tensor:
        return natural + torch.empty_like(natural).normal_(generator=generator)

    def cost(self, v: Tensor) -> Tensor:
        return 0.5 * v.square().sum(-1)


BINARY: Units = _Binary()
NORMAL: Units = _Normal()


class Gradient(NamedTuple):
    """Of the mean log p(v), or an estimate of it: in the order of :attr:`RBM.parameters`."""

    weight: Tensor
    visible_bias: Tensor
    hidden_bias: Tensor


class RBM:
    """A restricted Boltzmann machine, trained by contrastive divergence.

    Args:
        rows: Training rows, shape (n, V); the visible biases start at their mean.
        size: Number of hidden units, H.
        visible: What v is.
        hidden: What h is.
        generator: Of everything random, the first weights included.

    Attributes:
        weight: W, shape (V, H).
        visible_bias: b, shape (V,).
        hidden_bias: c, shape (H,).

    References:
        Training Products of Experts by Minimizing Contrastive Divergence (Hinton, 2002).
        Exponential Family Harmoniums with an Application to Information Retrieval (Welling,
        Rosen-Zvi & Hinton, 2004).

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> machine = RBM(torch.eye(4), 2, generator=generator)
        >>> machine.down(machine.up(torch.eye(4))).shape
        torch.Size([4, 4])
    """

    def __init__(
        self,
        rows: Tensor,
        size: int,
        *,
        visible: Units = BINARY,
        hidden: Units = BINARY,
        generator: Generator,
    ) -> None:
        self.visible = visible
        self.hidden = hidden
        self.generator = generator
        first = torch.empty(rows.shape[1], size, dtype=rows.dtype)
        self.weight = first.normal_(std=FIRST_SCALE, generator=generator)
        self.visible_bias = visible.natural(rows.mean(0))
        self.hidden_bias = torch.zeros(size, dtype=rows.dtype)

    @property
    def parameters(self) -> tuple[Tensor, Tensor, Tensor]:
        """W, b and c."""
        return self.weight, self.visible_bias, self.hidden_bias

    def up(self, v: Tensor) -> Tensor:
        """E[h|v], shape (n, H)."""
        return self.hidden.mean(self._up(v))

    def down(self, h: Tensor) -> Tensor:
        """E[v|h], shape (n, V)."""
        return self.visible.mean(self._down(h))

    def free_energy(self, v: Tensor) -> Tensor:
        """F(v) = −log Σₕ exp(−E(v, h)) up to a constant, shape (n,): p(v) ∝ exp(−F(v))."""
        evidence = self.hidden.log_partition(self._up(v)).sum(-1)
        return self.visible.cost(v) - v @ self.visible_bias - evidence

    def contrast(self, v: Tensor, *, steps: int = 1) -> Gradient:
        """CD: statistics of rows less those after some steps of Gibbs sampling from them.

        Args:
            v: Rows, shape (n, V).
            steps: Of the chain; the estimate is unbiased only in the limit of many.
        """
        chain = v
        for _ in range(steps):
            h = self.hidden.draw(self._up(chain), self.generator)
            chain = self.visible.draw(self._down(h), self.generator)
        data, model = self.up(v), self.up(chain)
        return Gradient(
            (v.T @ data - chain.T @ model) / len(v),
            (v - chain).mean(0),
            (data - model).mean(0),
        )

    def fit(self, rows: Tensor, *, epochs: int, batch_size: int, rate: float) -> None:
        """Follow CD-1 with Adam.

        Raises:
            NumericalError: If the weights leave the real numbers.
        """
        optimizer = torch.optim.Adam(self.parameters, lr=rate, maximize=True)
        for _ in range(epochs):
            for index in torch.randperm(len(rows), generator=self.generator).split(batch_size):
                for tensor, gradient in zip(
                    self.parameters, self.contrast(rows[index]), strict=True
                ):
                    tensor.grad = gradient
                optimizer.step()
        if not self.weight.isfinite().all():
            raise NumericalError(
                "a Boltzmann machine's weights are no longer finite",
                remedy="choose a smaller rate, or scale the data",
            )

    def _up(self, v: Tensor) -> Tensor:
        return self.hidden_bias + v @ self.weight

    def _down(self, h: Tensor) -> Tensor:
        return self.visible_bias + h @ self.weight.T
