"""The recipes that come with npu-launch: in a clone its folder `recipes`, in an installed wheel a copy of that."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from launcher.errors import UsageError
from launcher.specs.nearest import nearest

_PACKAGE: Final = Path(__file__).parents[1]


def shipped_folder() -> Path:
    """Where they lie."""
    in_wheel = _PACKAGE / "shipped"
    return in_wheel if in_wheel.is_dir() else _PACKAGE.parent / "recipes"


def shipped_recipes() -> list[str]:
    """Their names, without `.yaml`."""
    return sorted(file.stem for file in shipped_folder().glob("*.yaml"))


def find_recipe(asked: str) -> tuple[Path, bool]:
    """The file of a recipe that somebody names, and whether it is one of npu-launch's own.

    What looks like a path is one: it has a `/` or ends in `.yaml` or `.yml`. Raises UsageError for a name that no
    recipe has.
    """
    if "/" in asked or asked.endswith((".yaml", ".yml")):
        path = Path(asked)
        return path, path.absolute().parent == shipped_folder()
    names = shipped_recipes()
    if asked in names:
        return shipped_folder() / f"{asked}.yaml", True
    close = nearest(asked, names)
    raise UsageError(
        f"--from is '{asked}', which is no recipe of npu-launch's",
        expected=f"a path, or one of {', '.join(names)}" if names else "a path to a recipe",
        remedy=f"did you mean {close}?" if close else "",
    )
