"""Runs and baselines on the same rows, in one table."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from vaekit.artifacts import load
from vaekit.baselines import summarise
from vaekit.data import Rows
from vaekit.errors import ConfigError, DataError, NumericalError
from vaekit.metrics import MEASURES, blank_metrics, mean_and_error
from vaekit.spec import Spec, lookup
from vaekit.tasks.instruments import instruments_for
from vaekit.tasks.run import Run, evaluate_run, open_run
from vaekit.tasks.source import DataSpec, Prepared, prepare_data, sample_of

__all__ = ["baseline_row", "compare_runs"]

Row = dict[str, Any]
SEED_IN_NAME = re.compile(r"[-_. ]*(seeds?[-_. ]*\d*)?$", re.IGNORECASE)


def compare_runs(
    folders: Sequence[Path], baselines: Sequence[str], *, samples: int = 100, seeds: int = 1
) -> list[Row]:
    """One row of metrics for each run or group of runs, and for each baseline.

    Runs that differ in ``training.seed`` only are a group.

    Args:
        folders: Runs that read the same data; one named twice, or by a link, counts once.
        baselines: Registered names, e.g. ``pca``; fitted on the first run's training rows, with
            its latent dimension and, for autoencoders, its network and training.
        samples: Importance samples K for the runs.
        seeds: How many seeds the baselines that are trained from random weights get.

    Returns:
        Rows with the keys of :func:`vaekit.metrics.evaluate_model`, and: ``name``; ``is_run``;
        ``seeds``, empty where nothing is random; ``over``, ``"seeds"`` or ``"rows"``, what the
        standard errors ``*_error`` are taken over; ``likelihood``, without which nats cannot be
        compared; ``each``, the tables of the single fits, with their ``seed``.

    Raises:
        ConfigError: If the runs read different data, hold other rows out or scale the data
            differently, or a baseline is unknown.
        DataError: If baselines are asked for and the data has a context.

    Example:
        >>> compare_runs([], [])
        []
    """
    for name in baselines:
        lookup(name, role="baseline")
    if not folders:
        return []
    first, _ = open_run(folders[0])
    prepared = prepare_data(first.data, codec=load(folders[0]).codec)
    read: dict[DataSpec, Prepared] = {first.data: prepared}
    rows = []
    for group in _groups(folders):
        tables = []
        for folder, run in group.items():
            own = read.setdefault(run.data, read.get(run.data) or prepare_data(run.data))
            _require_same(first, prepared, run, own, where=str(folder))
            seed = run.composition.training.seed
            table = evaluate_run(folder, samples=samples, prepared=own)
            tables.append({"folder": str(folder), "seed": seed, **table})
        likelihood = load(folder).model.likelihood.spec.kind.partition("/")[2]
        rows.append(_row(_common_name(list(group)), tables, likelihood=likelihood, is_run=True))
    _tell_apart(rows)
    return [*rows, *(baseline_row(name, first, prepared, seeds=seeds) for name in baselines)]


def baseline_row(name: str, run: Run, prepared: Prepared, *, seeds: int = 1) -> Row:
    """Metrics of one baseline on a run's data, of the run's latent dimension.

    Of streamed data it sees as many rows as the metrics of a run do. A baseline that cannot be
    fitted has a row without numbers whose ``notes`` say why.

    Args:
        name: Registered.
        run: Gives latent dimension, network and training.
        prepared: Its data.
        seeds: How many, from the run's own upwards, where the baseline is random.
    """
    train = _arrays(sample_of(prepared.part("train")))
    held_out = sample_of(prepared.held_out)
    test = _arrays(held_out)
    measured = {
        "train_labels": train[1],
        "test_labels": test[1],
        "test_factors": getattr(held_out, "factors", None),
        "instruments": instruments_for(prepared.codec),
    }
    try:
        specs = _seeded(_baseline(name, run), seeds)
        tables = [
            {"seed": seed, **summarise(spec.build(), train[0], test[0], **measured)}
            for seed, spec in specs.items()
        ]
    except (ConfigError, DataError, NumericalError) as error:
        tables = [{"seed": None, **blank_metrics(len(test[0])), "notes": [f"not fitted: {error}"]}]
    density = tables[0]["log_marginal"] is not None
    return _row(name, tables, likelihood="gaussian" if density else None, is_run=False)


def _baseline(name: str, run: Run) -> Any:
    """The baseline's spec with what it can take from the run."""
    model = run.composition.model
    wanted = {
        "latent_dim": model.latent_dim,
        "network": getattr(model, "encoder", None),
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


def _groups(folders: Sequence[Path]) -> list[dict[Path, Run]]:
    """Runs that differ in their seed only, together; a seed that comes again begins a group."""
    groups: dict[tuple[Spec, int], dict[Path, Run]] = {}
    seen: Counter[Run] = Counter()
    for folder in {folder.resolve(): folder for folder in folders}.values():
        run, _ = open_run(folder)
        composition = run.composition
        training = composition.training.replace(seed=0)
        alike = run.replace(composition=composition.replace(training=training))
        groups.setdefault((alike, seen[run]), {})[folder] = run
        seen[run] += 1
    return list(groups.values())


def _row(name: str, tables: Sequence[Mapping[str, Any]], **facts: Any) -> Row:
    """Means of tables over seeds with their standard errors, or the one table with its own."""
    seeds = [table["seed"] for table in tables if table["seed"] is not None]
    notes = list(dict.fromkeys(note for table in tables for note in table["notes"]))
    row = {**tables[0], **facts, "name": name, "seeds": seeds, "notes": notes}
    row |= {"over": "rows" if len(tables) == 1 else "seeds", "each": list(tables)}
    for key in ("seed", "folder"):
        row.pop(key, None)
    for measure in MEASURES if len(tables) > 1 else ():
        values = [table[measure.key] for table in tables]
        known = None not in values
        found = mean_and_error(torch.tensor(values)) if known else (None, None)
        row[measure.key], row[f"{measure.key}_error"] = found
    return row


def _common_name(folders: Sequence[Path]) -> str:
    """What the names of folders have in common, without ``seed`` at its end."""
    names = [folder.resolve().name for folder in folders]
    if len(names) == 1:
        return names[0]
    alike = itertools.takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    return SEED_IN_NAME.sub("", "".join(letters[0] for letters in alike)) or names[0]


def _tell_apart(rows: Sequence[Row]) -> None:
    """Rows of one name get the paths of their folders instead."""
    count = Counter(row["name"] for row in rows)
    for row in rows:
        if count[row["name"]] > 1:
            row["name"] = row["each"][0]["folder"]


def _require_same(first: Run, prepared: Prepared, run: Run, own: Prepared, *, where: str) -> None:
    if own.streamed != prepared.streamed:
        raise ConfigError(
            "one of these runs streamed its data and the other did not: they hold other rows out",
            expected=f"data.stream={'on' if prepared.streamed else 'off'}",
            where=where,
        )
    if own.raw.fingerprint != prepared.raw.fingerprint:
        raise ConfigError(
            "these runs did not read the same data",
            expected=first.data.source,
            got=run.data.source,
            where=where,
        )
    for field in ("test", "validation", "seed", "split"):
        mine, other = getattr(first.data, field), getattr(run.data, field)
        if mine != other:
            raise ConfigError(
                "these runs divided their data differently",
                expected=f"{field}={mine}",
                got=f"{field}={other}",
                where=where,
            )
    if own.codec.x != prepared.codec.x:
        raise ConfigError(
            "these runs scaled or binarised their data differently: nats and errors differ",
            expected=prepared.codec.x.describe(),
            got=own.codec.x.describe(),
            where=where,
        )


def _arrays(data: Rows) -> tuple[Any, Any]:
    batch = next(iter(data.batches(len(data))))
    if batch.c is not None:
        raise DataError("baselines do not read a context", remedy="compare unconditional runs")
    return batch.x.numpy(), None if batch.y is None else batch.y.numpy()
