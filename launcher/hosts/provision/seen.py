"""What a host says of itself, as far as an environment there depends on it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from launcher.hosts.provision.problems import megabytes

Version = tuple[int, ...]


@dataclass(frozen=True)
class Interpreter:
    """An interpreter on a host: the `base` is the program behind a virtual environment, itself if it is none.

    `lacks` are modules of the standard library; versions, and `code`, the digest of npu-launch's own files, are None
    where it has none.
    """

    path: str
    version: Version
    base: str
    lacks: tuple[str, ...] = ()
    npu_launch: str | None = None
    ray: str | None = None
    code: str | None = None


class Space(NamedTuple):
    """The room on a file system."""

    free: int  # bytes
    mount: str

    def __str__(self) -> str:
        return f"{megabytes(self.free)} free on {self.mount}"


@dataclass(frozen=True)
class Seen:
    """A host, before anything is brought there.

    `glibc` is None for another C library; `identity` names the file system of its home, the same on all hosts that
    share it, and is empty where nothing can be written; `unwritable` says why that is so. `named` is the interpreter
    that the spec names, and `named_problem` what is wrong with it.
    """

    system: str
    machine: str
    user: str
    home: str
    libc: str
    glibc: Version | None
    identity: str
    unwritable: str
    space: Space | None
    environments: frozenset[str]
    named: Interpreter | None
    named_problem: str
    candidates: tuple[Interpreter, ...]


def read_seen(text: str) -> Seen:
    """The answer of `look.sh`; raises ValueError for anything else."""
    lines = [(key, value) for key, tab, value in (line.partition("\t") for line in text.splitlines()) if tab]
    said: Mapping[str, str] = dict(lines)
    if not {"system", "machine", "home"} <= said.keys():
        raise ValueError("it does not say its system, machine and home")
    libc = said.get("libc", "")
    named = _interpreters(value for key, value in lines if key == "named")
    return Seen(
        system=said["system"],
        machine=said["machine"],
        user=said.get("user", ""),
        home=said["home"],
        libc=libc,
        glibc=_glibc(libc),
        identity=said.get("id", ""),
        unwritable=said.get("unwritable", ""),
        space=_space(said.get("space", "")),
        environments=frozenset(value for key, value in lines if key == "environment"),
        named=named[0] if named else None,
        named_problem=said.get("named-problem", ""),
        candidates=_interpreters(value for key, value in lines if key == "candidate"),
    )


def _interpreters(values: Iterable[str]) -> tuple[Interpreter, ...]:
    found = []
    for value in values:
        path, _, line = value.partition("\t")
        said: dict[str, Any] = json.loads(line)
        found.append(
            Interpreter(
                path,
                tuple(said["version"]),
                said["base"],
                tuple(said["lacks"]),
                said["npu_launch"],
                said["ray"],
                said["code"],
            )
        )
    return tuple(found)


def _glibc(text: str) -> Version | None:
    """The version in `glibc 2.36`, or in the first line of `ldd --version`."""
    match = re.search(r"(\d+)\.(\d+)\s*$", text)
    if match is None or "musl" in text:
        return None
    return int(match[1]), int(match[2])


def _space(row: str) -> Space | None:
    """A row of `df -Pk`: the name of a device may hold blanks, and so may the folder where it is mounted."""
    match = re.search(r"\s\d+\s+\d+\s+(-?\d+)\s+\S+%\s+(/.*)$", row)
    return Space(max(0, int(match[1])) * 1024, match[2]) if match else None
