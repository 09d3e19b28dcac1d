"""What a run's home tells and does for somebody elsewhere who has the run as a Python object (`handle.Run`).

Run there as `python -m launcher.supervise.fleet.from_home WHAT RUN [ARGUMENT]`. All but `logs` and `plan` answer with
one line of JSON, `{"record": TEXT, "lost": TEXT|null}` or `{"error": {...}}`:

    state                how the run stands
    wait SECONDS         the same, as soon as it has ended or the time is up
    stop                 the same, as soon as it has been asked to stop
    rerun RANKS          the same, as soon as it is started again; RANKS are `all`, or numbers with commas between them
    plan                 `{"plan": TEXT|null}`, that of its latest attempt
    logs [follow]        lines of `RANK TEXT`, for as long as standard input is open
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from launcher.errors import NpuLaunchError
from launcher.runs.home import home
from launcher.runs.state import RunPhase
from launcher.runs.store import RunDirectory
from launcher.supervise.handle import Run
from launcher.supervise.launch import request_stop
from launcher.supervise.preparation import last_plan
from launcher.supervise.told_errors import told


def _state(run: RunDirectory) -> Mapping[str, Any]:
    try:
        record = run.layout.events.read_bytes()
    except FileNotFoundError:
        record = b""
    state = run.state()
    is_lost = state.phase is RunPhase.LOST and state.ended is None
    return {"record": record.rpartition(b"\n")[0].decode(errors="replace"), "lost": state.reason if is_lost else None}


def _wait(run: RunDirectory, seconds: str) -> Mapping[str, Any]:
    with suppress(TimeoutError):
        Run(run).wait(float(seconds))
    return _state(run)


def _stop(run: RunDirectory) -> Mapping[str, Any]:
    request_stop(run, by="Run.stop()")
    return _state(run)


def _rerun(run: RunDirectory, ranks: str) -> Mapping[str, Any]:
    Run(run).rerun(ranks=None if ranks == "all" else tuple(int(rank) for rank in ranks.split(",") if rank))
    return _state(run)


def _plan(run: RunDirectory) -> Mapping[str, Any]:
    path = last_plan(run)
    return {"plan": None if path is None else path.read_text(encoding="utf-8")}


_ANSWERS: Mapping[str, Callable[..., Mapping[str, Any]]] = {
    "state": _state,
    "wait": _wait,
    "stop": _stop,
    "rerun": _rerun,
    "plan": _plan,
}


def _tell_logs(run: RunDirectory, follow: str = "") -> None:
    threading.Thread(target=_leave_when_nobody_listens, daemon=True).start()
    for rank, line in Run(run).logs(follow=follow == "follow"):
        sys.stdout.buffer.write(f"{rank} {line}\n".encode(errors="replace"))
        sys.stdout.buffer.flush()


def _leave_when_nobody_listens() -> None:
    while os.read(0, 64):
        pass
    os._exit(0)


def main() -> None:
    """Entry point: WHAT RUN [ARGUMENT]."""
    what, name, *arguments = sys.argv[1:]
    run = RunDirectory(home() / "runs" / name)
    if what == "logs":
        with suppress(BrokenPipeError):
            _tell_logs(run, *arguments)
        return
    try:
        answer = _ANSWERS[what](run, *arguments)
    except NpuLaunchError as error:
        answer = {"error": told(error)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
