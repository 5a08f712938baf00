"""Checkpoints: everything a run needs to go on as if it had never stopped, in one file.

One safetensors file holds the weights, the optimisers' moments, the averages and the best weights;
its header holds the rest as JSON. One file means one rename, so a checkpoint is whole or absent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vaekit.errors import ArtifactError
from vaekit.files import write_atomically

__all__ = ["load_checkpoint", "optimizer_state", "restore_optimizer", "save_checkpoint"]

FORMAT = "vaekit-checkpoint-1"


def save_checkpoint(
    path: Path, groups: Mapping[str, Mapping[str, Tensor]], facts: Mapping[str, Any]
) -> Path:
    """Write groups of named tensors and JSON-ready facts, atomically."""
    tensors = {
        f"{group}/{name}": value.detach().contiguous().clone()
        for group, values in groups.items()
        for name, value in values.items()
    }
    header = {"format": FORMAT, "facts": json.dumps(facts)}
    return write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata=header))


def load_checkpoint(
    path: Path, *, device: str = "cpu"
) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """The groups and facts that :func:`save_checkpoint` wrote.

    Raises:
        ArtifactError: If there is no checkpoint, or it is corrupt or foreign.
    """
    if not path.is_file():
        raise ArtifactError(
            "no checkpoint",
            where=str(path),
            remedy="--resume takes the folder of a run that began",
        )
    while True:
        found = _identity_of(path)
        try:
            read = _read(path, device)
        except (SafetensorError, RuntimeError, KeyError, ValueError) as error:
            if found != _identity_of(path):
                continue
            if isinstance(error, RuntimeError) and not isinstance(error, RecursionError):
                raise  # of the device, not of the file
            raise ArtifactError(f"the checkpoint is corrupt ({error})", where=str(path)) from error
        if found == _identity_of(path):
            return read
        # a run put a newer one in its place between the header and the tensors


def _identity_of(path: Path) -> tuple[int, int, int]:
    """What tells a file from the one that replaces it."""
    facts = path.stat()
    return facts.st_ino, facts.st_size, facts.st_mtime_ns


def _read(path: Path, device: str) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    groups: dict[str, dict[str, Tensor]] = {}
    with safe_open(path, framework="pt", device=device) as file:
        header = file.metadata() or {}
        if header.get("format") != FORMAT:
            raise ArtifactError(
                "not a vaekit checkpoint",
                expected=FORMAT,
                got=header.get("format"),
                where=str(path),
            )
        for key in file.keys():  # noqa: SIM118
            group, _, name = key.partition("/")
            groups.setdefault(group, {})[name] = file.get_tensor(key)
    facts = json.loads(header["facts"])
    if not isinstance(facts, dict):
        raise ValueError("its facts are no JSON object")
    return groups, facts


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimiser's tensors by ``index.name``."""
    return {
        f"{index}.{name}": torch.as_tensor(value)
        for index, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
        if value is not None
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put tensors of :func:`optimizer_state` back."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
