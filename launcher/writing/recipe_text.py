"""A launch as the text of a recipe, with what is not in it as comments."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from launcher.specs import Rendezvous
from launcher.specs.dump import flow
from launcher.writing.launch import Launch, Note
from launcher.writing.options import as_options
from launcher.writing.shell.marks import real, relocated

_SHOWN: Final = 90  # characters of a line of the script
_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]*")
_WIDTH: Final = 118
_FARTHEST: Final = 3  # folders up, beyond which a path is better absolute


def recipe_text(launch: Launch, script: str, folder: Path) -> str:
    """The recipe of a launch that was read from `script`, to lie in `folder`: paths are as seen from there."""
    lines = [f"# What {_comment(script)} launches, for npu-launch: read, not run, by `npu-launch new --from-script`."]
    lines += _fill_ins(launch)
    lines += _open_points(launch)
    lines += _left(launch)
    return "\n".join([*lines, *_body(launch, folder)]) + "\n"


def open_points(launch: Launch) -> Iterator[str]:
    """What was not translated: a line of the script, and below it what somebody has to know of it."""
    place = None
    for note in launch.untranslated:
        if note.place != place:
            place = note.place
            yield f"line {place.line}: {textwrap.shorten(_comment(place.source), _SHOWN, placeholder=' ...')}"
        yield f"  {_comment(note.what)}"


def _comment(text: str) -> str:
    """Text as a comment can hold it."""
    return real("".join(character if character.isprintable() else " " for character in relocated(text, str)))


def _fill_ins(launch: Launch) -> Iterator[str]:
    if launch.fill_ins:
        yield "#"
        yield "# To fill in:"
        yield from (f"#   {_comment(each.text)}  {each.what}" for each in launch.fill_ins)


def _open_points(launch: Launch) -> Iterator[str]:
    if launch.untranslated:
        yield "#"
        yield "# Not translated, please look:"
        yield from (f"#   {line}" for line in open_points(launch))


def _left(launch: Launch) -> Iterator[str]:
    """What npu-launch does in its own way, each way once with the lines, and the variables that they set."""
    notes: dict[str, list[Note]] = {}
    for note in launch.left:
        notes.setdefault(note.what, []).append(note)
    if notes:
        yield "#"
        yield "# Left to npu-launch:"
    for what, several in notes.items():
        numbers = dict.fromkeys(str(note.place.line) for note in several)
        names = dict.fromkeys(note.place.source for note in several if _VARIABLE.fullmatch(note.place.source))
        said = f" ({', '.join(names)})" if names else ""
        yield f"#   line{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}: {_comment(what)}{said}"


def _body(launch: Launch, folder: Path) -> Iterator[str]:
    def from_here(path: str) -> str:
        return _seen_from(folder, path)

    def placed(text: str) -> str:
        return relocated(text, lambda path: _join("{recipe_dir}", from_here(path)))

    yield f"name: {flow(launch.name)}"
    yield f"framework: {launch.framework.value}"
    yield f"ranks: {launch.ranks}"
    yield f"script: {flow(relocated(launch.script, from_here))}"
    if launch.python not in (None, "python", "python3"):
        yield f"python: {flow(launch.python)}"
    if launch.cwd is not None:
        yield f"cwd: {flow(placed(launch.cwd))}"
    yield from _mapping("args", as_options([placed(argument) for argument in launch.args], launch.flags))
    yield from _mapping("env", {name: placed(value) for name, value in launch.env.items()})
    if launch.data:
        yield f"data: {flow([relocated(path, from_here) for path in launch.data])}  # on every host"
    if launch.rendezvous is not Rendezvous.AUTO:
        yield f"rendezvous: {launch.rendezvous.value}"
    if not launch.gang:
        yield "gang: false  # one that fails leaves the others alone"
    if launch.max_restarts and launch.gang:
        yield f"restart: {flow({'policy': 'group', 'max_restarts': launch.max_restarts})}"


def _mapping(key: str, values: Mapping[str, Any] | list[str]) -> Iterator[str]:
    if isinstance(values, list):
        line = f"{key}: {flow(values)}"
        if len(line) <= _WIDTH:
            yield line
        else:
            yield f"{key}:"
            yield from (f"  - {flow(item)}" for item in values)
    elif values:
        yield f"{key}:"
        yield from (f"  {flow(name)}: {flow(value)}" for name, value in values.items())


def _seen_from(folder: Path, path: str) -> str:
    """A path relative to the folder, or absolute where there is little that they share."""
    absolute = os.path.normpath(path)
    relative = os.path.relpath(absolute, folder)
    return absolute if relative.startswith("../" * (_FARTHEST + 1)) else relative


def _join(folder: str, path: str) -> str:
    return path if path.startswith("/") else folder if path == "." else f"{folder}/{path}"
