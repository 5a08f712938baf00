"""A run: data, composition, training, and the folder in which it all ends up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import torch

from vaekit.artifacts import Artifact, load, provenance, save
from vaekit.data import DataCodec, ImageCodec, LabelCodec, Rows
from vaekit.data.streams import StreamData
from vaekit.errors import (
    ArtifactError,
    ConfigError,
    DataError,
    NumericalError,
    ShapeError,
    VaekitError,
)
from vaekit.files import read_json, write_json
from vaekit.likelihoods.likelihood import Likelihood
from vaekit.models import VAEModel
from vaekit.spec import Role, Spec, from_json, spec_of, to_json
from vaekit.tasks.composition import Composition
from vaekit.tasks.source import DataSpec, Prepared, prepare_data
from vaekit.training import CHECKPOINT, Callback, Processes, Trainer

__all__ = [
    "Run",
    "build_model",
    "open_run",
    "resume_run",
    "start_run",
    "train_run",
]

RUN = "run.json"
CHECKED_ROWS = 10_000
STREAMED_CHECKED_ROWS = 1_000


class Run(Spec, kind="run/vae"):
    """Everything that determines a run, apart from the data's content.

    Args:
        data: What to read.
        composition: What to train on it.
    """

    data: Annotated[Any, Role("data")] = DataSpec()
    composition: Annotated[Any, Role("composition")] = Composition()


def build_model(composition: Composition, prepared: Prepared) -> VAEModel:
    """The untrained model, its weights determined by the seed, its likelihood checked on the data.

    Raises:
        DataError: If the training data lies outside the likelihood's support.
    """
    codec = prepared.codec
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(composition.training.seed)
        model: VAEModel = composition.model.build(
            event_shape=codec.event_shape, context_dim=codec.context_dim
        )
    require_labels(model, codec)
    for part in prepared.parts.values():
        for batch in _to_check(model, part).batches(CHECKED_ROWS):
            model.likelihood.check(batch.x)
    return model


def require_labels(model: VAEModel, codec: DataCodec) -> None:
    """Refuse rows without labels for a model that cannot do without.

    Raises:
        ConfigError: If the model reads labels, and does not infer those that are missing.
    """
    if may_lack_labels(codec) and not model.infers_labels:
        raise ConfigError(
            "the model reads labels, which some rows may lack",
            expected="a model that infers them",
            got=spec_of(model).kind,
            remedy="use --recipe semi-supervised-vae, or refuse such rows: data.unlabelled=refuse",
        )


def may_lack_labels(codec: DataCodec) -> bool:
    """Whether the model reads labels, and rows without one come as zeros."""
    return isinstance(codec.context, LabelCodec) and codec.context.unlabelled == "keep"


def _to_check(model: VAEModel, part: Rows) -> Rows:
    """All rows, but of a stream only the first where codec and likelihood leave no question.

    A codec lets finite numbers through only, and one for images makes all alike.
    """
    any_number = type(model.likelihood).supports is Likelihood.supports
    if isinstance(part, StreamData) and (any_number or isinstance(part.codec.x, ImageCodec)):
        return part.head(STREAMED_CHECKED_ROWS)
    return part


def start_run(
    run: Run,
    folder: Path,
    *,
    prepared: Prepared | None = None,
    callbacks: Sequence[Callback] = (),
    command: str = "",
    processes: Processes | None = None,
) -> Artifact:
    """Train from the beginning in an empty folder.

    Args:
        run: What to train, on what.
        folder: Where everything goes.
        prepared: The run's data, if it is at hand.
        callbacks: Hooks.
        command: What the user typed, for the provenance.
        processes: Who trains together, launched; the first one writes.

    Raises:
        ConfigError: If the folder holds another run, or a first step cannot be made.
        NumericalError: If training diverges; the folder then holds the last good weights.
    """
    processes = processes or Processes()
    require_new_folder(folder, processes)
    prepared = prepared or prepare_data(run.data)
    model = build_model(run.composition, prepared)
    _trainer(run, folder, model, prepared, processes)  # refuses before anything is written
    facts = {"command": command, "data_sha256": prepared.raw.fingerprint}
    if processes.is_first:
        write_json(folder / RUN, {"run": to_json(run), **facts})
    processes.wait()
    try:
        return train_run(
            run,
            folder,
            prepared=prepared,
            callbacks=callbacks,
            command=command,
            processes=processes,
        )
    except (ConfigError, DataError, ShapeError):
        if processes.is_first and not (folder / CHECKPOINT).exists():
            (folder / RUN).unlink()  # refused in its first step: the folder is free again
        raise


def require_new_folder(
    folder: Path,
    processes: Processes,
    *,
    remedy: str = "continue it with --resume, or choose another folder with --out",
) -> None:
    """Refuse a folder that holds a run.

    Raises:
        ConfigError: If it does.
    """
    taken = any((folder / name).exists() for name in (RUN, "model.json", CHECKPOINT))
    if processes.from_first(lambda: taken):
        raise ConfigError(
            "this folder holds a run already",
            where=str(folder),
            remedy=remedy,
        )


def open_run(folder: Path) -> tuple[Run, str]:
    """The run of a folder and the command that started it.

    Raises:
        ArtifactError: If the folder holds no run.
    """
    description = read_json(folder / RUN)
    if not isinstance(description, dict):
        raise ArtifactError("not a run", where=str(folder / RUN))
    try:
        run = from_json(description.get("run"), role="run", where="run")
    except VaekitError as error:
        raise ArtifactError(f"cannot read the run: {error}", where=str(folder / RUN)) from error
    if not isinstance(run, Run):
        raise ArtifactError("not a run", got=run.kind, where=str(folder / RUN))
    return run, str(description.get("command", ""))


def resume_run(
    folder: Path,
    *,
    prepared: Prepared | None = None,
    callbacks: Sequence[Callback] = (),
    processes: Processes | None = None,
) -> Artifact:
    """Go on with the run of a folder from its checkpoint, or from the start if there is none."""
    run, command = open_run(folder)
    return train_run(
        run,
        folder,
        prepared=prepared or prepare_data(run.data),
        callbacks=callbacks,
        command=command,
        processes=processes,
    )


def train_run(
    run: Run,
    folder: Path,
    *,
    prepared: Prepared,
    callbacks: Sequence[Callback] = (),
    command: str = "",
    processes: Processes | None = None,
) -> Artifact:
    """Train (on) and save; the model of the best held-out loss becomes the artifact.

    Raises:
        ArtifactError: If the data is no longer what the run began with.
    """
    _require_same_data(folder, prepared)
    model = build_model(run.composition, prepared)
    processes = processes or Processes()
    trainer = _trainer(run, folder, model, prepared, processes, callbacks)
    seed = run.composition.training.seed

    def keep(**facts: Any) -> None:
        if not processes.is_first:
            return
        origin = provenance(
            source=run.data.source, fingerprint=prepared.raw.fingerprint, command=command, **facts
        )
        save(folder, model.cpu(), prepared.codec, provenance=origin)

    try:
        trainer.fit(resume=processes.from_first((folder / CHECKPOINT).exists))
    except NumericalError:
        keep(diverged=True, step=trainer.step)
        raise
    policy = trainer.policy
    keep(step=trainer.step, speed=policy.reason if policy else "", seed=seed)
    processes.wait()
    return load(folder)


def _trainer(
    run: Run,
    folder: Path,
    model: VAEModel,
    prepared: Prepared,
    processes: Processes,
    callbacks: Sequence[Callback] = (),
) -> Trainer:
    """The loop that trains the run's model."""
    return Trainer(
        model,
        prepared.parts,
        run.composition.training,
        objective=run.composition.objective,
        folder=folder,
        callbacks=callbacks,
        processes=processes,
    )


def _require_same_data(folder: Path, prepared: Prepared) -> None:
    """Scaling can hide from a checkpoint that the raw data has changed; its checksum cannot."""
    begun = read_json(folder / RUN) if (folder / RUN).is_file() else {}
    expected, got = begun.get("data_sha256"), prepared.raw.fingerprint
    if expected not in (None, got):
        raise ArtifactError(
            "the data has changed since the run began",
            expected=f"sha256 {expected}",
            got=f"sha256 {got}",
            where=prepared.raw.name,
            remedy="bring the old data back, or begin a new run",
        )
