"""The best weights so far, and whether there is still hope of better ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

__all__ = ["Selection"]


class Selection:
    """Keeps the weights of the lowest held-out loss; without held-out data, the newest.

    Args:
        patience: Epochs without a better loss after which it gives up; None never does.
        min_delta: By how many nats a loss must be lower to be better.

    Example:
        >>> selection = Selection(patience=1)
        >>> [selection.consider(loss, {}) for loss in (3.0, 2.0, 2.5)], selection.stopped
        ([True, True, False], True)
    """

    def __init__(self, *, patience: int | None = None, min_delta: float = 0.0) -> None:
        self.patience = patience
        self.min_delta = min_delta
        self.weights: dict[str, Tensor] = {}
        self.loss = math.inf
        self.waited = 0
        self.stopped = False

    def keep(self, weights: Mapping[str, Tensor]) -> None:
        """Remember a copy of these weights."""
        self.weights = {name: value.clone() for name, value in weights.items()}

    def consider(self, loss: float | None, weights: Mapping[str, Tensor]) -> bool:
        """Keep the weights if their held-out loss is better, or if there is none.

        Returns:
            Whether they were kept.
        """
        better = loss is None or loss < self.loss - self.min_delta
        if better:
            self.keep(weights)
            self.loss, self.waited = (self.loss if loss is None else loss), 0
        else:
            self.waited += 1
        self.stopped = self.patience is not None and self.waited >= self.patience
        return better

    def facts(self) -> dict[str, Any]:
        """All but the weights, ready for JSON."""
        best_loss = None if self.loss == math.inf else self.loss
        return {"best_loss": best_loss, "waited": self.waited, "stopped": self.stopped}

    def restore(self, weights: dict[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Continue from weights and :meth:`facts`."""
        self.weights = weights
        self.loss = math.inf if facts["best_loss"] is None else facts["best_loss"]
        self.waited, self.stopped = facts["waited"], facts["stopped"]
