"""An artifact is a folder of open files; nothing in it is ever unpickled.

======================  ==========================================================================
``model.json``          the spec of every part, the shape of the data, references to shared tensors
``weights.safetensors`` the tensors
``codec.json``          how raw data becomes tensors and tensors become raw data
``history.jsonl``       one record per epoch
``metrics.json``        what was measured
``provenance.json``     data, versions, command, time
======================  ==========================================================================

Loading builds registered names with checked bounds only, first without memory (on the meta
device), so a folder from a stranger can neither run code nor exhaust memory.
"""

from __future__ import annotations

import itertools
import math
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from vaekit.artifacts.weights import at_most, check_names, load_weights, save_weights, stored_names
from vaekit.data import DataCodec
from vaekit.errors import ArtifactError, ConfigError, ShapeError, VaekitError
from vaekit.files import read_json, write_json
from vaekit.models import VAEModel
from vaekit.spec import from_json, to_json
from vaekit.training import HISTORY, read_history
from vaekit.version import __version__

__all__ = ["Artifact", "describe", "load", "provenance", "save"]

FORMAT = "vaekit-model-1"
CODEC_FORMAT = "vaekit-codec-1"
MAX_EVENT = 2**28
BUILD_ERRORS = (ConfigError, ShapeError, LookupError, RuntimeError, TypeError, ValueError)
"""What building can raise when sizes do not fit each other."""


class Artifact:
    """A saved model with its codec and what is known about it.

    Attributes:
        folder: Where it lies.
        model: The model, in evaluation mode.
        codec: Raw data to tensors and back.
        metrics: What was measured, empty if nothing was.
        provenance: Where it came from.
    """

    __slots__ = ("codec", "folder", "metrics", "model", "provenance")

    def __init__(
        self,
        folder: Path,
        model: VAEModel,
        codec: DataCodec,
        metrics: Mapping[str, Any],
        provenance: Mapping[str, Any],
    ) -> None:
        self.folder = folder
        self.model = model
        self.codec = codec
        self.metrics = dict(metrics)
        self.provenance = dict(provenance)

    @property
    def history(self) -> list[dict[str, Any]]:
        """The records of its training."""
        path = self.folder / HISTORY
        return read_history(path) if path.is_file() else []


