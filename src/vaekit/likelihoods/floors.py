"""Floors of scales: one for a whole observation, or one for each of its elements."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from vaekit.errors import ConfigError
from vaekit.likelihoods.likelihood import Likelihood
from vaekit.spec import Spec

__all__ = ["Floor", "FlooredLikelihood", "check_floor"]

Floor = float | tuple[float, ...]


def check_floor(spec: Spec, floor: Floor, scale: float | str) -> None:
    """Raise :class:`ConfigError` where a floor for each element meets one scale for all."""
    if isinstance(floor, tuple) and scale not in ("per-column", "per-element"):
        raise ConfigError(
            "a floor for each element needs a scale for each",
            expected="one number",
            got=f"{len(floor)} numbers",
            where=f"{spec.kind}.floor",
            remedy="choose 'per-column' or 'per-element' scales, or one floor",
        )


class FlooredLikelihood(Likelihood):
    """Base of likelihoods whose learned scales stay above a floor, which they approach smoothly.

    Args:
        spec: What it is built from.
        event_shape: Shape of one observation.
        floor: Smallest scale that can be learned. A tuple has one for each element of x, in the
            order of its elements; the spec keeps it, so that it is no part of the state.

    Attributes:
        log_floor: The logarithm of the floor, shaped like x where each element has its own.
        floor: The smallest of all floors.

    Raises:
        ConfigError: If there are several floors, but not one for each element.
    """

    log_floor: float | Tensor

    def __init__(self, spec: Spec, event_shape: Sequence[int], *, floor: Floor) -> None:
        super().__init__(spec, event_shape)
        if isinstance(floor, float):
            self.floor, self.log_floor = floor, math.log(floor)
            return
        elements = math.prod(self.event_shape)
        if len(floor) != elements:
            raise ConfigError(
                "there must be one floor for each element of x",
                expected=f"{elements} numbers, or one for all",
                got=f"{len(floor)} numbers",
                where=f"{spec.kind}.floor",
            )
        self.floor = min(floor)
        least = torch.tensor(floor).log().reshape(self.event_shape)
        self.register_buffer("log_floor", least, persistent=False)

    def _above_floor(self, raw: Tensor) -> Tensor:
        return self.log_floor + F.softplus(raw - self.log_floor)
