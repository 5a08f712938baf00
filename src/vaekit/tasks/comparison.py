"""Runs and baselines on the same rows, in one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vaekit.artifacts import load
from vaekit.baselines import summarise
from vaekit.data import Rows
from vaekit.errors import ConfigError, DataError
from vaekit.spec import lookup
from vaekit.tasks.run import Run, evaluate_run, open_run
from vaekit.tasks.source import Prepared, prepare_data, sample_of

__all__ = ["baseline_row", "compare_runs"]


def compare_runs(
    folders: Sequence[Path], baselines: Sequence[str], *, samples: int = 100
) -> list[dict[str, Any]]:
    """One row of metrics for each run and each baseline, with a ``name``.

    Args:
        folders: Runs that read the same data.
        baselines: Registered names, e.g. ``pca``; fitted on the first run's training rows, with
            its latent dimension and, for autoencoders, its network and training.
        samples: Importance samples K for the runs.

    Raises:
        ConfigError: If the runs read different data, hold other rows out or scale the data
            differently, or a baseline is unknown.
    """
    for name in baselines:
        lookup(name, role="baseline")
    first, _ = open_run(folders[0])
    prepared = prepare_data(first.data, codec=load(folders[0]).codec)
    rows = []
    for folder in folders:
        run, _ = open_run(folder)
        own = prepared if run.data == first.data else prepare_data(run.data)
        _require_same(first, prepared, run, own, where=str(folder))
        rows.append({"name": folder.name, **evaluate_run(folder, samples=samples, prepared=own)})
    return [*rows, *(baseline_row(name, first, prepared) for name in baselines)]


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


def baseline_row(name: str, run: Run, prepared: Prepared) -> dict[str, Any]:
    """Metrics of one baseline on a run's data, of the run's latent dimension.

    Of streamed data it sees as many rows as the metrics of a run do.
    """
    train = _arrays(sample_of(prepared.part("train")))
    test = _arrays(sample_of(prepared.held_out))
    model, training = run.composition.model, run.composition.training
    cls: Any = lookup(name, role="baseline")
    wanted = {
        "latent_dim": model.latent_dim,
        "network": getattr(model, "encoder", None),
        "training": training,
    }
    known = {
        field
        for field in wanted
        if field in cls.__dataclass_fields__ and wanted[field] is not None
    }
    spec = cls(**{field: wanted[field] for field in known})
    labels = {"train_labels": train[1], "test_labels": test[1]}
    return {"name": name, **summarise(spec.build(), train[0], test[0], **labels)}


def _arrays(data: Rows) -> tuple[Any, Any]:
    batch = next(iter(data.batches(len(data))))
    if batch.c is not None:
        raise DataError("baselines do not read a context", remedy="compare unconditional runs")
    return batch.x.numpy(), None if batch.y is None else batch.y.numpy()
