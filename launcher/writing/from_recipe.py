"""Another recipe's text under a new name and in a new place, with all its comments."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from launcher.specs import Recipe
from launcher.specs.dump import flow

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node, ScalarNode

_SCHEMA_LINE: Final = re.compile(r"\A# yaml-language-server:.*\n")
_HOME: Final = "{recipe_dir}"
_MAY_NAME_HOME: Final = ("args", "env", "cwd", "checkpoint", "sweep")
_At = tuple[str | int, ...]


def retouched(text: str, recipe: Recipe, name: str, folder: Path, *, moves_script: bool) -> str:
    """The text of a recipe that is to lie in `folder`.

    Relative paths (cluster, data, python, cwd, checkpoint.dir, and script unless its folder comes along) lead from
    there to where they led before, and so does `{recipe_dir}`, which comes along with the script. The line that names a
    schema to editors goes: its path is right in one folder alone.
    """
    moved: dict[_At, str] = {("name",): name}
    for key in ("cluster", "python", *(("script",) if moves_script else ())):
        value = getattr(recipe, key)
        if value is not None and _is_path(key, value):
            moved[key,] = _from(folder, recipe, value)
    for place, path in enumerate(recipe.data):
        moved["data", place] = _from(folder, recipe, path)
    if not recipe.cwd.startswith("{"):
        moved["cwd",] = _from(folder, recipe, recipe.cwd)
    if recipe.checkpoint is not None and not recipe.checkpoint.dir.startswith("{"):
        moved["checkpoint", "dir"] = _from(folder, recipe, recipe.checkpoint.dir)
    home = os.path.relpath(recipe.directory, folder) if moves_script else "."
    return _SCHEMA_LINE.sub("", _replaced(text, moved, _HOME if home == "." else f"{_HOME}/{home}"))


def _is_path(key: str, value: str) -> bool:
    return value != "auto" if key == "cluster" else "/" in value or key == "script"


def _from(folder: Path, recipe: Recipe, path: str) -> str:
    if path.startswith(("/", "~")):
        return path
    return os.path.relpath(recipe.directory / path, folder)


def _replaced(text: str, values: dict[_At, str], home: str) -> str:
    """The YAML text with other scalars at some paths, and another home; the rest stays as it is, letter for letter."""
    from ruamel.yaml import YAML

    scalars = dict(_scalars(YAML(typ="safe", pure=True).compose(text)))
    if home != _HOME:
        named = {at: node.value for at, node in scalars.items() if at[0] in _MAY_NAME_HOME and _HOME in node.value}
        values = {at: value.replace(_HOME, home) for at, value in named.items()} | values
    nodes = [(scalars[at], value) for at, value in values.items() if at in scalars]
    for node, value in sorted(nodes, key=lambda pair: pair[0].start_mark.index, reverse=True):
        start, end = node.start_mark.index, node.end_mark.index
        is_block = text[start:end].endswith("\n")
        text = text[:start] + flow(value) + ("\n" if is_block else "") + text[end:]
    return text


def _scalars(node: Node, at: _At = ()) -> Iterator[tuple[_At, ScalarNode]]:
    """All scalars that are values, by their paths."""
    from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

    if isinstance(node, ScalarNode):
        yield at, node
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            yield from _scalars(value, (*at, key.value))
    elif isinstance(node, SequenceNode):
        for place, value in enumerate(node.value):
            yield from _scalars(value, (*at, place))
