"""Warnings about runs that finish but have gone wrong, each with the usual remedy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import nn

__all__ = ["alarms"]

INACTIVE = 0.01


def alarms(record: Mapping[str, Any], model: nn.Module) -> list[str]:
    """What is suspicious about a model after an epoch, or by a table of its metrics.

    The rate of a code holds more than its information about x: a misfit of all codes to the prior
    keeps it up in a code that has collapsed. So a table raises the alarm by ``active_units`` and
    ``mutual_information``, too, where it has them.

    Args:
        record: The epoch's record, or the table; ``kl`` is the rate of each dimension in nats, or
            of the groups of dimensions that have a rate, or of the whole code.
        model: The model; a likelihood may say that its scale is at the floor.
    """
    found = []
    if signs := _collapse(record, model):
        found.append(
            f"latent collapse: {'; '.join(signs)}; usual remedies: a lower beta, a beta warm-up "
            "(--set objective.beta=linear), free bits (--set objective.free_bits=0.1), or a "
            "smaller latent dimension"
        )
    if getattr(getattr(model, "likelihood", None), "at_floor", False):
        found.append(
            "the likelihood's scale is at its floor: the data is reproduced more exactly than the "
            "floor allows; usual remedies: check for constant or repeated data, or lower "
            "likelihood.floor"
        )
    return found


def _collapse(record: Mapping[str, Any], model: nn.Module) -> list[str]:
    """The signs of a collapsed code, in words; a code that is a point has no rate to lose."""
    signs: list[str] = []
    if not getattr(getattr(model, "posterior", None), "has_density", True):
        return signs
    kl = record.get("kl") or []
    dimensions = math.prod(getattr(model, "latent_shape", (len(kl),)))
    carrying = sum(value is not None and value >= INACTIVE for value in kl)
    if kl and 2 * carrying < len(kl):
        signs.append(f"{_carriers(carrying, len(kl), dimensions)} {INACTIVE} nats or more")
    active = record.get("active_units")
    if active is not None and 2 * active < dimensions:
        signs.append(f"the data moves only {active} of {dimensions} dimensions (active units)")
    information = record.get("mutual_information")
    error = record.get("mutual_information_error")
    if information is not None and error is not None and information <= error:
        signs.append(
            f"the code holds no information about x beyond its error ({information:.3f} ± "
            f"{error:.3f} nats)"
        )
    return signs


def _carriers(active: int, terms: int, dimensions: int) -> str:
    """Who carries enough, in words."""
    if terms == 1 < dimensions:
        return "the code does not carry"
    parts = "dimensions" if terms == dimensions else "groups"
    return f"only {active} of {terms} {parts} carry"
