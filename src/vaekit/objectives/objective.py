"""What an objective is: a pure function of Evidence that returns a loss and its named terms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from vaekit.models import Evidence
from vaekit.spec import Spec

__all__ = ["END", "Loss", "Objective", "Progress"]


class Progress(NamedTuple):
    """How far the training is: ``step`` of ``total`` optimiser steps."""

    step: int
    total: int

    @property
    def fraction(self) -> float:
        """From 0 at the first step to 1 at the last."""
        return min(1.0, self.step / max(1, self.total - 1))

    @classmethod
    def end(cls) -> Progress:
        """The end of training, where every schedule has its final value."""
        return cls(1, 2)


END = Progress.end()


class Loss:
    """A scalar to minimise, and what it is made of.

    Args:
        total: The scalar with its graph.
        terms: Named values for the history, scalars or vectors, without graph.
    """

    __slots__ = ("terms", "total")

    def __init__(self, total: Tensor, terms: Mapping[str, Tensor] | None = None) -> None:
        self.total = total
        self.terms = {name: value.detach() for name, value in (terms or {}).items()}


class Objective(Spec):
    """Base of objectives: frozen values that are also functions of the evidence.

    Any callable with this signature can stand in for one.

    Attributes:
        samples: How many codes K the objective wants per example.
    """

    samples = 1

    def __call__(
        self,
        evidence: Evidence,
        *,
        batch: Any = None,
        model: nn.Module | None = None,
        progress: Progress = END,
    ) -> Loss:
        """The loss of one batch, a mean over it, in nats per example.

        Args:
            evidence: What the model says about the batch.
            batch: The batch, for objectives that read the data again.
            model: The model, for objectives that look into it.
            progress: How far the training is, for schedules.
        """
        raise NotImplementedError
