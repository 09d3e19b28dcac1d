"""The diagnosis of an attempt, which is made once and kept beside its logs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from launcher.diagnose.verdict import Verdict
from launcher.errors import NpuLaunchError
from launcher.runs.home import write_file
from launcher.runs.lock import Lock
from launcher.runs.store import RunDirectory


def kept(run: RunDirectory, attempt: int) -> Verdict | None:
    """What was found of an attempt; None where nobody has looked, or what was kept cannot be read any more."""
    try:
        return Verdict.model_validate_json(run.layout.attempt(attempt).diagnosis.read_bytes())
    except (OSError, ValueError):
        return None


def make_once(run: RunDirectory, attempt: int, make: Callable[[], Verdict]) -> Verdict:
    """What is kept of an attempt that has ended; made and kept where nothing is, by one process at a time.

    Where nothing can be written it is made and not kept. Raises what `make` raises.
    """
    found = kept(run, attempt)
    if found is not None:
        return found
    lock = Lock(_lock(run, attempt))
    with suppress(OSError):
        lock.acquire()
    try:
        found = kept(run, attempt)
        return found if found is not None else keep(run, attempt, make())
    finally:
        lock.release()


def keep(run: RunDirectory, attempt: int, found: Verdict) -> Verdict:
    """Write a diagnosis down where that is possible."""
    with suppress(NpuLaunchError):
        write_file(run.layout.attempt(attempt).diagnosis, found.model_dump_json(indent=1) + "\n")
    return found


def _lock(run: RunDirectory, attempt: int) -> Path:
    return run.layout.attempt(attempt).directory / "diagnosis.lock"
