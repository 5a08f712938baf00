"""What an objective is: a pure function of Evidence that returns a loss and its named terms.

An objective with critics also says who plays against whom, as a :class:`Contest`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from vaekit.models import Evidence
from vaekit.spec import Spec

__all__ = ["END", "Contest", "Loss", "Objective", "Progress", "Side", "whole"]


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


def whole(evidence: Evidence, total: Tensor, terms: Mapping[str, Tensor]) -> Loss:
    """The loss of these terms and the model's own penalties, which are added to the total."""
    total = sum(evidence.penalties.values(), total)
    return Loss(total, {"loss": total, **terms, **evidence.penalties})


class Side:
    """Who minimises what, over which parameters; the training loop makes a player of it.

    Args:
        name: Prefix of its terms in the history; the terms of ``"model"`` have none.
        parameters: What it may change; no other side touches them.
        loss: ``loss(evidence, *, batch, model, progress) -> Loss``.
        optimizer: A spec; None for the optimiser of the training.
        gate: ``gate(evidence) -> bool``: whether it steps this time; None for always.
    """

    __slots__ = ("gate", "loss", "name", "optimizer", "parameters")

    def __init__(
        self,
        name: str,
        parameters: Iterable[nn.Parameter],
        loss: Callable[..., Loss],
        *,
        optimizer: Any = None,
        gate: Callable[[Evidence], bool] | None = None,
    ) -> None:
        self.name = name
        self.parameters = tuple(parameters)
        self.loss = loss
        self.optimizer = optimizer
        self.gate = gate


class Contest:
    """What an objective asks for when one loss over all parameters will not do.

    Args:
        networks: Modules that are trained beside the model (critics): kept in checkpoints, not in
            the saved model.
        rounds: Sides by round. The sides of a round share one forward pass; all their gradients
            are taken before any of them steps.
    """

    __slots__ = ("networks", "rounds")

    def __init__(self, networks: nn.Module, rounds: Iterable[Iterable[Side]]) -> None:
        self.networks = networks
        self.rounds = tuple(tuple(sides) for sides in rounds)


class Objective(Spec):
    """Base of objectives: frozen values that are also functions of the evidence.

    Any callable with this signature can stand in for one.

    Attributes:
        samples: How many codes K the objective wants per example.
        uses_prior: Whether codes are drawn towards p(z), so that its draws are codes of data.
    """

    samples = 1
    uses_prior = True

    def for_data(self, data: Any) -> Objective:
        """The objective for this training data; the loop asks before it starts.

        Args:
            data: Rows, as :class:`vaekit.data.Rows`; what is asked for is how many there are
                (:meth:`for_rows`), unless an objective wants to know more.
        """
        return self.for_rows(len(data))

    def for_rows(self, rows: int) -> Objective:
        """The objective for a training set of so many rows."""
        return self

    def for_held_out(self, data: Any) -> Objective:
        """The objective as it is watched on this held-out data, after :meth:`for_data`."""
        return self

    def contest(self, model: nn.Module) -> Contest | None:
        """Critics and who plays against whom; None where one loss over all parameters will do.

        Calling an objective that has a contest gives what is watched on held-out data, which needs
        no critic.

        Args:
            model: The model on its device; what is built here is moved to it by the caller.
        """
        return None

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
