"""Fitted estimators as bytes (to pickle in memory) and as folders of open files."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of
from sklearn.utils.validation import check_is_fitted

from vaekit import artifacts
from vaekit.artifacts.weights import shared_tensors
from vaekit.data import DataCodec
from vaekit.errors import ArtifactError, ConfigError, VaekitError
from vaekit.files import read_json, write_bytes, write_json
from vaekit.models import VAEModel
from vaekit.spec import Spec, from_json, to_json
from vaekit.tasks.estimators.parts import ROLES
from vaekit.tasks.run import RUN
from vaekit.training import HISTORY

__all__ = ["Savable", "numbers", "pack", "unpack"]

ESTIMATOR = "estimator.json"
FORMAT = "vaekit-estimator-1"
SEVERAL = ("stacked",)
"""Parameters that may hold several whole numbers."""


def pack(model: VAEModel) -> dict[str, Any]:
    """A model as its spec and the bytes of its weights, on whatever device it is."""
    state = model.state_dict()
    shared = shared_tensors(state)
    tensors = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in state.items()
        if name not in shared
    }
    return {
        "spec": model.spec,
        "event_shape": model.event_shape,
        "shared": shared,
        "weights": bytes_of(tensors),
    }


def unpack(packed: Mapping[str, Any]) -> VAEModel:
    """The model of :func:`pack`, on the CPU, ready to be evaluated."""
    with torch.random.fork_rng(devices=[]):
        model = packed["spec"].build(event_shape=packed["event_shape"])
    # Copies: what is mapped from bytes is aligned differently, and rounds so.
    state = {name: value.clone() for name, value in tensors_of(packed["weights"]).items()}
    aliases = {alias: state[name] for alias, name in packed["shared"].items()}
    model.load_state_dict(state | aliases)
    return cast(VAEModel, model.eval())


class Savable:
    """Folders and pickles of estimators; stands before ``BaseEstimator`` in the order of bases."""

    model_: VAEModel
    codec_: DataCodec
    kl_: np.ndarray
    history_: list[dict[str, Any]]
    seed_: int
    n_features_in_: int
    feature_names_in_: np.ndarray
    _fingerprint: str

    def save(self, folder: str | Path) -> Path:
        """Write the model, its codec, its history and the parameters as open files.

        The folder is an artifact, which ``vaekit.artifacts.load`` reads too. What belongs to the
        estimator, ``estimator.json``, is written last: a folder that was not written to the end
        cannot be loaded.

        Args:
            folder: Made when missing; files of an earlier estimator are replaced.

        Returns:
            The folder.

        Raises:
            ConfigError: If a parameter or a part cannot be written down (a module of your own, a
                ``RandomState``), or the folder holds a run.
        """
        check_is_fitted(self)
        if (Path(folder) / RUN).exists():
            raise ConfigError(
                "this folder holds a run of the command line",
                where=str(folder),
                remedy="save into another folder",
            )
        name, folder = type(self).__name__, Path(folder)
        params: dict[str, Any] = self.get_params(deep=False)  # type: ignore[attr-defined]
        description = {
            "format": FORMAT,
            "estimator": name,
            "params": {key: _to_json(key, value) for key, value in params.items()},
            "fitted": self._fitted(),
        }
        facts = artifacts.provenance(
            source="memory", fingerprint=self._fingerprint, command=f"{name}.fit"
        )
        to_json(self.model_)  # refuses what cannot be written before the old file goes
        (folder / ESTIMATOR).unlink(missing_ok=True)
        artifacts.save(folder, self.model_, self.codec_, provenance=facts)
        lines = "".join(json.dumps(record, allow_nan=False) + "\n" for record in self.history_)
        write_bytes(folder / HISTORY, lines.encode())
        self._write_more(folder)
        write_json(folder / ESTIMATOR, description)
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """The fitted estimator that :meth:`save` wrote; nothing is unpickled.

        Raises:
            ArtifactError: If the folder holds no such estimator, or is corrupt or foreign.
        """
        path = Path(folder) / ESTIMATOR
        params, fitted = _read(path, cls)
        artifact = artifacts.load(folder)
        estimator = cls(**params)
        estimator.model_, estimator.codec_ = artifact.model, artifact.codec
        estimator.history_ = artifact.history
        estimator._fingerprint = str(artifact.provenance.get("data_sha256", ""))
        estimator._restore(fitted, path)
        return estimator

    def _write_more(self, folder: Path) -> None:
        """Files of a subclass beside those of an artifact."""

    def _fitted(self) -> dict[str, Any]:
        """Fitted numbers that are in no other file, ready for JSON; NaN becomes null."""
        return {"seed": self.seed_, "kl": [v if v == v else None for v in self.kl_.tolist()]}

    def _restore(self, fitted: Mapping[str, Any], path: Path) -> None:
        """Take back what :meth:`_fitted` gave, checked."""
        seed = fitted.get("seed")
        if type(seed) is not int or not 0 <= seed < 2**31:
            raise ArtifactError("not a seed", got=str(seed)[:80], where=f"{path}: seed")
        self.seed_ = seed
        self._restore_columns(fitted, path)
        self.kl_ = numbers(fitted, "kl", None, path)

    def _restore_columns(self, fitted: Mapping[str, Any], path: Path) -> None:
        """How many columns there were, and their names."""
        part = self.codec_.x
        self.n_features_in_ = math.prod(part.event_shape)
        if columns := getattr(part, "columns", ()):
            self.feature_names_in_ = np.asarray(columns, object)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(cast(dict[str, Any], super().__getstate__()))
        if "model_" in state:
            state["model_"] = pack(state["model_"])
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "model_" in state:
            state = {**state, "model_": unpack(state["model_"])}
        super().__setstate__(state)  # type: ignore[misc]


def _read(path: Path, cls: type) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters and fitted numbers of an estimator's file; what is missing has its default."""
    found = read_json(path)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        got = found.get("format") if isinstance(found, dict) else type(found).__name__
        raise ArtifactError(
            "a foreign file", expected=f"format {FORMAT}", got=str(got)[:80], where=str(path)
        )
    if found.get("estimator") != cls.__name__:
        raise ArtifactError(
            "another estimator lies here",
            expected=cls.__name__,
            got=str(found.get("estimator"))[:80],
            where=str(path),
        )
    params, fitted = found.get("params"), found.get("fitted")
    if not isinstance(params, dict) or not isinstance(fitted, dict):
        raise ArtifactError("params or fitted is missing", where=str(path))
    known = cls._get_param_names()  # type: ignore[attr-defined]
    if unknown := sorted(set(params) - set(known)):
        raise ArtifactError(
            f"unknown parameter {unknown[0][:80]!r} of {cls.__name__}",
            expected=", ".join(known),
            where=str(path),
        )
    return {key: _from_json(key, value, str(path)) for key, value in params.items()}, fitted


