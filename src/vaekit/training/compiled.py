"""Compilation of the forward pass, and trial steps that tell whether it pays."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from vaekit.data import TensorData
from vaekit.objectives import Loss, Progress
from vaekit.training.players import Player, train_step
from vaekit.training.policy import Precision
from vaekit.training.settings import Training

__all__ = ["Compiled", "trial_step"]


class Compiled:
    """A model whose evidence is computed by ``torch.compile``, sums included."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.evidence = torch.compile(self._evidence, dynamic=False)

    def _evidence(self, *args: Any, **kwargs: Any) -> Any:
        evidence = self.model.evidence(*args, **kwargs)  # type: ignore[operator]
        evidence.log_px  # noqa: B018  computed here so that it is fused
        for node in evidence.nodes:
            node.kl_elements  # noqa: B018
        return evidence

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


def trial_step(
    model: nn.Module,
    loss: Callable[..., Loss],
    train: TensorData,
    training: Training,
    *,
    precision: Precision,
    compiled: bool,
) -> Callable[[], None]:
    """A function that makes one training step on a copy of a model, for timing."""
    model = copy.deepcopy(model).train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    player = Player("trial", parameters, training.optimizer.build(parameters), loss)
    fabric = Fabric(accelerator=train.device.type, devices=1, precision=precision)
    evidence_model: Any = Compiled(model) if compiled else model
    index = torch.arange(min(training.batch_size, len(train)), device=train.device)

    def step() -> None:
        batch = train.batch(index, train=True)
        with fabric.autocast():
            train_step(
                evidence_model,
                [[player]],
                batch,
                progress=Progress(0, 2),
                samples=getattr(loss, "samples", 1),
                backward=fabric.backward,
            )

    return step
