"""Where a recipe says something, for errors about it."""

from __future__ import annotations

from launcher.specs import Recipe


def place_of(recipe: Recipe, *path: str) -> str:
    """The file that the recipe was read from."""
    del path
    return str(recipe.source or "")
