"""The processes that a run is made of, each found by what it is, so that a test can kill just that one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path

import psutil

from tests.end_to_end import is_alive, wait_for


class Part(str, Enum):
    """A part of a run; WHOLE_RAY is every process of Ray, the one that keeps it included."""

    CLI = "command"
    SHIM = "shim"
    KEEPER = "keeper"
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    RAYLET = "raylet"
    GCS = "GCS"
    RAY_START = "ray start"
    RAY_HEAD = "Ray's head"
    WHOLE_RAY = "all of Ray"


Command = Sequence[str]
_KNOWN_BY: dict[Part, Callable[[Command], bool]] = {
    Part.CLI: lambda command: any(Path(word).name == "npu-launch" for word in command[:2]) and "run" in command,
    Part.SHIM: lambda command: any(word.endswith("/launcher/supervise/shim") for word in command),
    Part.KEEPER: lambda command: "launcher.supervise.keeper" in command,
    Part.AGENT: lambda command: command[0].startswith("ray::Agent"),
    Part.SUPERVISOR: lambda command: command[0].startswith("ray::SupervisorActor"),
    Part.RAYLET: lambda command: command[0].endswith("/raylet"),
    Part.GCS: lambda command: command[0].endswith("/gcs_server"),
    Part.RAY_START: lambda command: "ray.scripts.scripts" in command and "start" in command,
    Part.RAY_HEAD: lambda command: "launcher.supervise.on_ray.head" in command,
}
_OF_RAY = (Part.AGENT, Part.SUPERVISOR, Part.RAYLET, Part.GCS, Part.RAY_START, Part.WHOLE_RAY)


def find(part: Part, home: Path) -> list[int]:
    """The living processes that are this part of this home's run; other homes' are never among them."""
    if part not in _OF_RAY:
        return [process.pid for process in _of_home(home) if _is(part, process)]
    heads = [process for process in _of_home(home) if _is(Part.RAY_HEAD, process)]
    below = [process for head in heads for process in head.children(recursive=True)]
    if part is Part.WHOLE_RAY:
        return [process.pid for process in (*heads, *below)]
    return [process.pid for process in below if _is(part, process)]


def kill(parts: Sequence[Part], home: Path, *others: int) -> None:
    """Kill these parts (and other processes) with -9, all at once, and return when they are dead.

    All are suspended first: none of them gets to see how another ends.
    """
    found = list(others)
    for part in parts:
        wait_for(lambda part=part: bool(find(part, home)), f"{part.value} is there")  # type: ignore[misc]
        found += find(part, home)
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in reversed(found):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
    wait_for(lambda: not any(map(is_alive, found)), f"{', '.join(part.value for part in parts)} dead")


def _of_home(home: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("NPU_LAUNCH_HOME") == str(home):
                found.append(process)
    return found


def _is(part: Part, process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        command = process.cmdline()
        return bool(command) and _KNOWN_BY[part](command)
    return False
