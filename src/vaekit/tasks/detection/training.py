"""The training run of a detector: so many steps, whatever the number of rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch

from vaekit.data import AsIs, Rows, TensorData
from vaekit.models import ModelStack, VAEModel, initialise
from vaekit.objectives import Cosine, Stacked
from vaekit.tasks.estimators.fitting import Pace
from vaekit.tasks.estimators.parts import whole
from vaekit.tasks.estimators.passes import Passes
from vaekit.training import INITIAL_ROWS, Adam, PolicySpec, Training

__all__ = ["Effort", "train", "train_together"]

STEPS = 2_000
"""Steps of training, unless told."""
MOST_PASSES = 500
"""Visits of each row in these steps, at most: a model learns a small table by heart, and with it
the anomalies that it holds."""
STEPS_AN_EPOCH = 100
"""Steps that an epoch has at least, so that what is done once an epoch costs little."""


@dataclasses.dataclass(frozen=True)
class Effort(Pace):
    """The parameters of a detector that say how to train, checked."""

    steps: int | None
    epochs: int | None

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Effort:
        """The settings among the parameters of an estimator.

        Raises:
            ConfigError: If a value makes no sense; the message names the parameter.
        """

        def asked(name: str) -> int | None:
            return None if params[name] is None else whole(name, params[name], 1)

        return cls(**cls.common(params), steps=asked("steps"), epochs=asked("epochs"))

    def training(
        self, rows: Rows, seed: int, *, compile: Literal["off", "record"] = "off"
    ) -> tuple[Rows, Training]:
        """The rows as epochs visit them, and how to train on them.

        An epoch has 100 steps at least, and training one whole pass.
        """
        batch_size = min(self.batch_size, len(rows))
        steps = self.steps or min(STEPS, MOST_PASSES * len(rows) // batch_size)
        if isinstance(rows, TensorData) and self.epochs is None:
            rows = Passes.of_steps(rows, batch_size, min(STEPS_AN_EPOCH, steps))
        epochs = self.epochs or max(1, round(steps / rows.steps_per_epoch(batch_size)))
        return rows, Training(
            epochs=epochs,
            batch_size=batch_size,
            optimizer=Adam(lr=self.learning_rate),
            lr_schedule=Cosine(warm_up=0.02),
            seed=seed,
            # Whether compiling and bfloat16 pay is measured: results would differ.
            speed=PolicySpec(compile=compile, precision="32-true"),
        )


def train(
    model: VAEModel, rows: Rows, objective: Callable[..., Any], effort: Effort, *, seed: int
) -> list[dict[str, Any]]:
    """Train in place to the end; the model is then on the CPU.

    Returns:
        One record for each epoch.
    """
    visited, training = effort.training(rows, seed)
    return effort.run(model, {"train": visited}, training, objective)


def train_together(
    models: Sequence[VAEModel],
    rows: Sequence[TensorData],
    objective: Callable[..., Any],
    effort: Effort,
    *,
    seed: int,
) -> list[dict[str, Any]]:
    """Train several models in place, each on rows of its own, as one; see :func:`train`.

    Raises:
        ConfigError: If the models differ in structure.
    """
    for model, some in zip(models, rows, strict=True):
        initialise(model, some.sample(INITIAL_ROWS).x)
    stack = ModelStack([model.train() for model in models])
    codec: Any = AsIs()
    together = TensorData(codec, torch.stack([some.x for some in rows], 1))
    visited, training = effort.training(together, seed, compile="record")
    records = effort.run(stack, {"train": visited}, training, Stacked(objective))
    for place, model in enumerate(models):
        model.load_state_dict(stack.unstacked(place))
        model.eval()
    return records
