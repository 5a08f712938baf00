"""The objective of autoencoders: the distortion, with optional sparsity and contraction."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor, nn

from vaekit.errors import ConfigError
from vaekit.models import Evidence
from vaekit.objectives.objective import END, Loss, Objective, Progress, whole
from vaekit.spec import Within

__all__ = ["Autoencoding"]

Penalty = Annotated[float, Within(0.0, 1e9)]


class Autoencoding(Objective, kind="objective/autoencoder"):
    r"""Distortion plus penalties on the code, in nats per example (penalties in their own units).

    .. math::
        L = -\log p(x \mid z) + \lambda_1 \sum_i |z_i|
        + \lambda_J \, \|\partial z / \partial x\|_F^2

    Args:
        sparsity: λ₁, weight of the absolute values of the code.
        contraction: λ_J, weight of the squared Frobenius norm of the encoder's Jacobian.

    References:
        Contractive Auto-Encoders: Explicit Invariance During Feature Extraction (Rifai et al.,
        2011).
    """

    sparsity: Penalty = 0.0
    contraction: Penalty = 0.0

    def __call__(
        self,
        evidence: Evidence,
        *,
        batch: Any = None,
        model: nn.Module | None = None,
        progress: Progress = END,
    ) -> Loss:
        """The loss, with terms distortion and the penalties in use, the model's own included."""
        distortion = -evidence.log_px.mean()
        terms = {"distortion": distortion}
        total = distortion
        if self.sparsity:
            terms["sparsity"] = sum_abs(evidence)
            total = total + self.sparsity * terms["sparsity"]
        if self.contraction:
            if model is None or batch is None:
                raise ConfigError(
                    "the contraction needs the model and the batch",
                    remedy="call the objective with model=… and batch=…",
                )
            terms["contraction"] = jacobian_norm(model, batch.x, batch.c)
            total = total + self.contraction * terms["contraction"]
        return whole(evidence, total, terms)


def sum_abs(evidence: Evidence) -> Tensor:
    """Mean over the batch of Σ|z|."""
    parts = [node.z.flatten(2).abs().sum(-1).mean() for node in evidence.nodes]
    return sum(parts, evidence.log_px.new_zeros(()))


def jacobian_norm(model: nn.Module, x: Tensor, c: Tensor | None) -> Tensor:
    """Mean over the batch of ‖∂E[z|x]/∂x‖²_F, exact, one backward pass per latent dimension."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        code = model.encode(x, c).mean.flatten(1)  # type: ignore[operator]
        total = x.new_zeros(())
        for column in code.unbind(1):
            (row,) = torch.autograd.grad(column.sum(), x, create_graph=True)
            total = total + row.square().sum() / len(x)
    return total
