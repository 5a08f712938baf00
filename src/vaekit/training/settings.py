"""How to train, as a spec."""

from __future__ import annotations

from typing import Annotated, Any

from vaekit.spec import Role, Spec, Within
from vaekit.training.optimizers import Adam
from vaekit.training.policy import PolicySpec

__all__ = ["Training"]


class Training(Spec, kind="training/loop"):
    """How to train.

    Args:
        epochs: Passes over the training data.
        batch_size: Examples per step.
        optimizer: One of the registered optimisers.
        lr_schedule: Multiplies the learning rate at every step; None keeps it constant.
        clip: Largest gradient norm; None for no clipping.
        average: Decay of the moving average of the weights that is evaluated and saved; None for
            the weights themselves.
        patience: Stop after this many epochs without a better held-out bound; None never stops.
        min_delta: What counts as better, in nats.
        seed: Of everything random.
        checkpoint_seconds: Shortest time between checkpoints.
        speed: Precision and compilation.
    """

    epochs: Annotated[int, Within(1, 1_000_000)] = 10
    batch_size: Annotated[int, Within(1, 1_000_000)] = 64
    optimizer: Annotated[Any, Role("optimizer")] = Adam()
    lr_schedule: Annotated[Any, Role("schedule")] | None = None
    clip: Annotated[float, Within(1e-9, 1e9)] | None = None
    average: Annotated[float, Within(0.0, 0.999999)] | None = None
    patience: Annotated[int, Within(1, 1_000_000)] | None = None
    min_delta: Annotated[float, Within(0.0, 1e9)] = 0.0
    seed: Annotated[int, Within(0, 2**53)] = 0
    checkpoint_seconds: Annotated[float, Within(0.0, 1e9)] = 15.0
    speed: Annotated[Any, Role("policy")] = PolicySpec()
