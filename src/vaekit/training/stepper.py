"""One step of all players on a batch: shared out, laid out, and compiled if so decided."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence

import torch
from torch import nn

from vaekit.data import Batch
from vaekit.objectives import Loss, Progress
from vaekit.training.captured import CapturedStep
from vaekit.training.fabric import fabric
from vaekit.training.layout import arithmetic, in_layout
from vaekit.training.players import Player, train_step
from vaekit.training.policy import Policy
from vaekit.training.processes import Processes

__all__ = ["Stepper"]


class Stepper:
    """Makes the steps of a run.

    Args:
        model: What gives the evidence.
        rounds: Players by round; a compiled run has one player.
        policy: Precision, and whether to compile.
        processes: Who holds which rows of a batch.
        batch_size: Rows of a full batch; only full ones go through the compiled step.
        layout: Of images in memory.
        captured: A compiled step of a copy of the model, if one was made to be timed.
    """

    def __init__(
        self,
        model: nn.Module,
        rounds: Sequence[Sequence[Player]],
        policy: Policy,
        processes: Processes,
        *,
        batch_size: int,
        layout: torch.memory_format,
        captured: CapturedStep | None = None,
    ) -> None:
        self.model = model
        self.rounds = rounds
        self.policy = policy
        self.processes = processes
        self.batch_size = batch_size
        self.layout = layout
        players = [player for players in rounds for player in players]
        self.samples = max(getattr(player.loss, "samples", 1) for player in players)
        self.fabric = fabric(
            accelerator=processes.device.type, devices=1, precision=policy.precision
        )
        self.arithmetic = functools.partial(arithmetic, self.fabric, layout)
        self._captured = captured if policy.compile else None
        if self._captured is not None:
            self._captured.bind(model, rounds[0][0])

    def __call__(self, batch: Batch, progress: Progress) -> dict[str, Loss]:
        """Step with every player that plays; returns their losses by name."""
        share = self.processes.share_of(len(batch))
        batch = in_layout(batch if share is None else share.part(batch), self.layout)
        drawing = contextlib.nullcontext() if share is None else share.drawing()
        if (self.policy.compile or self.policy.record) and len(batch) == self.batch_size:
            return self._compiled(batch, progress)
        with self.arithmetic(), drawing:
            return train_step(
                self.model,
                self.rounds,
                batch,
                progress=progress,
                samples=self.samples,
                backward=self.fabric.backward,
                team=share,
            )

    def _compiled(self, batch: Batch, progress: Progress) -> dict[str, Loss]:
        player = self.rounds[0][0]
        if self._captured is None:
            self._captured = CapturedStep(
                self.model,
                player,
                batch,
                samples=self.samples,
                arithmetic=self.arithmetic,
                fuse=self.policy.compile,
            )
        loss = self._captured(batch, progress)
        player.step()
        return {player.name: loss}
