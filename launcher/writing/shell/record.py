"""What was read of a shell script."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """Where something stands: its line, and what is written there, on one line."""

    line: int
    source: str


@dataclass(frozen=True)
class Invocation:
    """A program, or a command of the shell that is not about variables, as the script would run it.

    `env` is what the script adds to its environment, `exports` the line of each export, `output` the file that its
    output is sent to.
    """

    place: Place
    argv: tuple[str, ...]
    env: Mapping[str, str]
    exports: Mapping[str, int]
    cwd: str
    output: str = ""


@dataclass(frozen=True)
class Remark:
    """What could not be followed, and what was taken in its place."""

    place: Place
    what: str


@dataclass(frozen=True)
class Reading:
    """A script as it was read; `names` has, by label, the variable that first held what is not known."""

    invocations: tuple[Invocation, ...]
    remarks: tuple[Remark, ...]
    names: Mapping[str, str]
