"""Starts the processes that outlive whoever starts them: the shim of this machine, and the keeper."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from launcher.errors import InfrastructureError
from launcher.hosts.tagged import DIRECTORY_TAG, RUN_TAG, TAGS
from launcher.logs.keeping.due import is_due
from launcher.runs.home import home
from launcher.runs.pointer import pointed_at
from launcher.runs.store import RunDirectory

_SHIM = Path(__file__).with_name("shim")
_PATIENCE = 40.0  # seconds for a keeper to take a run; who has it begun from afar waits a little longer
_PAUSE = 0.05  # seconds between looks at whether it has
_NOWHERE = "-"  # for a shim: other hosts may go on with the run when nothing is heard of its supervisor
_FORK = "import os, sys; os.fork() and os._exit(0); os.execv(sys.argv[1], sys.argv[1:])"
_NO_CLAIMS: Mapping[str, int] = MappingProxyType({})
_NO_TAGS: Mapping[str, str] = MappingProxyType({})


def start_shim(
    run: RunDirectory,
    host: str,
    attempt: int,
    after: int,
    claims: Mapping[str, int] = _NO_CLAIMS,
    *,
    is_spread: bool = False,
    has_parent: bool = True,
) -> subprocess.Popen[bytes]:
    """Start the shim of this machine and return when it has the host's lock: from then on the run is kept.

    `after` is the number of the last event that the record has of the host; `claims` are locks that the caller has for
    the shim, path to descriptor, and the shim has too from then on. The ranks of a run that `is_spread` end with their
    lease. Without a parent it is nobody's child: a Ray that is not ours may kill the children of an actor that ends.
    Raises InfrastructureError.
    """
    plan = run.layout.attempt(attempt).plan
    kept_here = _NOWHERE if is_spread else run.path
    paths = (run.shim_socket(host), run.shim_journal(host), run.shim_lock(host), plan, kept_here)
    read, write = os.pipe2(os.O_CLOEXEC)
    try:
        argv = [sys.executable, "-I", "-S", str(_SHIM), host, str(after), *map(str, paths), str(write)]
        argv += [f"{descriptor}:{path}" for path, descriptor in claims.items()]
        if not has_parent:
            argv = [sys.executable, "-I", "-S", "-c", _FORK, *argv]
        tags = {DIRECTORY_TAG: str(run.path)}
        process = _start_detached(argv, run.shim_log(host), tags, pass_fds=(write, *claims.values()))
    except BaseException:
        os.close(read)
        raise
    finally:
        os.close(write)
    with os.fdopen(read, "rb") as ready:
        if ready.read(1):
            return process
    raise _did_not_start("the process that keeps the ranks", run.shim_log(host))


def _did_not_start(what: str, log: Path) -> InfrastructureError:
    """A process that has ended at once, with its last words."""
    said = log.read_text(errors="replace").strip().splitlines()
    return InfrastructureError(f"{what} did not start: {said[-1] if said else 'it said nothing'}", where=str(log))


def start_keeper(run: RunDirectory) -> subprocess.Popen[bytes]:
    """Start a keeper; it supervises as soon as the run's lock is free."""
    return _start_detached([sys.executable, "-m", "launcher.supervise.keeper", str(run.path)], run.supervisor_log)


def start_sweep() -> None:
    """Have what is kept of ended runs kept within its limits, in the background, if that is due.

    Nothing depends on it: where it cannot be started, the next run does.
    """
    if is_due(time.time()):
        with suppress(InfrastructureError):
            _start_detached([sys.executable, "-m", "launcher.logs.keeping"], home() / "sweep.log")


def start_diagnosis(run: RunDirectory, attempt: int) -> subprocess.Popen[bytes]:
    """Have the logs of an attempt that has ended diagnosed, which is kept with them. Raises InfrastructureError."""
    argv = [sys.executable, "-m", "launcher.diagnose", str(run.path), str(attempt)]
    return _start_detached(argv, run.supervisor_log)


def start_scan(run: RunDirectory, host: str) -> subprocess.Popen[bytes]:
    """Have the logs of this machine's ranks looked through while they are written. Raises InfrastructureError.

    It ends by itself, and is nobody's child: who started it may end before. One that hangs is found by its tags.
    """
    argv = [sys.executable, "-m", "launcher.supervise.scan", str(run.path), host]
    tags = {RUN_TAG: run.id, DIRECTORY_TAG: str(run.path)}
    return _start_detached([sys.executable, "-I", "-S", "-c", _FORK, *argv], run.scan_log(host), tags)


def have_it_kept(run: RunDirectory) -> None:
    """Start a keeper and return when it has the run: of one that nobody has, people are told that it is lost.

    Raises InfrastructureError.
    """
    keeper = start_keeper(run)
    deadline = time.monotonic() + _PATIENCE
    while not run.is_supervised():
        if keeper.poll() == 0:  # it has come to the end of the run already
            return
        if keeper.returncode is not None or time.monotonic() > deadline:
            raise _did_not_start("the process that keeps the run", run.supervisor_log)
        time.sleep(_PAUSE)


def ensure_kept(run: RunDirectory) -> subprocess.Popen[bytes] | None:
    """Start another keeper for a run that has lost all its supervisors; two at once do no harm, one holds the lock.

    None where none is started: the run is supervised, or lives on another machine that shares its home.
    """
    at = pointed_at(run)
    if (at is not None and not at.is_here) or run.is_supervised():
        return None
    return start_keeper(run)


def _start_detached(
    argv: Sequence[str], log: Path, tags: Mapping[str, str] = _NO_TAGS, pass_fds: tuple[int, ...] = ()
) -> subprocess.Popen[bytes]:
    """Start a process that neither our end nor the terminal's touches. Raises InfrastructureError.

    It has the tags given and no others: whoever starts a run from a rank of another has that one's tags.
    """
    environment = {name: value for name, value in os.environ.items() if name not in TAGS}
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            return subprocess.Popen(
                argv,
                env={**environment, **tags, "NPU_LAUNCH_HOME": str(home())},  # absolute, for it works in another folder
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                cwd="/",
                start_new_session=True,
                pass_fds=pass_fds,
            )
        finally:
            os.close(descriptor)
    except OSError as error:
        raise InfrastructureError(f"cannot start {argv[0]}: {error}", where=str(log)) from error
