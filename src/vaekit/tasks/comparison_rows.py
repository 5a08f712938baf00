"""Rows of a comparison: means over seeds, and baselines fitted on the rows of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from vaekit.baselines import summarise
from vaekit.data import Rows
from vaekit.errors import ConfigError, DataError, NumericalError
from vaekit.metrics import MEASURES, Features, blank_metrics, mean_and_error
from vaekit.spec import lookup
from vaekit.tasks.instruments import instruments_for
from vaekit.tasks.run import Run
from vaekit.tasks.source import Prepared, sample_of

__all__ = ["Row", "baseline_row", "mean_row"]

Row = dict[str, Any]
NO_CONTEXT = "read without the context that the runs are given"


def mean_row(name: str, tables: Sequence[Mapping[str, Any]], **facts: Any) -> Row:
    """Means of tables over seeds with their standard errors, or the one table with its own.

    What belongs to a single fit only (the rates of its dimensions) is None in a mean.

    Args:
        name: What the row is called.
        tables: Of single fits, each with its ``seed``.
        facts: Further entries of the row.
    """
    seeds = [table["seed"] for table in tables if table["seed"] is not None]
    notes = list(dict.fromkeys(note for table in tables for note in table["notes"]))
    row = {**tables[0], **facts, "name": name, "seeds": seeds, "notes": notes}
    row |= {"over": "rows" if len(tables) == 1 else "seeds", "each": list(tables)}
    for key in ("seed", "folder"):
        row.pop(key, None)
    if len(tables) == 1:
        return row
    row["kl"] = None
    for measure in MEASURES:
        values = [table[measure.key] for table in tables if table[measure.key] is not None]
        found: tuple[float | None, float | None] = (None, None)
        if len(values) == len(tables):
            found = mean_and_error(torch.tensor(values, dtype=torch.float64))
        elif values:
            row["notes"].append(f"no {measure.key}: {len(values)} of {len(tables)} seeds have it")
        row[measure.key], row[f"{measure.key}_error"] = found
    return row


def baseline_row(
    name: str,
    run: Run,
    prepared: Prepared,
    *,
    seeds: int = 1,
    latent_dim: int | None = None,
    features: Features | None = None,
) -> Row:
    """Metrics of one baseline on a run's data, of the run's latent dimension.

    Of streamed data it sees as many rows as the metrics of a run do. A baseline that cannot be
    fitted has a row without numbers whose ``notes`` say why. No baseline reads a context.

    Args:
        name: Registered.
        run: Gives network and training.
        prepared: Its data.
        seeds: How many, from the run's own upwards, where the baseline is random.
        latent_dim: Dimension of the codes; None takes that of the run.
        features: What samples are compared by; None leaves samples out.
    """
    learned, held_out = sample_of(prepared.part("train")), sample_of(prepared.held_out)
    train, test = _whole(learned), _whole(held_out)
    measured: dict[str, Any] = {
        "numbers": _pair(getattr(learned, "numbers", None), getattr(held_out, "numbers", None)),
        "labels": _pair(train.y, test.y),
        "test_factors": getattr(held_out, "factors", None),
        "instruments": instruments_for(prepared.codec, features),
    }
    wanted = run.composition.model.latent_dim if latent_dim is None else latent_dim
    try:
        specs = _seeded(_baseline(name, run, wanted), seeds)
        tables = [
            {"seed": seed, **summarise(spec.build(), train.x.numpy(), test.x.numpy(), **measured)}
            for seed, spec in specs.items()
        ]
    except (ConfigError, DataError, NumericalError) as error:
        tables = [{"seed": None, **blank_metrics(len(test.x)), "notes": [f"not fitted: {error}"]}]
    likelihood = None if tables[0]["log_marginal"] is None else "gaussian"
    row = mean_row(name, tables, likelihood=likelihood, is_run=False, latent_dim=wanted)
    if test.c is not None:
        row["notes"].append(NO_CONTEXT)
    return row


def _baseline(name: str, run: Run, latent_dim: int) -> Any:
    """The baseline's spec with what it can take from the run."""
    wanted = {
        "latent_dim": latent_dim,
        "network": getattr(run.composition.model, "encoder", None),
        "training": run.composition.training,
        "seed": run.composition.training.seed,
    }
    cls: Any = lookup(name, role="baseline")
    known = {k: v for k, v in wanted.items() if k in cls.__dataclass_fields__ and v is not None}
    return cls(**known)


def _seeded(spec: Any, seeds: int) -> dict[int | None, Any]:
    """The spec for each seed; once, for None, where nothing in it is random."""
    training = getattr(spec, "training", None)
    first = getattr(spec if training is None else training, "seed", None)
    if first is None:
        return {None: spec}
    wanted = range(first, first + seeds)
    if training is None:
        return {seed: spec.replace(seed=seed) for seed in wanted}
    return {seed: spec.replace(training=training.replace(seed=seed)) for seed in wanted}


def _whole(data: Rows) -> Any:
    """All rows in one batch."""
    return next(iter(data.batches(len(data))))


def _pair(learned: Any, held_out: Any) -> tuple[Any, Any] | None:
    """Both as arrays, or None where one is missing."""
    return None if learned is None or held_out is None else (learned.numpy(), held_out.numpy())
