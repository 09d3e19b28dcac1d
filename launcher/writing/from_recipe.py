"""Another recipe's text under a new name and in a new place, with all its comments."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from launcher.specs import Recipe
from launcher.specs.dump import flow

_SCHEMA_LINE: Final = re.compile(r"\A# yaml-language-server:.*\n")


def retouched(text: str, recipe: Recipe, name: str, folder: Path, *, moves_script: bool) -> str:
    """The text of a recipe that is to lie in `folder`.

    Relative paths (cluster, data, python, checkpoint.dir, and script unless its folder comes along) lead from there to
    where they led before. The line that names a schema to editors goes: its path is right in one folder alone.
    """
    moved: dict[tuple[str | int, ...], str] = {("name",): flow(name)}
    for key in ("cluster", "python", *(("script",) if moves_script else ())):
        value = getattr(recipe, key)
        if value is not None and _is_path(key, value):
            moved[key,] = flow(_from(folder, recipe, value))
    if recipe.data:
        moved |= {("data", place): flow(_from(folder, recipe, path)) for place, path in enumerate(recipe.data)}
    if recipe.checkpoint is not None and not recipe.checkpoint.dir.startswith("{"):
        moved["checkpoint", "dir"] = flow(_from(folder, recipe, recipe.checkpoint.dir))
    return _SCHEMA_LINE.sub("", _replaced(text, moved))


def _is_path(key: str, value: str) -> bool:
    return value != "auto" if key == "cluster" else "/" in value or key == "script"


def _from(folder: Path, recipe: Recipe, path: str) -> str:
    if path.startswith(("/", "~")):
        return path
    return os.path.relpath(recipe.directory / path, folder)


def _replaced(text: str, values: Mapping[tuple[str | int, ...], str]) -> str:
    """The YAML text with other scalars at some paths; all the rest stays as it is, letter for letter."""
    from ruamel.yaml import YAML
    from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

    def at(node: Node, path: tuple[str | int, ...]) -> Node | None:
        if not path:
            return node
        if isinstance(node, MappingNode):
            return next((at(value, path[1:]) for key, value in node.value if key.value == path[0]), None)
        if isinstance(node, SequenceNode) and isinstance(path[0], int):
            return at(node.value[path[0]], path[1:])
        return None

    root = YAML(typ="safe", pure=True).compose(text)
    nodes = [(node, value) for path, value in values.items() if (node := at(root, path)) is not None]
    for node, value in sorted(nodes, key=lambda pair: pair[0].start_mark.index, reverse=True):
        end = node.end_mark.index
        text = text[: node.start_mark.index] + value + text[end:]
    return text
