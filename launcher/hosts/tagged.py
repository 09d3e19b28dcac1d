"""Processes of runs, known by the tag in their environment and never by their name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TAG = "NPU_LAUNCH_RUN"


@dataclass(frozen=True)
class Tagged:
    """A process that belongs to a run, and the home (NPU_LAUNCH_HOME) in which the run is kept."""

    pid: int
    run: str
    home: str


def tagged_processes(proc: Path = Path("/proc")) -> Iterator[Tagged]:
    """Every living process with a run's tag whose environment this user may read; our own process is left out."""
    for entry in proc.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with suppress(OSError):
            environment = _environment(entry / "environ")
            if TAG in environment:
                yield Tagged(int(entry.name), environment[TAG], environment.get("NPU_LAUNCH_HOME", ""))


def _environment(path: Path) -> Mapping[str, str]:
    """The variables that a process was started with; a zombie has none."""
    pairs = (item.partition(b"=") for item in path.read_bytes().split(b"\0"))
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs if name}
