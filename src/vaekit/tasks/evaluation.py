"""What is measured of a run's saved model, on its held-out rows or on other data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vaekit.artifacts import Artifact, load
from vaekit.data import LabelCodec, RawData, Rows, TensorData
from vaekit.data.streams import Source, StreamData, can_stream, given_parts
from vaekit.data.unlabelled import missing
from vaekit.errors import ConfigError, DataError, VaekitError
from vaekit.metrics import Features, evaluate_model
from vaekit.tasks.instruments import instruments_for
from vaekit.tasks.run import Run, may_lack_labels, open_run
from vaekit.tasks.source import MEASURED_ROWS, DataSpec, Prepared, prepare_data, sample_of
from vaekit.training.alarms import alarms

__all__ = ["evaluate_run", "other_data"]

NEIGHBOUR_ROWS = 20_000
"""Training rows of a stream that vote in the 5-NN accuracy of the codes."""


def evaluate_run(
    folder: Path,
    source: Any = None,
    *,
    samples: int = 500,
    seed: int = 0,
    prepared: Prepared | None = None,
    features: Features | None = None,
) -> dict[str, Any]:
    """Metrics of a saved model on held-out data, or on other data that is read the same way.

    Args:
        folder: The run.
        source: Other data; its test part if it has one of its own, else all its rows.
        samples: Importance samples K.
        seed: Of the noise.
        prepared: The run's own data, if it is at hand.
        features: What samples are compared by; None leaves samples out.

    Returns:
        The table of :func:`vaekit.metrics.evaluate_model`, and ``data``. Alarms, such as that of a
        collapsed code, are among its notes.
    """
    artifact = load(folder)
    run, _ = open_run(folder)
    if source is None:
        prepared = prepared or prepare_data(run.data, codec=artifact.codec)
        data, labelled = prepared.held_out, False
        train: Rows | None = prepared.part("train")
    else:
        data = other_data(artifact, run.data, source)
        labelled = _has_targets(data)
        train = _training_rows(run, artifact, prepared) if labelled else None
    on_train = source is None and data is train
    data, notes = _measurable(data)
    if labelled and train is None:
        notes.append("no probes of the codes: the run's own training rows cannot be read")
    if train is not None:
        train = sample_of(train, NEIGHBOUR_ROWS)
    metrics = evaluate_model(
        artifact.model,
        data,
        samples=samples,
        seed=seed,
        train=train,
        instruments=instruments_for(artifact.codec, features),
    )
    metrics["data"] = run.data.source if source is None else str(source)
    metrics["notes"] += [*alarms(metrics, artifact.model), *notes]
    if on_train:
        metrics["notes"].append("measured on the training rows: none were held out")
    known = artifact.provenance.get("data_sha256")
    if source is None and prepared is not None and known not in (None, prepared.raw.fingerprint):
        metrics["notes"].append(
            "the data has changed since training: other rows may be held out than were then"
        )
    return metrics


def _has_targets(data: Rows) -> bool:
    """Whether there is something to read from codes: classes, or numbers."""
    labelled = next(iter(data.batches(1))).y is not None
    return labelled or getattr(data, "numbers", None) is not None


def _training_rows(run: Run, artifact: Artifact, prepared: Prepared | None) -> Rows | None:
    """The run's own training rows, or None where they are no longer there."""
    try:
        prepared = prepared or prepare_data(run.data, codec=artifact.codec)
    except (VaekitError, OSError):
        return None
    return prepared.part("train")


def _measurable(data: Rows) -> tuple[Rows, list[str]]:
    """At most so many rows of a stream as its metrics need, and a note where some are left out."""
    if not isinstance(data, StreamData) or len(data) <= MEASURED_ROWS:
        return data, []
    note = f"measured on {MEASURED_ROWS:,} of {len(data):,} rows, spread evenly over them"
    return data.sample(MEASURED_ROWS), [note]


def other_data(artifact: Artifact, spec: DataSpec, source: Any, *, whole: bool = False) -> Rows:
    """Rows of another source through the model's codec: its own test part, else all of them.

    Labels are needed only by a model that is conditioned on them; to any other, new data may come
    without labels or with classes that it has not seen, and is then read without them.

    Args:
        artifact: The model.
        spec: How its own data was read.
        source: The other data.
        whole: Take all rows even where there is a test part.
    """
    codec, reading = artifact.codec, spec.like(artifact.codec, source)
    if not can_stream(source):
        reading = reading.replace(stream="off")
    needed = isinstance(codec.context, LabelCodec) and not may_lack_labels(codec)
    raw, classes = _opened_at_least(reading, source, label=needed)
    known = codec.labels is not None and classes is not None
    if known and not needed and not set(classes.tolist()) <= set(codec.labels.classes):  # type: ignore[union-attr]
        codec = codec.replace(labels=None)
    if isinstance(raw, RawData):
        if not whole and raw.split is not None and (raw.split == "test").any():
            raw = raw.subset(raw.split == "test")
        return TensorData.of(raw, codec)
    part = None if whole else given_parts(raw).get("test")
    return StreamData(raw, codec, part)


def _opened_at_least(
    reading: DataSpec, source: Any, *, label: bool
) -> tuple[RawData | Source, np.ndarray | None]:
    """The data with all that lies beside x, else without numbers, else without the label too."""
    fewer = reading.replace(numbers=())
    wishes = [reading, fewer] if label else [reading, fewer, fewer.replace(label=None)]
    error: VaekitError | None = None
    for wish in dict.fromkeys(wishes):
        try:
            return _opened(wish, source)
        except (ConfigError, DataError) as problem:
            error = error or problem
    assert error is not None
    raise error


def _opened(reading: DataSpec, source: Any) -> tuple[RawData | Source, np.ndarray | None]:
    """The data in memory or as a stream, and its classes."""
    stream = reading.open(source)
    if stream is not None:
        return stream, stream.classes()
    raw = reading.load(source)
    labels = None if raw.labels is None else raw.labels[~missing(raw.labels)]
    return raw, None if labels is None else np.unique(labels)
