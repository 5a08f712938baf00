"""What an objective says about data that the model has not seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from vaekit.data import Rows
from vaekit.distributions import row_noise
from vaekit.objectives import END, Loss
from vaekit.training.history import Means

__all__ = ["held_out_terms"]

ROWS = 1_000


@torch.no_grad()
def held_out_terms(
    model: nn.Module, objective: Callable[..., Loss], data: Rows, *, samples: int, seed: int
) -> dict[str, Any]:
    """Means of the objective's terms over a data set, each named ``valid_…``.

    Schedules have their final values, so that epochs can be compared while β still rises. Each row
    has noise of its own, the same in every epoch.

    Args:
        model: Anything with ``evidence``; it is left in evaluation mode.
        objective: What is measured.
        data: Held-out rows.
        samples: Codes per row.
        seed: Of the noise.
    """
    model.eval()
    means, rows = Means(), 0
    for batch in data.batches(ROWS):
        with row_noise(seed, rows, len(batch.x)):
            evidence = model.evidence(  # type: ignore[operator]
                batch.x, batch.c, target=batch.target, observed=batch.observed, samples=samples
            )
            loss = objective(evidence, batch=batch, model=model, progress=END)
        means.add(loss.terms | {"loss": loss.total}, len(batch.x))
        rows += len(batch.x)
    terms = {f"valid_{name}": value for name, value in means.read().items() if name != "kl"}
    if "valid_rate" in terms and getattr(model, "has_density", True):
        terms["valid_elbo"] = -terms["valid_distortion"] - terms["valid_rate"]
    return terms
