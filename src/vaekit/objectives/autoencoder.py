"""The objective of autoencoders: the distortion, with penalties on code, encoder and decoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from vaekit.errors import ConfigError
from vaekit.models import Evidence
from vaekit.objectives.fixed import require_fixed
from vaekit.objectives.objective import END, Loss, Objective, Progress, whole
from vaekit.spec import Within

__all__ = ["Autoencoding"]

Penalty = Annotated[float, Within(0.0, 1e9)]


class Autoencoding(Objective, kind="objective/autoencoder"):
    r"""Distortion plus penalties, in nats per example (penalties in their own units).

    .. math::
        L = -\log p(x \mid z) + \lambda_1 \sum_i |z_i|
        + \lambda_J \, \|\partial z / \partial x\|_F^2
        + \tfrac{\lambda_z}{2} \|z\|^2 + \lambda_\theta \|\theta\|^2
        + \lambda_D \, \|\partial \hat x / \partial z\|_F^2

    with θ the decoder's parameters and :math:`\hat x = E[x|z]`. The last three make a regularised
    autoencoder: ``code`` with ``decay`` or with ``smoothness``. It has no prior; to sample from
    it, fit one to its codes (:func:`vaekit.tasks.fit_prior`).

    Args:
        sparsity: λ₁, weight of the absolute values of the code.
        contraction: λ_J, weight of the squared Frobenius norm of the encoder's Jacobian.
        code: λ_z, weight of half the squared norm of the code.
        decay: λ_θ, weight of the squared norm of the decoder's parameters.
        smoothness: λ_D, weight of the squared Frobenius norm of the decoder's Jacobian at the
            code. It is exact, at the cost of one backward pass per latent dimension.

    References:
        - Contractive Auto-Encoders: Explicit Invariance During Feature Extraction (Rifai et al.,
          2011).
        - From Variational to Deterministic Autoencoders (Ghosh, Sajjadi, Vergari, Black &
          Schölkopf, 2019), arXiv:1903.12436.

    Example:
        >>> from vaekit.latents import Point
        >>> from vaekit.models import FlatVAE
        >>> model = FlatVAE(posterior=Point()).build(event_shape=(5,))
        >>> objective = Autoencoding(code=0.1, decay=1e-4)
        >>> list(objective(model.evidence(torch.rand(8, 5)), model=model).terms)
        ['loss', 'distortion', 'code', 'decay']
    """

    uses_prior = False

    sparsity: Penalty = 0.0
    contraction: Penalty = 0.0
    code: Penalty = 0.0
    decay: Penalty = 0.0
    smoothness: Penalty = 0.0

    def __call__(
        self,
        evidence: Evidence,
        *,
        batch: Any = None,
        model: nn.Module | None = None,
        progress: Progress = END,
    ) -> Loss:
        """The loss, with terms distortion and the penalties in use, the model's own included.

        Raises:
            ConfigError: If a penalty in use needs the model or the batch and it is not given, or
                the prior has parameters, which would stay untrained.
        """
        for node in evidence.nodes:
            require_fixed(node, "this objective has no term in it")
        total = distortion = -evidence.log_px.mean()
        terms = {"distortion": distortion}
        for name, (penalty, needs) in PENALTIES.items():
            if weight := getattr(self, name):
                _require(name, needs, model=model, batch=batch)
                terms[name] = penalty(evidence, model, batch)
                total = total + weight * terms[name]
        return whole(evidence, total, terms)


def sum_abs(evidence: Evidence, *_: Any) -> Tensor:
    """Mean over the batch of Σ|z|."""
    return _over_codes(evidence, torch.abs)


def half_square(evidence: Evidence, *_: Any) -> Tensor:
    """Mean over the batch of ½‖z‖²."""
    return 0.5 * _over_codes(evidence, torch.square)


def _over_codes(evidence: Evidence, term: Callable[[Tensor], Tensor]) -> Tensor:
    """Mean over the batch of the sum of a term of each number of a code."""
    parts = [term(node.z.flatten(2)).sum(-1).mean() for node in evidence.nodes]
    return sum(parts, evidence.log_px.new_zeros(()))


def decoder_norm(evidence: Evidence, model: nn.Module, _: Any) -> Tensor:
    """‖θ‖² of the decoder's parameters."""
    squares = [weight.square().sum() for weight in model.decoder.parameters()]  # type: ignore[union-attr]
    return sum(squares, evidence.log_px.new_zeros(()))


def encoder_jacobian(_: Evidence, model: nn.Module, batch: Any) -> Tensor:
    """Mean over the batch of ‖∂E[z|x]/∂x‖²_F, exact, one backward pass per latent dimension."""
    with torch.enable_grad():
        x = batch.x.detach().requires_grad_()
        code = again(model, "encode", x, batch.c).mean.flatten(1)
        total = x.new_zeros(())
        for column in code.unbind(1):
            (row,) = torch.autograd.grad(column.sum(), x, create_graph=True)
            total = total + row.square().sum() / len(x)
    return total


def decoder_jacobian(evidence: Evidence, model: nn.Module, batch: Any) -> Tensor:
    r"""Mean over the batch of ‖∂E[x|z]/∂z‖²_F, exact, one backward pass per latent dimension.

    For any v, :math:`g = J^\top v` is one backward pass, and the derivative of its j-th number by
    v is the j-th column of J.
    """
    if len(evidence.nodes) != 1:
        raise ConfigError(
            "the decoder's Jacobian is by the code of a single latent group",
            got=f"{len(evidence.nodes)} latent groups",
            where="objective/autoencoder.smoothness",
            remedy="leave smoothness out, or choose another model",
        )
    with torch.enable_grad():
        z = evidence.nodes[0].z
        shift = torch.zeros_like(z).requires_grad_()  # derivatives by it are those by z
        mean = again(model, "decode", z + shift, batch.c).mean
        v = torch.zeros_like(mean).requires_grad_()
        (product,) = torch.autograd.grad(mean, shift, v, create_graph=True)
        total = mean.new_zeros(())
        for number in product.flatten(2).unbind(2):
            (column,) = torch.autograd.grad(number.sum(), v, create_graph=True)
            total = total + column.square().sum() / number.numel()
    return total


class _Method(nn.Module):
    """A method of a module as a module, so that its tensors can be replaced by name."""

    def __init__(self, module: nn.Module, name: str) -> None:
        super().__init__()
        self.module = module
        self.name = name

    def forward(self, *args: Any) -> Any:
        return getattr(self.module, self.name)(*args)


def again(model: nn.Module, method: str, *args: Any) -> Any:
    """Another forward pass on the same batch, which leaves buffers as they are.

    The first pass has updated the running statistics of a batch norm already.
    """
    buffers = {f"module.{name}": value.clone() for name, value in model.named_buffers()}
    return functional_call(_Method(model, method), buffers, args)


PENALTIES: dict[str, tuple[Callable[..., Tensor], tuple[str, ...]]] = {
    "sparsity": (sum_abs, ()),
    "contraction": (encoder_jacobian, ("model", "batch")),
    "code": (half_square, ()),
    "decay": (decoder_norm, ("model",)),
    "smoothness": (decoder_jacobian, ("model", "batch")),
}
"""Each penalty by the field that is its weight, and what it needs beside the evidence."""


def _require(name: str, needs: tuple[str, ...], **given: Any) -> None:
    if any(given[need] is None for need in needs):
        raise ConfigError(
            f"the penalty {name!r} needs the {' and the '.join(needs)}",
            where="objective/autoencoder",
            remedy=f"call the objective with {' and '.join(f'{need}=…' for need in needs)}",
        )
