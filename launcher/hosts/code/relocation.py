"""Which folder is a recipe's code, and the recipe as it reads where that folder lies elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

from launcher.errors import SpecError
from launcher.specs import Recipe
from launcher.specs.placeholders import PLACEHOLDERS, fill


def project_root(recipe_path: Path) -> Path:
    """The folder that travels with a recipe: the git work tree that holds it, else the recipe's own folder."""
    folder = recipe_path.parent.resolve()
    return next((above for above in (folder, *folder.parents) if (above / ".git").exists()), folder)


def relocated(recipe: Recipe, root: Path, folder: str) -> Recipe:
    """The recipe for hosts on which the content of `root` lies in `folder`: paths into the one lead into the other.

    Raises SpecError when the script lies outside of the root, or when checkpoints would be written into a snapshot.
    """
    where = str(recipe.source or "recipe")
    script = _within(recipe.script_path, root)
    if script is None:
        raise SpecError(
            f"script {recipe.script_path} lies outside of the folder that is brought to the hosts, {root}",
            where=where,
            expected="a script in the recipe's git work tree or, without one, below the recipe's own folder",
            remedy="move the recipe above its code, or put both into one git work tree (git init)",
        )
    is_snapshot = folder != str(root)
    if is_snapshot and recipe.checkpoint is not None and _follows_recipe(recipe.checkpoint.dir):
        raise SpecError(
            f"checkpoint.dir is {recipe.checkpoint.dir}: on the hosts it would lie in a snapshot of your code",
            where=where,
            expected="a folder of the run, or an absolute path",
            remedy='checkpoint: {dir: "{run_dir}/checkpoints"}, or a path that hosts share',
        )
    moved = recipe.resolved()
    return moved.model_copy(
        update={
            "script": _moved(moved.script, root, folder),
            "python": moved.python and _moved(moved.python, root, folder),
            "data": tuple(_moved(path, root, folder) for path in moved.data),
            "relative_to": _moved(str(moved.directory), root, folder),
        }
    )


def _moved(path: str, root: Path, folder: str) -> str:
    """A path as it is on the hosts: another one below the root, the same elsewhere."""
    inside = _within(Path(path), root) if "/" in path else None
    return path if inside is None else str(Path(folder) / inside)


def _within(path: Path, root: Path) -> Path | None:
    """The path relative to the root, or None; a link counts where it lies, and not where it leads."""
    path = Path(os.path.normpath(path))
    for seen in (path, path.parent.resolve() / path.name, path.resolve()):
        if seen.is_relative_to(root):
            return seen.relative_to(root)
    return None


def _follows_recipe(path: str) -> bool:
    """Whether a path with placeholders starts from the recipe's folder."""
    return not fill(path, {**dict.fromkeys(PLACEHOLDERS, "/"), "recipe_dir": "."}).startswith("/")
