"""Trial steps on a copy of the model, to measure what a way of computing would cost."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable

import torch
from torch import nn

from vaekit.data import Rows
from vaekit.objectives import Loss, Progress
from vaekit.training.captured import CapturedStep
from vaekit.training.fabric import fabric
from vaekit.training.layout import arithmetic, in_layout, layout_for
from vaekit.training.players import flat_player, train_step
from vaekit.training.policy import Precision
from vaekit.training.settings import Training

__all__ = ["Trial"]

HALFWAY = Progress(1, 3)


class Trial:
    """Makes throw-away training steps; what it compiled can be used for the run itself.

    Args:
        model: The model, which is copied and left alone.
        loss: What its only player minimises.
        train: Where the first batch comes from.
        training: Batch size, optimiser and the like.
    """

    def __init__(
        self, model: nn.Module, loss: Callable[..., Loss], train: Rows, training: Training
    ) -> None:
        self.model = model
        self.loss = loss
        self.train = train
        self.training = training
        self.captured: CapturedStep | None = None

    def __call__(self, precision: Precision, compiled: bool) -> Callable[[], None]:
        """A function that makes one step.

        Raises:
            ConfigError: If the step cannot be recorded; other errors come from the compiler.
        """
        model = copy.deepcopy(self.model).train()
        parameters = [p for p in model.parameters() if p.requires_grad]
        player = flat_player("trial", parameters, self.training.optimizer, self.loss)
        size, samples = self.training.batch_size, getattr(self.loss, "samples", 1)
        batch = next(iter(self.train.head(size).batches(size, train=True)))
        layout = layout_for(model)
        batch = in_layout(batch, layout)
        made = fabric(accelerator=batch.x.device.type, devices=1, precision=precision)
        computing = functools.partial(arithmetic, made, layout)
        if not compiled:

            def plain() -> None:
                with computing():
                    train_step(
                        model,
                        [[player]],
                        batch,
                        progress=HALFWAY,
                        samples=samples,
                        backward=made.backward,
                    )

            return plain
        with torch.random.fork_rng(devices=[]):
            captured = CapturedStep(model, player, batch, samples=samples, arithmetic=computing)
        self.captured = captured

        def fused() -> None:
            captured(batch, HALFWAY)
            player.step()

        return fused
