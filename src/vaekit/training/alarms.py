"""Warnings about runs that finish but have gone wrong, each with the usual remedy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import nn

__all__ = ["alarms"]

INACTIVE = 0.01


def alarms(record: Mapping[str, Any], model: nn.Module) -> list[str]:
    """What is suspicious about a model after an epoch.

    Args:
        record: The epoch's record; ``kl`` is the rate of each dimension in nats, or of the groups
            of dimensions that have a rate, or of the whole code.
        model: The model; a likelihood may say that its scale is at the floor.
    """
    found = []
    kl = record.get("kl") or []
    active = sum(value is not None and value >= INACTIVE for value in kl)
    if kl and 2 * active < len(kl):
        found.append(
            f"latent collapse: {_carriers(active, len(kl), model)} {INACTIVE} nats or more; usual "
            "remedies: a lower beta, a beta warm-up (--set objective.beta=linear), "
            "free bits (--set objective.free_bits=0.1), or a smaller latent dimension"
        )
    if getattr(getattr(model, "likelihood", None), "at_floor", False):
        found.append(
            "the likelihood's scale is at its floor: the data is reproduced more exactly than the "
            "floor allows; usual remedies: check for constant or repeated data, or lower "
            "likelihood.floor"
        )
    return found


def _carriers(active: int, terms: int, model: nn.Module) -> str:
    """Who carries enough, in words."""
    dimensions = math.prod(getattr(model, "latent_shape", (terms,)))
    if terms == 1 < dimensions:
        return "the code does not carry"
    parts = "dimensions" if terms == dimensions else "groups"
    return f"only {active} of {terms} {parts} carry"
