"""Optimisers as specs: torch's own, fused where torch has a fused kernel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import torch
from torch import nn
from torch.optim import optimizer as every

from vaekit.spec import Spec, Within

__all__ = ["SGD", "Adam", "AdamW", "Adamax", "OptimizerSpec", "advance"]

Rate = Annotated[float, Within(0.0, 1e3)]
Decay = Annotated[float, Within(0.0, 1.0)]


class OptimizerSpec(Spec):
    """Base of optimiser specs; ``lr`` is the rate that a schedule multiplies."""

    lr: Rate = 1e-3

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser over these parameters."""
        raise NotImplementedError


class Adam(OptimizerSpec, kind="optimizer/adam"):
    """Adam (Kingma & Ba, 2014), arXiv:1412.6980, one fused kernel for all weights.

    Example:
        >>> type(Adam(lr=3e-4).build([nn.Parameter(torch.zeros(2))])).__name__
        'Adam'
    """

    beta1: Decay = 0.9
    beta2: Decay = 0.999
    eps: Annotated[float, Within(1e-16, 1.0)] = 1e-8

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser over these parameters."""
        betas = (self.beta1, self.beta2)
        return torch.optim.Adam(parameters, lr=self.lr, betas=betas, eps=self.eps, fused=True)


class AdamW(OptimizerSpec, kind="optimizer/adamw"):
    """Adam with decoupled weight decay (Loshchilov & Hutter, 2017), arXiv:1711.05101."""

    beta1: Decay = 0.9
    beta2: Decay = 0.999
    eps: Annotated[float, Within(1e-16, 1.0)] = 1e-8
    weight_decay: Annotated[float, Within(0.0, 10.0)] = 0.01

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser over these parameters."""
        return torch.optim.AdamW(
            parameters,
            lr=self.lr,
            betas=(self.beta1, self.beta2),
            eps=self.eps,
            weight_decay=self.weight_decay,
            fused=True,
        )


class Adamax(OptimizerSpec, kind="optimizer/adamax"):
    """Adamax, the variant of Adam with the infinity norm; torch has no fused kernel for it."""

    lr: Rate = 2e-3
    beta1: Decay = 0.9
    beta2: Decay = 0.999
    eps: Annotated[float, Within(1e-16, 1.0)] = 1e-8

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser over these parameters."""
        betas = (self.beta1, self.beta2)
        return torch.optim.Adamax(parameters, lr=self.lr, betas=betas, eps=self.eps, foreach=True)


class SGD(OptimizerSpec, kind="optimizer/sgd"):
    """Stochastic gradient descent with momentum."""

    lr: Rate = 1e-2
    momentum: Decay = 0.9

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser over these parameters."""
        return torch.optim.SGD(parameters, lr=self.lr, momentum=self.momentum, fused=True)


@torch.no_grad()
def advance(optimizer: torch.optim.Optimizer) -> None:
    """``optimizer.step()``, for Adam over one vector without what that does in Python around it.

    The kernel and the state are the optimiser's own. It matters where a step takes a millisecond.
    """
    vector = _single(optimizer)
    if vector is None or vector.grad is None:
        optimizer.step()
        return
    group, state = optimizer.param_groups[0], optimizer.state[vector]
    beta1, beta2 = group["betas"]
    state["step"].add_(1)
    torch._fused_adam_(
        [vector],
        [vector.grad],
        [state["exp_avg"]],
        [state["exp_avg_sq"]],
        [],
        [state["step"]],
        lr=group["lr"],
        beta1=beta1,
        beta2=beta2,
        weight_decay=0.0,
        eps=group["eps"],
        amsgrad=False,
        maximize=False,
    )


def _single(optimizer: torch.optim.Optimizer) -> nn.Parameter | None:
    """The vector of a fused Adam that has made its first step and holds nothing else, or None."""
    if type(optimizer) is not torch.optim.Adam or len(optimizer.param_groups) != 1:
        return None
    if _is_watched(optimizer):
        return None
    group = optimizer.param_groups[0]
    plain = group["fused"] and not (
        group["amsgrad"] or group["maximize"] or group["weight_decay"] or group["capturable"]
    )
    if not plain or len(group["params"]) != 1:
        return None
    vector: nn.Parameter = group["params"][0]
    return vector if optimizer.state.get(vector) else None


def _is_watched(optimizer: torch.optim.Optimizer) -> bool:
    """Whether anybody waits for the optimiser's own ``step``: hooks, or a patched method."""
    own = optimizer._optimizer_step_pre_hooks, optimizer._optimizer_step_post_hooks
    everybodys = every._global_optimizer_pre_hooks, every._global_optimizer_post_hooks
    return any((*own, *everybodys)) or "step" in vars(optimizer)
