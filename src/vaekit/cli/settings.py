"""From command-line words to a run: recipe first, then options, then ``--set``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vaekit.errors import ConfigError, did_you_mean
from vaekit.networks import MLP
from vaekit.recipes import compose
from vaekit.spec import Spec, parse_value, replace_at
from vaekit.tasks import Composition, DataSpec, Prepared, hint_for

__all__ = ["composition_for", "data_spec", "full_key", "parse_settings", "with_settings"]

Setting = tuple[str, Any]


def parse_settings(words: Sequence[str]) -> list[Setting]:
    """``key=value`` words as dotted keys and values.

    Raises:
        ConfigError: If a word has no ``=``.
    """
    settings = []
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.strip():
            raise ConfigError("not a setting", expected="key=value", got=word, where="--set")
        settings.append((key.strip(), parse_value(value)))
    return settings


def data_spec(source: str, options: dict[str, Any], settings: Sequence[Setting]) -> DataSpec:
    """How to read the data: options, then settings whose key begins with ``data.``.

    A file or folder is kept by its full path, so that the run can be measured from anywhere.
    """
    local = Path(source)
    spec: Spec = DataSpec(source=str(local.resolve()) if local.exists() else source)
    given = [(name, value) for name, value in options.items() if value is not None]
    for name, value in [*given, *_under("data", settings)]:
        spec = replace_at(spec, name, value)
    assert isinstance(spec, DataSpec)
    return spec


def composition_for(
    recipe: str, prepared: Prepared, options: dict[str, Any], settings: Sequence[Setting]
) -> Composition:
    """The composition of a recipe with options and settings applied.

    Args:
        recipe: Its name.
        prepared: The data.
        options: Dotted keys and values; None means not given.
        settings: Of ``--set``; ``model.``, ``objective.`` and ``training.`` may be written out,
            and their fields may be named alone (``likelihood.scale=shared``, ``clip=1``).
    """
    composition: Spec = compose(recipe, hint_for(prepared.codec))
    given = [(key, value) for key, value in options.items() if value is not None]
    own = [(key, value) for key, value in settings if not key.startswith("data.")]
    composition = with_settings(composition, [*given, *own])
    assert isinstance(composition, Composition)
    return composition


def with_settings(composition: Spec, settings: Sequence[Setting]) -> Spec:
    """A composition of parts with settings applied, whose keys :func:`full_key` completes."""
    for key, value in settings:
        composition = replace_at(composition, full_key(key, composition), value)
    return composition


def hidden_network(text: str) -> MLP:
    """``256,128`` as dense layers; an empty text makes them linear."""
    value = parse_value(text) if text.strip() else ()
    return MLP(hidden=value)


def _under(head: str, settings: Sequence[Setting]) -> list[Setting]:
    prefix = f"{head}."
    return [(key[len(prefix) :], value) for key, value in settings if key.startswith(prefix)]


def full_key(key: str, composition: Spec, *, where: str = "--set") -> str:
    """``likelihood.scale`` as ``model.likelihood.scale``.

    Raises:
        ConfigError: If no part has a field of that name; suggests the nearest.
    """
    head = key.partition(".")[0]
    parts = [field.name for field in dataclasses.fields(composition)]  # type: ignore[arg-type]
    if head in parts:
        return key
    inner = {
        field.name: f"{part}.{key}"
        for part in reversed(parts)
        if isinstance(getattr(composition, part), Spec)
        for field in dataclasses.fields(getattr(composition, part))
    }
    if head not in inner:
        known = [*parts, "data", *inner]
        raise ConfigError(
            f"unknown setting {key!r}", where=where, remedy=did_you_mean(head, known)
        )
    return inner[head]
