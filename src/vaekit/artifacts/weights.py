"""Weights as safetensors: shared tensors stored once, files checked against the model first."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from vaekit.errors import ArtifactError, ConfigError
from vaekit.files import write_atomically

__all__ = [
    "at_most",
    "check_names",
    "load_weights",
    "save_weights",
    "shared_tensors",
    "stored_names",
]

SPARE = 100
TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def shared_tensors(state: Mapping[str, Tensor]) -> dict[str, str]:
    """Names that stand for the same storage as an earlier name, by that name.

    A part that is used twice (a prior that holds the posterior) appears twice in the state; it is
    stored once, and the second name becomes a reference.
    """
    first: dict[tuple[Any, ...], str] = {}
    shared = {}
    for name, value in state.items():
        if value.numel() == 0:
            continue
        key = (value.device, value.data_ptr(), value.dtype, value.shape, value.stride())
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
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, value in state.items()
        if name not in shared
    }
    write_atomically(path, lambda temporary: save_file(tensors, temporary))
    return shared


def check_names(model: nn.Module, again: nn.Module) -> None:
    """Refuse a model that differs from what its spec builds, in a tensor's name, shape or type.

    Raises:
        ConfigError: If it does; the message names the tensor.
    """
    own, built = model.state_dict(), again.state_dict()
    for name in sorted(own.keys() | built.keys()):
        facts = [_facts(state[name]) if name in state else "absent" for state in (built, own)]
        if facts[0] != facts[1]:
            raise ConfigError(
                f"the model is not what its spec builds: the tensor {name!r} differs",
                expected=facts[0],
                got=facts[1],
                remedy="change the spec and build again instead of changing the built model; "
                "convert numbers back with model.float()",
            )


def _facts(value: Tensor) -> str:
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"


@contextlib.contextmanager
def at_most(tensors: int, *, where: str) -> Iterator[None]:
    """Stop a build that makes many more parameters than the file holds, before it takes long.

    Args:
        tensors: How many the file holds.
        where: The description, for the message.

    Raises:
        ArtifactError: If the build goes far beyond that.
    """
    made, builder = 0, threading.get_ident()

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal made
        made += threading.get_ident() == builder
        if made > 2 * tensors + SPARE:
            raise ArtifactError(
                "the model described has more weights than the file",
                expected=f"{tensors} tensors",
                got=f"more than {made}",
                where=where,
            )

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def stored_names(path: Path) -> list[str]:
    """The names in a file's header.

    Raises:
        ArtifactError: If the file is missing or corrupt.
    """
    with _opened(path) as file:
        return list(file.keys())


def load_weights(model: nn.Module, path: Path, shared: Mapping[str, str]) -> None:
    """Fill a model that was built on the meta device from a file; references stay shared.

    The names, shapes and types in the file's header are compared with the model's before any
    tensor is read, so a file cannot make the model use more memory than the file itself takes.

    Raises:
        ArtifactError: If file and model differ, a number is not finite, or the file is corrupt.
    """
    expected = model.state_dict(keep_vars=True)
    with _opened(path) as file:
        _compare(expected, file, shared, path)
        # Copies: what safetensors maps from the file is aligned differently, and rounds so.
        state = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    for name, value in state.items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise ArtifactError("weights that are not finite", where=f"{path}, {name}")
        if isinstance(expected[name], nn.Parameter):
            state[name] = nn.Parameter(value)  # one object, so that its references stay tied
    model.load_state_dict(
        state | {alias: state[name] for alias, name in shared.items()}, assign=True
    )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise ArtifactError(f"cannot read the weights ({error})", where=str(path)) from error


def _compare(
    expected: Mapping[str, Tensor], file: Any, shared: Mapping[str, str], path: Path
) -> None:
    stored = set(file.keys())
    wrong = {
        alias: name
        for alias, name in shared.items()
        if alias not in expected or alias in stored or name not in stored
    }
    if wrong:
        raise ArtifactError(
            "a reference to weights that are not there", got=str(wrong)[:80], where=str(path)
        )
    for name in sorted(set(expected) ^ (stored | set(shared))):
        problem = "is missing" if name in expected else "is not part of the model"
        raise ArtifactError(f"the tensor {name!r} {problem}", where=str(path))
    for name in sorted(expected):
        header = file.get_slice(shared.get(name, name))
        _compare_one(name, expected[name], header, path)


def _compare_one(name: str, wanted: Tensor, header: Any, path: Path) -> None:
    shape, kind = tuple(header.get_shape()), header.get_dtype()
    if shape != tuple(wanted.shape):
        raise ArtifactError(
            f"the tensor {name!r} has another shape than model.json says",
            expected=tuple(wanted.shape),
            got=shape,
            where=str(path),
        )
    if TYPES.get(kind) != wanted.dtype:
        raise ArtifactError(
            f"the tensor {name!r} has numbers of another type than the model",
            expected=str(wanted.dtype).removeprefix("torch."),
            got=kind,
            where=str(path),
        )
