"""What a metric needs of a model and of data; whatever fits these protocols can be measured."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from vaekit.distributions import Density
from vaekit.errors import ConfigError
from vaekit.models import Evidence

__all__ = [
    "Batch",
    "Batches",
    "Scorable",
    "evaluating",
    "in_dtype",
    "like_model",
    "need_density",
    "why_no_density",
]


class Scorable(Protocol):
    """A module that gives evidence: every model of vaekit, or one of the user's."""

    training: bool

    @property
    def has_density(self) -> bool:
        """Whether bounds on log p(x) exist."""
        ...

    def evidence(self, x: Tensor, c: Tensor | None = None, *, samples: int = 1) -> Evidence:
        """One forward pass; see :meth:`vaekit.models.VAEModel.evidence`."""
        ...

    def encode(self, x: Tensor, c: Tensor | None = None) -> Density:
        """The posterior q(z|x, c)."""
        ...

    def reconstruct(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """E[x|z] at the posterior mean, shape ``(B, *event)``."""
        ...

    def train(self, mode: bool = True) -> Any:
        """As of ``nn.Module``."""
        ...

    def parameters(self) -> Iterator[Any]:
        """As of ``nn.Module``."""
        ...

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """As of ``nn.Module``."""
        ...


class Batch(Protocol):
    """Rows in model units: observations, and labels and contexts where there are some."""

    @property
    def x(self) -> Tensor:
        """Observations, shape ``(B, *event)``."""
        ...

    @property
    def y(self) -> Tensor | None:
        """Labels, shape (B,)."""
        ...

    @property
    def c(self) -> Tensor | None:
        """Contexts, shape (B, k)."""
        ...


class Batches(Protocol):
    """Data that come in batches, such as ``vaekit.data.TensorData``."""

    def batches(self, size: int, *, train: bool = False) -> Iterable[Batch]:
        """Batches of at most ``size`` rows, in order unless ``train``."""
        ...


@contextlib.contextmanager
def evaluating(model: Scorable) -> Iterator[None]:
    """Evaluation mode without gradients inside the block; the mode before is restored."""
    was_training = model.training
    model.train(False)
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def in_dtype(model: Scorable, dtype: torch.dtype | None) -> Scorable:
    """The model itself, or a copy that computes in ``dtype``."""
    return model if dtype is None else copy.deepcopy(model).to(dtype)


def like_model(model: Scorable, values: Tensor) -> Tensor:
    """``values`` where the model lives; floating-point numbers also in the model's dtype."""
    reference = next((p for p in model.parameters() if p.is_floating_point()), values)
    floats = values.is_floating_point()
    return values.to(reference) if floats else values.to(reference.device)


def need_density(model: Scorable) -> None:
    """Raise :class:`ConfigError` for a model without bounds on log p(x)."""
    if not model.has_density:
        raise ConfigError(
            f"{type(model).__name__} has no likelihood of the data: {why_no_density(model)}",
            remedy="compare it by reconstruction error, or give it a posterior with a density "
            "(for example 'diagonal') and a likelihood that is one",
        )


def why_no_density(model: Scorable) -> str:
    """Which part of a model without bounds on log p(x) is to blame."""
    posterior = getattr(model, "posterior", None)
    if posterior is not None and not posterior.has_density:
        return f"its posterior {posterior.spec.kind!r} is a point, with no density"
    likelihood = getattr(model, "likelihood", None)
    if likelihood is not None and not likelihood.is_density:
        return f"its likelihood {likelihood.spec.kind!r} is a cost, not a density"
    return "the model says has_density = False"
