"""What a Python program does with a run that lives on another host (`handle.Run`): asked of `from_home` there."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, Final

from launcher.errors import InfrastructureError
from launcher.runs.events import decode
from launcher.runs.fold import fold
from launcher.runs.state import RunPhase, RunState
from launcher.supervise.fleet.asking import ask
from launcher.supervise.fleet.way_home import WayHome

_ANSWER: Final = 30.0  # seconds, the connecting included
_ACT: Final = 120.0  # seconds for a run to be started again, or for whoever supervises it to be found
_LISTEN: Final = 60.0  # seconds that the home waits with us for the end of a run, before it is asked again


def state(home: WayHome) -> RunState:
    """How the run stands. Raises InfrastructureError, as all here do, when its home is not reached."""
    return _asked(home, "state", timeout=_ANSWER)


def wait(home: WayHome, timeout: float | None) -> RunState:
    """The state in which the run has ended. Raises TimeoutError when it has not within so many seconds."""
    deadline = float("inf") if timeout is None else time.monotonic() + timeout
    while True:
        seconds = max(0.0, min(_LISTEN, deadline - time.monotonic()))
        found = _asked(home, "wait", f"{seconds:.3f}", timeout=_ANSWER + seconds)
        if found.phase.ended:
            return found
        if time.monotonic() >= deadline:
            raise TimeoutError(f"run {home.run.id} has not ended within {timeout} s")


def stop(home: WayHome) -> RunState:
    """Stop the run and wait until its ranks are gone; the state then."""
    found = _asked(home, "stop", timeout=_ACT)
    return found if found.phase.ended else wait(home, None)


def rerun(home: WayHome, ranks: Sequence[int] | None) -> None:
    """Start the run again. Raises what forbids it."""
    _asked(home, "rerun", "all" if ranks is None else ",".join(map(str, ranks)), timeout=_ACT)


def logs(home: WayHome, *, follow: bool) -> Iterator[tuple[int, str]]:
    """`(rank, line)` of the latest attempt, as they come from there."""
    argv = [*home.at.command, "-m", "launcher.supervise.fleet.from_home", "logs", home.run.id]
    with (
        home.ways,
        closing(home.ways.converse(home.host, [*argv, *(["follow"] if follow else [])], None, _ANSWER)) as s,
    ):
        rest, complaints = b"", b""
        while (said := s.take()) is not None:
            *lines, rest = (rest + said[0]).split(b"\n")
            complaints += said[1]
            for line in lines:
                rank, _, text = line.decode(errors="replace").partition(" ")
                yield int(rank), text
            if not any(said):
                select.select([s.fileno()], [], [])
        if s.code() != 0:
            why = complaints.decode(errors="replace").strip().rpartition("\n")[2]
            raise InfrastructureError(f"its logs cannot be read there: {why}", where=f"host {home.host.name}")


def plan(home: WayHome) -> str | None:
    """The plan of the run's latest attempt, as JSON."""
    found = _told(home, "plan", timeout=_ANSWER)["plan"]
    return None if found is None else str(found)


def _asked(home: WayHome, what: str, *arguments: str, timeout: float) -> RunState:
    return _state_of(_told(home, what, *arguments, timeout=timeout), home.host.name)


def _told(home: WayHome, what: str, *arguments: str, timeout: float) -> Any:
    with home.ways:
        return ask(home.ways(home.host), home.at, "fleet.from_home", what, home.run.id, *arguments, timeout=timeout)


def _state_of(answer: Any, host: str) -> RunState:
    try:
        lines, lost = answer["record"].encode().split(b"\n"), answer["lost"]
    except (LookupError, TypeError, AttributeError):
        raise InfrastructureError(
            "what it says of the run is not understood", where=f"host {host}", expected="npu-launch of this version"
        ) from None
    found = fold(event for line in lines if (event := decode(line)) is not None)
    return found if lost is None else replace(found, phase=RunPhase.LOST, reason=str(lost))
