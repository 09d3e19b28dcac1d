"""What a shell script launches, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from launcher.specs import Framework, Rendezvous
from launcher.writing.shell.record import Place


@dataclass(frozen=True)
class Note:
    """Something of the script, and what becomes of it."""

    place: Place
    what: str


@dataclass(frozen=True)
class FillIn:
    """A value that is not in the script: `text` stands in the recipe for it, `what` says where the script has it."""

    text: str
    what: str


@dataclass(frozen=True)
class Launch:
    """A job, as a recipe can say it.

    Paths below `script`, `cwd` and in texts are absolute, those from where the shell script lies are marked so
    (`shell.marks`). `flags` are options of the training script that take no value, by name. `cwd` is None for a folder
    of its own for each rank. `untranslated` is for somebody to look at, `left` is what npu-launch does in its own way.
    """

    name: str
    framework: Framework
    ranks: int
    hosts: int
    script: str
    args: tuple[str, ...]
    flags: frozenset[str]
    env: Mapping[str, str]
    cwd: str | None
    python: str | None
    gang: bool
    rendezvous: Rendezvous
    max_restarts: int
    data: tuple[str, ...]
    fill_ins: tuple[FillIn, ...]
    untranslated: tuple[Note, ...]
    left: tuple[Note, ...]
