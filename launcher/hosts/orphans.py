"""Processes that outlived all that kept their run: found, and ended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from launcher.hosts.tagged import Tagged, tagged_processes
from launcher.runs.fold import fold
from launcher.runs.record import RecordReader
from launcher.runs.store import RunDirectory

_GRACE = 3.0  # seconds between SIGTERM and SIGKILL
_PATIENCE = 5.0  # seconds for the kernel to end what was killed
_PAUSE = 0.02


@dataclass(frozen=True)
class Ended:
    """A process that was told to end, with its command line; `is_left` when it has not, even by SIGKILL."""

    pid: int
    run: str
    command: str
    is_left: bool


def find_orphans() -> list[Tagged]:
    """Processes of runs that nobody keeps, as far as this user may see them.

    A run is kept by its supervisor or its shim; one whose folder is gone can be kept by nobody. Our own ancestors are
    left out: this may run in a rank.
    """
    ours = _ancestors()
    found = [process for process in tagged_processes() if process.pid not in ours]
    kept = {directory: _is_kept(directory) for directory in {process.directory for process in found}}
    return [process for process in found if not kept[process.directory]]


def end_orphans() -> list[Ended]:
    """End all orphans: SIGTERM, and SIGKILL to those that are left some seconds later."""
    return _end(find_orphans)


def end_what_is_left_of(run: RunDirectory) -> list[Ended]:
    """End what earlier attempts of a run left; the caller holds the run's lock, and no shim of it lives."""
    ours = _ancestors()
    return _end(lambda: [process for process in tagged_processes(run.path) if process.pid not in ours])


def _end(find: Callable[[], Collection[Tagged]]) -> list[Ended]:
    """End what is found, and what that forks meanwhile; tells of what was found at first, and of what does not end.

    It is found anew before each signal, because process ids come again.
    """
    found = list(find())
    commands = {process: _command(process.pid) for process in found}
    told: set[Tagged] = set()
    began = time.monotonic()
    while found and (passed := time.monotonic() - began) < _GRACE + _PATIENCE:
        for process in found:
            if passed > _GRACE:
                _signal(process.pid, signal.SIGKILL)
            elif process not in told:
                told.add(process)
                _signal(process.pid, signal.SIGTERM)
                _signal(process.pid, signal.SIGCONT)  # a suspended process takes its SIGTERM only when it goes on
        time.sleep(_PAUSE)
        found = list(find())
    commands |= {process: _command(process.pid) for process in found if process not in commands}
    return [Ended(p.pid, p.run, command, is_left=p in found) for p, command in commands.items()]


def _is_kept(directory: Path) -> bool:
    run = RunDirectory(directory)
    return run.is_kept(fold(RecordReader(run.layout.events).read()))


def _ancestors() -> set[int]:
    """The processes above this one."""
    found: set[int] = set()
    pid = os.getppid()
    while pid > 0 and pid not in found:
        found.add(pid)
        try:
            stat = Path(f"/proc/{pid}/stat").read_bytes()
            pid = int(stat.rpartition(b")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
    return found


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
