"""Named variants of VAEs as compositions of parts."""

from vaekit.recipes import flat as _flat  # noqa: F401  registers
from vaekit.recipes import regularised as _regularised  # noqa: F401  registers
from vaekit.recipes import semi_supervised as _semi_supervised  # noqa: F401  registers
from vaekit.recipes.recipe import RecipeCard, compose, find, recipe, recipes

__all__ = ["RecipeCard", "compose", "find", "recipe", "recipes"]
