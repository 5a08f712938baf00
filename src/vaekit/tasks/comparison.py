"""Runs and baselines on the same rows, in one table."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vaekit.artifacts import load
from vaekit.data import RawData
from vaekit.data.streams import Source
from vaekit.data.unlabelled import missing
from vaekit.errors import ConfigError
from vaekit.metrics import Features
from vaekit.spec import Spec, lookup
from vaekit.tasks.comparison_rows import Row, baseline_row, mean_row
from vaekit.tasks.evaluation import evaluate_run
from vaekit.tasks.features import features_from_text
from vaekit.tasks.run import Run, open_run
from vaekit.tasks.source import DataSpec, Prepared, prepare_data

__all__ = ["compare_runs"]

WORDS = re.compile(r"\d+|[^\W\d_]+|[\W_]+")
SEED_IN_NAME = re.compile(r"(^|[-_. ]+)(s|seeds?)?[-_. ]*$", re.IGNORECASE)


def compare_runs(
    folders: Sequence[Path],
    baselines: Sequence[str],
    *,
    samples: int = 100,
    seeds: int = 1,
    features: str | Features | None = None,
) -> list[Row]:
    """One row of metrics for each run or group of runs, and for each baseline.

    Runs that differ in ``training.seed`` only are a group.

    Args:
        folders: Runs that read the same data; one named twice, or by a link, counts once.
        baselines: Registered names, e.g. ``pca``; fitted on the first run's training rows, for
            each latent dimension of the runs, and, for autoencoders, with the network and training
            of the first run.
        samples: Importance samples K for the runs.
        seeds: How many seeds the baselines that are trained from random weights get.
        features: What samples are compared by, as a function or as
            :func:`~vaekit.tasks.features_from_text` reads it, the first run's for all; None leaves
            samples out.

    Returns:
        Rows with the keys of :func:`vaekit.metrics.evaluate_model`, and: ``name``; ``is_run``;
        ``latent_dim``; ``seeds``, empty where nothing is random; ``over``, ``"seeds"`` or
        ``"rows"``, what the standard errors ``*_error`` are taken over; ``likelihood``, without
        which nats cannot be compared; ``each``, the tables of the single fits, with their
        ``seed``.

    Raises:
        ConfigError: If the runs read different data, hold other rows out or scale the data
            differently; if a baseline, or features, are unknown.

    Example:
        >>> compare_runs([], [])
        []
    """
    baselines = list(dict.fromkeys(baselines))
    for name in baselines:
        lookup(name, role="baseline")
    if not folders:
        return []
    first, _ = open_run(folders[0])
    prepared = prepare_data(first.data, codec=load(folders[0]).codec)
    if isinstance(features, str):
        features = features_from_text(features, folder=folders[0], prepared=prepared)
    read: dict[DataSpec, Prepared] = {first.data: prepared}
    rows = []
    for group in _groups(folders):
        tables = []
        for folder, run in group.items():
            own = read.setdefault(run.data, read.get(run.data) or prepare_data(run.data))
            _require_same(first, prepared, run, own, where=str(folder))
            seed = run.composition.training.seed
            table = evaluate_run(folder, samples=samples, prepared=own, features=features)
            tables.append({"folder": str(folder), "seed": seed, **table})
        model = load(folder).model
        facts = {
            "likelihood": model.likelihood.spec.kind.partition("/")[2],
            "latent_dim": int(np.prod(model.latent_shape)),
        }
        rows.append(mean_row(_common_name(list(group)), tables, is_run=True, **facts))
    dims = sorted({row["latent_dim"] for row in rows})
    for name, k in itertools.product(baselines, dims):
        row = baseline_row(name, first, prepared, seeds=seeds, latent_dim=k, features=features)
        rows.append(row | {"name": f"{name}-{k}"} if len(dims) > 1 else row)
    _tell_apart(rows)
    return rows


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


def _common_name(folders: Sequence[Path]) -> str:
    """The words that the names of folders begin with in common, without ``seed`` at their end."""
    names = [folder.resolve().name for folder in folders]
    if len(names) == 1:
        return names[0]
    words = zip(*(WORDS.findall(name) for name in names), strict=False)
    alike = itertools.takewhile(lambda some: len(set(some)) == 1, words)
    return SEED_IN_NAME.sub("", "".join(word[0] for word in alike)) or names[0]


def _tell_apart(rows: Sequence[Row]) -> None:
    """Of rows that share a name, runs get the paths of their folders, and baselines say so."""
    count = Counter(row["name"] for row in rows)
    for row in rows:
        if count[row["name"]] > 1:
            alone = f"{row['name']} (baseline)"
            row["name"] = row["each"][0]["folder"] if row["is_run"] else alone


def _require_same(first: Run, prepared: Prepared, run: Run, own: Prepared, *, where: str) -> None:
    if own.streamed != prepared.streamed:
        raise ConfigError(
            "one of these runs streamed its data and the other did not: they hold other rows out",
            expected=f"data.stream={'on' if prepared.streamed else 'off'}",
            where=where,
        )
    if not _same_rows(own.raw, prepared.raw):
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


def _same_rows(mine: RawData | Source, other: RawData | Source) -> bool:
    """Whether the rows are the same, and the labels of those that have one in both."""
    if not (isinstance(mine, RawData) and isinstance(other, RawData)):
        return mine.fingerprint == other.fingerprint
    if mine.x.dtype != other.x.dtype or not np.array_equal(mine.x, other.x):
        return False
    if mine.labels is None or other.labels is None:
        return True
    known = ~(missing(mine.labels) | missing(other.labels))
    return np.array_equal(mine.labels[known], other.labels[known])
