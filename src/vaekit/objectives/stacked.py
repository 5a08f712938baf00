"""The objective of models that are trained together: the sum of what each would minimise."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from vaekit.models import StackedEvidence
from vaekit.objectives.objective import END, Loss, Progress

__all__ = ["Stacked"]


class Stacked:
    """The loss of each model of a stack, added up, so that each has the gradient of its own.

    Optimisers that treat each weight alone then make the same steps as for each model alone.

    Args:
        objective: What each model minimises.
    """

    def __init__(self, objective: Any) -> None:
        self.objective = objective
        self.samples = getattr(objective, "samples", 1)

    def for_data(self, data: Any) -> Stacked:
        """The objective for this training data."""
        ask = getattr(self.objective, "for_data", None)
        return self if ask is None else Stacked(ask(data))

    def __call__(
        self,
        evidence: StackedEvidence,
        *,
        batch: Any = None,
        model: nn.Module | None = None,
        progress: Progress = END,
    ) -> Loss:
        """The sum of the losses; terms are means over the models."""
        names: list[str] = []

        def loss_of(one: Any, module: nn.Module) -> tuple[Tensor, ...]:
            loss = self.objective(one, batch=batch, model=module, progress=progress)
            names[:] = loss.terms
            return (loss.total, *loss.terms.values())

        total, *terms = evidence.each(loss_of)
        means = [term.detach().mean(0) for term in terms]
        return Loss(total.sum(), dict(zip(names, means, strict=True)))
