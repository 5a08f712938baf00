"""Recipes: named variants, each a short function that composes parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vaekit.errors import ConfigError, did_you_mean
from vaekit.tasks.composition import Composition, Hint, Recipe

__all__ = ["RecipeCard", "compose", "find", "recipe", "recipes"]


class RecipeCard:
    """A recipe with what is said about it.

    Args:
        name: How it is called.
        make: The function that composes it.
        summary: One line.
        paper: Where it comes from.
        reading: How data is read for it, fields of a ``DataSpec``, unless the user says otherwise.
    """

    __slots__ = ("make", "name", "paper", "reading", "summary")

    def __init__(
        self,
        name: str,
        make: Recipe,
        *,
        summary: str,
        paper: str,
        reading: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.make = make
        self.summary = summary
        self.paper = paper
        self.reading = dict(reading or {})


_cards: dict[str, RecipeCard] = {}


def recipe(
    name: str, *, paper: str, reading: Mapping[str, Any] | None = None
) -> Callable[[Recipe], Recipe]:
    """Register a function as a recipe; the first line of its docstring is its summary.

    Raises:
        ConfigError: If the name is taken by another function.
    """

    def keep(make: Recipe) -> Recipe:
        taken = _cards.get(name)
        if taken is not None and taken.make.__qualname__ != make.__qualname__:
            raise ConfigError(f"the recipe {name!r} exists already", remedy="choose another name")
        summary = (make.__doc__ or "").strip().splitlines()[0]
        _cards[name] = RecipeCard(name, make, summary=summary, paper=paper, reading=reading)
        return make

    return keep


def recipes() -> dict[str, RecipeCard]:
    """All recipes by name."""
    return dict(sorted(_cards.items()))


def find(name: str) -> RecipeCard:
    """The recipe of this name.

    Raises:
        ConfigError: If there is no such recipe.
    """
    if name not in _cards:
        raise ConfigError(f"unknown recipe {name!r}", remedy=did_you_mean(name, _cards))
    return _cards[name]


def compose(name: str, hint: Hint) -> Composition:
    """The composition of a named recipe for data like this; errors are those of :func:`find`."""
    return find(name).make(hint)
