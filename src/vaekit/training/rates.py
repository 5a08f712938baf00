"""Learning rates that follow a schedule, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vaekit.objectives import Progress, Schedule, value_at
from vaekit.training.players import Player

__all__ = ["LearningRates"]


class LearningRates:
    """The rates that the optimisers began with, times a schedule.

    Args:
        players: Whose optimisers to steer.
        schedule: Of the factor; None keeps it at 1.
    """

    def __init__(self, players: Sequence[Player], schedule: Schedule | None) -> None:
        self.schedule = schedule
        self._optimizers = [player.optimizer for player in players]
        self._base = [group["lr"] for group in self._groups()]

    def set(self, progress: Progress) -> None:
        """Give every parameter group its rate for this step."""
        factor = self._factor(progress)
        for group, base in zip(self._groups(), self._base, strict=True):
            group["lr"] = base * factor

    def of_first(self, progress: Progress) -> float:
        """The rate of the first player at this step."""
        return float(self._base[0]) * self._factor(progress)

    def _groups(self) -> list[dict[str, Any]]:
        """The optimisers' groups as they are now: loading a state replaces them."""
        return [group for optimizer in self._optimizers for group in optimizer.param_groups]

    def _factor(self, progress: Progress) -> float:
        return 1.0 if self.schedule is None else float(value_at(self.schedule, progress.fraction))