def numbers(fitted: Mapping[str, Any], name: str, size: int | None, path: Path) -> np.ndarray:
    """One of the fitted lists of numbers, checked; null stands for NaN.

    Args:
        fitted: What the file holds.
        name: Which list.
        size: How long it must be; None for any length.
        path: The file, for the message.

    Raises:
        ArtifactError: If it is no such list.
    """
    values = fitted.get(name)
    fine = isinstance(values, list) and size in (None, len(values))
    if not fine or not all(v is None or type(v) in (int, float) for v in values or ()):
        raise ArtifactError(
            "not a list of numbers",
            expected=None if size is None else f"{size} numbers",
            got=str(values)[:80],
            where=f"{path}: {name}",
        )
    return np.array([math.nan if v is None else v for v in values or ()], np.float64)


def _to_json(name: str, value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Spec):
        return to_json(value)
    if isinstance(value, dict) and all(isinstance(word, str) for word in value.values()):
        return {"$words": {str(key): word for key, word in value.items()}}
    if isinstance(value, tuple | list) and all(type(item) is int for item in value):
        return list(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ConfigError(
        "this parameter cannot be written to a file",
        expected="a number, text, or a registered spec",
        got=type(value).__name__,
        where=name,
        remedy="set it to such a value before you save",
    )


def _from_json(name: str, value: Any, where: str) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    several = name in SEVERAL and isinstance(value, list)
    if several and all(type(item) is int for item in value):
        return tuple(value)
    if isinstance(value, dict) and set(value) == {"$words"}:
        return _words(value["$words"], where)
    try:
        return from_json(value, role=ROLES.get(name, "none"), where=name)
    except VaekitError as error:
        raise ArtifactError(f"cannot read the parameter {name!r}: {error}", where=where) from error


def _words(value: Any, where: str) -> dict[str, str]:
    """Words by name, such as the types of columns."""
    if not isinstance(value, dict) or not all(isinstance(word, str) for word in value.values()):
        raise ArtifactError("not words by name", got=str(value)[:80], where=where)
    return value
