"""How many devices a recipe wants, and what it would have to be to want fewer, in words."""

from __future__ import annotations

import shlex

from launcher.specs import Recipe
from launcher.specs.counted import counted
from launcher.specs.dump import flow, plain
from launcher.specs.sweep import lengths


def needed(recipe: Recipe) -> str:
    """`8 ranks`, `a sweep of 8 combinations (4 x 2)`."""
    if not recipe.sweep:
        return counted(recipe.ranks, "rank")
    return f"a sweep of {counted(recipe.ranks, 'combination')} ({lengths(recipe.sweep)})"


def fewer(recipe: Recipe, devices: int) -> str:
    """What makes do with so many devices; empty for none.

    A sweep is to be run in parts: with as many values of its first list as fit, where at least one does.
    """
    if not devices:
        return ""
    if not recipe.sweep:
        return f"set ranks to {devices}{' or less' * (devices > 1)}"
    path, values = next(iter(recipe.sweep.items()))
    fitting = devices * len(values) // recipe.ranks
    if not fitting:
        return f"sweep in parts of {counted(devices, 'combination')} at most, one run after another"
    option = shlex.quote(f"sweep.{path}={flow(plain(values[:fitting]))}")
    return f"sweep in parts, one run after another, the first with --set {option}"
