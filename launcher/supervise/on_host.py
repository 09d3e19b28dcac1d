"""What has to be done on a host itself, wherever its run is supervised: functions to call through `HostLink.there`."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from launcher.errors import InfrastructureError
from launcher.hosts.tagged import tagged_processes
from launcher.logs.pattern import is_quick
from launcher.runs.events import Event, HostReady, ProcessStarted
from launcher.runs.home import make_runtime_directory, remove_runtime_directory, write_file
from launcher.runs.lock import Lock, is_held
from launcher.runs.store import RunDirectory
from launcher.supervise.detached import start_scan, start_shim, start_sweep

KILL_PATIENCE = 10.0  # seconds for the kernel to end what was killed
_KILL_PAUSE = 0.02  # seconds until those that appeared during a kill are killed too


def is_kept(run: RunDirectory, host: str) -> bool:
    """Whether the shim of this host lives."""
    return is_held(run.shim_lock(host))


def may_be_kept(run: RunDirectory, host: str) -> bool:
    """Whether the shim of this host lives, or a call that was given up is still about to start one."""
    return is_held(_starting_lock(run, host)) or is_kept(run, host)


def see_to_shim(run: RunDirectory, host: str, attempt: int, seen: int, has_begun: bool, is_spread: bool) -> None:
    """Start a shim, with this attempt, where there is none and none has died of the attempt.

    `seen` is the number of the last event that the record has of the host, and `has_begun` whether the record knows of
    processes of the attempt here. What a shim before it left behind is ended first; what is kept of former runs is seen
    to. Raises InfrastructureError and OSError.
    """
    with _only_one(_starting_lock(run, host)):  # a supervisor that died, or gave this call up, may be at it still
        if is_kept(run, host) or has_begun:
            return
        told = (event for event in run.unread(host, seen) if isinstance(event, (HostReady, ProcessStarted)))
        if any(event.attempt == attempt for event in told):
            return
        if run.shim_lock(host).exists():
            end_what_is_left(run)
        make_runtime_directory()
        start_shim(run, host, attempt, seen, is_spread=is_spread, has_parent=False).wait()
        start_sweep()


def see_to_scan(run: RunDirectory, host: str) -> bool:
    """Have the logs of this host's ranks looked through, where nobody does; whether a process was started for it.

    A host without hyperscan does without: on it a megabyte takes ten seconds. Where it is there and does not work the
    process finds that out, and ends. Raises InfrastructureError.
    """
    if not is_quick() or not is_kept(run, host) or is_held(run.scan_lock(host)):
        return False
    start_scan(run, host).wait()
    return True


def last_words(run: RunDirectory, host: str, seen: int) -> list[Event] | None:
    """What a shim that has died wrote down after the event numbered `seen`; None when it lives."""
    return None if is_kept(run, host) else run.unread(host, seen)


def end_what_is_left(run: RunDirectory) -> tuple[int, ...]:
    """Kill what ranks of this run had detached from them: without a shim nobody is left who is its parent.

    Returns the processes that SIGKILL does not end, because they hang in the kernel.
    """
    deadline = time.monotonic() + KILL_PATIENCE
    while pids := tuple(process.pid for process in tagged_processes(run.path)):
        if time.monotonic() >= deadline:
            return pids
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_KILL_PAUSE)
    return ()


def end_shim(run: RunDirectory, host: str) -> tuple[int, ...]:
    """Kill the shim of this host, and all that it kept; returns the processes that SIGKILL does not end."""
    if is_kept(run, host):
        with suppress(OSError, ValueError):
            os.kill(int(run.shim_lock(host).read_text()), signal.SIGKILL)
        deadline = time.monotonic() + KILL_PATIENCE
        while is_kept(run, host) and time.monotonic() < deadline:  # a process that was killed ends when it gets to run
            time.sleep(_KILL_PAUSE)
    return end_what_is_left(run)


def forget_shim(run: RunDirectory, host: str) -> None:
    """Remove the socket of a shim that was killed, and the folder that it was the last in."""
    if not is_kept(run, host):
        run.shim_socket(host).unlink(missing_ok=True)
        remove_runtime_directory()


# -- files that the home has, and another host needs ------------------------------------------------------------------


def home_mark(run: RunDirectory) -> str:
    """What the run's directory is known by at its home; called there, by whoever supervises."""
    path = _mark(run)
    if not path.exists():
        write_file(path, secrets.token_hex(16))
    return path.read_text()


def is_shared(run: RunDirectory, mark: str) -> bool:
    """Whether the run's directory on this host is the home's own, on a filesystem that both see."""
    try:
        return _mark(run).read_text() == mark
    except OSError:
        return False


def deliver(run: RunDirectory, mark: str, files: Mapping[str, bytes]) -> None:
    """Write files of the run's directory (by absolute path, mode 0600), each whole or not at all.

    Nothing is written where the directory is the home's own. Raises InfrastructureError.
    """
    if is_shared(run, mark):
        return
    try:
        for folder in (*reversed(run.path.parents[:2]), run.path):
            folder.mkdir(mode=0o700, exist_ok=True)
        for name, content in files.items():
            _write_whole(Path(name), content)
    except OSError as error:
        raise InfrastructureError(
            f"cannot write the files of run {run.id}: {error.strerror or error}",
            where=str(error.filename or run.path),
            expected="a folder you may write to, with room left, on every host",
            remedy="free some space there or mend the permissions",
        ) from error


def _mark(run: RunDirectory) -> Path:
    return run.path / "home.mark"


def _write_whole(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def _starting_lock(run: RunDirectory, host: str) -> Path:
    return run.shim_lock(host).with_name("starting.lock")


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Wait for the lock of a file, and hold it. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = Lock(path)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()