def save(
    folder: str | Path,
    model: VAEModel,
    codec: DataCodec,
    *,
    metrics: Mapping[str, Any] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Path:
    """Write an artifact; every file is replaced atomically.

    Raises:
        ConfigError: If a part of the model was not built from a registered spec, or was changed so
            that its spec no longer builds it: what is written can be loaded again.
        OSError: If a file cannot be written.
    """
    folder = Path(folder)
    spec = to_json(model)
    with torch.device("meta"):
        again = from_json(spec, role="model").build(  # type: ignore[attr-defined]
            event_shape=model.event_shape, context_dim=model.context_dim
        )
    check_names(model, again)
    shared = save_weights(model, folder / "weights.safetensors")
    description = {
        "format": FORMAT,
        "vaekit": __version__,
        "model": spec,
        "event_shape": list(model.event_shape),
        "context_dim": model.context_dim,
        "shared": {alias: {"$ref": name} for alias, name in shared.items()},
    }
    write_json(folder / "codec.json", {"format": CODEC_FORMAT, "codec": to_json(codec)})
    if metrics is not None:
        write_json(folder / "metrics.json", dict(metrics))
    if provenance is not None:
        write_json(folder / "provenance.json", dict(provenance))
    write_json(folder / "model.json", description)
    return folder


def load(folder: str | Path) -> Artifact:
    """Read an artifact.

    Raises:
        ArtifactError: If the folder is no artifact, or is corrupt, foreign or unsafe.
    """
    folder = Path(folder)
    if not (folder / "model.json").is_file():
        raise ArtifactError(
            "no model here",
            expected="a run folder with model.json",
            where=str(folder),
            remedy="vaekit train writes one; an unfinished run continues with --resume",
        )
    model = _load_model(folder)
    codec = _load_codec(folder)
    if codec.event_shape != model.event_shape or codec.context_dim != model.context_dim:
        raise ArtifactError(
            "codec.json and model.json do not belong together",
            expected=f"{model.event_shape}, context {model.context_dim}",
            got=f"{codec.event_shape}, context {codec.context_dim}",
            where=str(folder),
        )
    return Artifact(
        folder,
        model,
        codec,
        _optional(folder / "metrics.json"),
        _optional(folder / "provenance.json"),
    )


def _load_model(folder: Path) -> VAEModel:
    path = folder / "model.json"
    description = _expect(path, FORMAT, ("model", "event_shape", "context_dim", "shared"))
    event_shape = _checked_shape(description["event_shape"], path)
    context_dim = description["context_dim"]
    if type(context_dim) is not int or not 0 <= context_dim <= 2**20:
        raise ArtifactError(
            "not a context size",
            expected="a whole number from 0 to 2^20",
            got=str(context_dim)[:80],
            where=f"{path}: context_dim",
        )
    shared = _checked_references(description["shared"], path)
    weights = folder / "weights.safetensors"
    known = len(stored_names(weights)) + len(shared)
    sizes = {"event_shape": event_shape, "context_dim": context_dim}
    try:
        spec: Any = from_json(description["model"], role="model", where="model")
        with torch.device("meta"), at_most(known, where=str(path)):
            model = spec.build(**sizes)
    except BUILD_ERRORS as error:
        raise ArtifactError(f"cannot build the model: {error}", where=str(path)) from error
    load_weights(model, weights, shared)
    if any(t.is_meta for t in itertools.chain(model.parameters(), model.buffers())):
        model = _with_buffers(spec, sizes, weights, shared)
    built: VAEModel = model.eval()
    return built


def _with_buffers(
    spec: Any, sizes: dict[str, Any], weights: Path, shared: dict[str, str]
) -> VAEModel:
    """The model with the buffers that are computed and not stored; its sizes are known by now."""
    with torch.random.fork_rng(devices=[]):
        model: VAEModel = spec.build(**sizes)
    load_weights(model, weights, shared)
    return model


def _load_codec(folder: Path) -> DataCodec:
    path = folder / "codec.json"
    description = _expect(path, CODEC_FORMAT, ("codec",))
    try:
        codec = from_json(description["codec"], role="codec", where="codec")
    except VaekitError as error:
        raise ArtifactError(f"cannot read the codec: {error}", where=str(path)) from error
    if not isinstance(codec, DataCodec):
        raise ArtifactError(
            "not a data codec", expected="codec/data", got=codec.kind, where=str(path)
        )
    return codec


def _expect(path: Path, format_name: str, fields: tuple[str, ...]) -> dict[str, Any]:
    """A JSON object of a known format with the fields it must have."""
    value = read_json(path)
    if not isinstance(value, dict) or value.get("format") != format_name:
        got = value.get("format") if isinstance(value, dict) else type(value).__name__
        raise ArtifactError(
            "a foreign file", expected=f"format {format_name}", got=got, where=str(path)
        )
    for field in fields:
        if field not in value:
            raise ArtifactError(f"the field {field!r} is missing", where=str(path))
    return value


def _checked_shape(value: Any, path: Path) -> tuple[int, ...]:
    fine = (
        isinstance(value, list)
        and 1 <= len(value) <= 4
        and all(type(n) is int and 1 <= n <= MAX_EVENT for n in value)
        and math.prod(value) <= MAX_EVENT
    )
    if not fine:
        raise ArtifactError(
            "not a shape of data",
            expected=f"1 to 4 whole numbers with a product of at most {MAX_EVENT}",
            got=str(value)[:80],
            where=f"{path}: event_shape",
        )
    return tuple(value)


def _checked_references(value: Any, path: Path) -> dict[str, str]:
    fine = isinstance(value, dict) and all(
        isinstance(entry, dict) and isinstance(entry.get("$ref"), str) for entry in value.values()
    )
    if not fine:
        raise ArtifactError(
            "not references", expected='{"name": {"$ref": "name"}}', where=f"{path}: shared"
        )
    return {alias: entry["$ref"] for alias, entry in value.items()}


def _optional(path: Path) -> dict[str, Any]:
    value = read_json(path) if path.is_file() else {}
    return value if isinstance(value, dict) else {}


def provenance(
    *, source: str, fingerprint: str, command: str = "", **facts: Any
) -> dict[str, Any]:
    """Where a model comes from: data, versions, machine, time."""
    return {
        "data": source,
        "data_sha256": fingerprint,
        "command": command,
        "vaekit": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        **facts,
    }


def describe(folder: str | Path) -> dict[str, Any]:
    """What an artifact is, ready for JSON: parts, sizes, codec, metrics, provenance."""
    artifact = load(folder)
    model = artifact.model
    sizes = {
        name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()
    }
    return {
        "folder": str(artifact.folder),
        "model": to_json(model),
        "event_shape": list(model.event_shape),
        "latent_shape": list(model.latent_shape),
        "context_dim": model.context_dim,
        "weights": {**sizes, "total": sum(p.numel() for p in model.parameters())},
        "codec": artifact.codec.describe().splitlines(),
        "epochs": len(artifact.history),
        "metrics": artifact.metrics,
        "provenance": artifact.provenance,
    }
