"""What makes two runs the same run: data, parts and settings, as a checkpoint remembers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vaekit.errors import ArtifactError, ConfigError
from vaekit.spec import to_json
from vaekit.training.players import Player

__all__ = ["check_identity", "describe", "identity"]

FREE = ("checkpoint_seconds", "speed")
"""Settings of the training that do not touch its numbers, or that the checkpoint decides."""


def identity(
    data: Mapping[str, Any], players: Sequence[Player], parts: Mapping[str, Any]
) -> dict[str, Any]:
    """What must not change between a run and its continuation, ready for JSON."""
    shapes = {
        p.name: [type(p.optimizer).__name__, *(list(w.shape) for w in p.parameters)]
        for p in players
    }
    return {
        **{f"{name} data": part.digest() for name, part in data.items()},
        "players": shapes,
        **{name: describe(part) for name, part in parts.items()},
    }


def describe(part: Any) -> Any:
    """A part as JSON: its spec where it has one that can be written down, else its type."""
    try:
        fields = to_json(part)
    except ConfigError:
        return type(part).__name__
    return {name: value for name, value in fields.items() if name not in FREE}


def check_identity(stored: Any, present: Mapping[str, Any], *, where: str) -> None:
    """Compare a checkpoint's identity with the run that wants to continue from it.

    Raises:
        ArtifactError: If they differ; the message names the first setting that does.
    """
    stored, present = _flat(stored), _flat(present)
    for name in [*present, *stored]:
        if stored.get(name) != present.get(name):
            raise ArtifactError(
                f"the checkpoint belongs to a run with another {name}",
                expected=_said(stored.get(name)),
                got=_said(present.get(name)),
                where=where,
                remedy="resume with the same settings, or start a new run in another folder",
            )


def _said(value: Any) -> Any:
    return "none" if value is None else value


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dots in its names."""
    if not isinstance(value, Mapping):
        return {prefix or "origin": value}
    inner = [_flat(item, f"{prefix}.{name}" if prefix else name) for name, item in value.items()]
    return {name: item for part in inner for name, item in part.items()}
