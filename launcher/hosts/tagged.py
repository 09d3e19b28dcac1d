"""Processes of runs, known by the tags in their environment and never by their name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

DIRECTORY_TAG = "NPU_LAUNCH_RUN_DIRECTORY"  # set by who starts the shim: a script of `plan -o sh` has it not
RUN_TAG = "NPU_LAUNCH_RUN"
TAGS = (RUN_TAG, "NPU_LAUNCH_ATTEMPT", "NPU_LAUNCH_RANK", DIRECTORY_TAG)
_NEEDED = (RUN_TAG, DIRECTORY_TAG)  # the shim itself has the last one only


@dataclass(frozen=True)
class Tagged:
    """A process that a run's shim started, or that came of one, or scans its logs; and the folder of the run."""

    pid: int
    run: str
    directory: Path


def tagged_processes(of: Path | None = None, proc: Path = Path("/proc")) -> Iterator[Tagged]:
    """Every living process of runs, or of the run in a folder, that this user may look into; but for our own.

    Those of containers are left out: a folder of the same name is another there, and who keeps them is not seen here.
    """
    wanted = None if of is None else of.resolve()
    here = _namespace(proc / "self")
    for entry in proc.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            if _namespace(entry) != here:
                continue
            environment = _environment(entry / "environ")
            if all(name in environment for name in _NEEDED):
                directory = Path(environment[DIRECTORY_TAG])
                if wanted is None or directory.resolve() == wanted:
                    yield Tagged(int(entry.name), environment[RUN_TAG], directory)


def _namespace(process: Path) -> int:
    """The namespace that a process has its id in (pid_namespaces(7))."""
    return (process / "ns/pid").stat().st_ino


def _environment(path: Path) -> Mapping[str, str]:
    """The variables that a process was started with; a zombie has none."""
    pairs = (item.partition(b"=") for item in path.read_bytes().split(b"\0"))
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs if name}
