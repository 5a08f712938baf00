"""Weights as safetensors: shared tensors stored once, files compared with the model before loading."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from vaekit.errors import ArtifactError
from vaekit.files import write_atomically

__all__ = ["load_weights", "save_weights", "shared_tensors"]


def shared_tensors(state: Mapping[str, Tensor]) -> dict[str, str]:
    """Names that stand for the same storage as an earlier name, by that name.

    A part that is used twice (a prior that holds the posterior) appears twice in the state; it is
    stored once, and the second name becomes a reference.
    """
    first: dict[tuple[int, torch.Size, tuple[int, ...]], str] = {}
    shared = {}
    for name, value in state.items():
        if value.numel() == 0:
            continue
        key = (value.data_ptr(), value.shape, value.stride())
        if first.setdefault(key, name) != name:
            shared[name] = first[key]
    return shared


def save_weights(model: nn.Module, path: Path) -> dict[str, str]:
    """Write a model's state atomically.

    Returns:
        The references, to be kept in ``model.json``.
    """
    state = model.state_dict()
    shared = shared_tensors(state)
    tensors = {
        name: value.detach().cpu().contiguous()
        for name, value in state.items()
        if name not in shared
    }
    write_atomically(path, lambda temporary: save_file(tensors, temporary))
    return shared


def load_weights(model: nn.Module, path: Path, shared: Mapping[str, str]) -> None:
    """Fill a model that was built on the meta device from a file.

    The names, shapes and types in the file's header are compared with the model's before any tensor
    is read, so a file cannot make the model use more memory than the file itself takes.

    Raises:
        ArtifactError: If file and model differ, a number is not finite, or the file is corrupt.
    """
    expected = model.state_dict()
    try:
        with safe_open(path, framework="pt") as file:
            _compare(expected, file, shared, path)
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ArtifactError(f"cannot read the weights ({error})", where=str(path)) from error
    for name, value in state.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise ArtifactError("weights that are not finite", where=f"{path}, {name}")
    model.load_state_dict(
        state | {alias: state[name] for alias, name in shared.items()}, assign=True
    )


def _compare(
    expected: Mapping[str, Tensor], file: safe_open, shared: Mapping[str, str], path: Path
) -> None:
    stored = set(file.keys())
    wrong = {
        alias: name
        for alias, name in shared.items()
        if alias not in expected or name not in stored
    }
    if wrong:
        raise ArtifactError(
            "a reference to weights that are not there", got=wrong, where=str(path)
        )
    for name in sorted(set(expected) ^ (stored | set(shared))):
        problem = "is missing" if name in expected else "is not part of the model"
        raise ArtifactError(f"the tensor {name!r} {problem}", where=str(path))
    for name in stored:
        shape = tuple(file.get_slice(name).get_shape())
        if shape != tuple(expected[name].shape):
            raise ArtifactError(
                f"the tensor {name!r} has another shape than model.json says",
                expected=tuple(expected[name].shape),
                got=shape,
                where=str(path),
            )
