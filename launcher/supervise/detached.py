"""Starts the processes that outlive whoever starts them: the shim of this machine, and the keeper."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from launcher.errors import InfrastructureError
from launcher.hosts.tagged import DIRECTORY_TAG, TAGS
from launcher.runs.store import RunDirectory, home

_SHIM = Path(__file__).with_name("shim")
_NOWHERE = "-"  # for a shim: other hosts may go on with the run when nothing is heard of its supervisor
_NO_CLAIMS: Mapping[str, int] = MappingProxyType({})
_NO_TAG: Mapping[str, str] = MappingProxyType({})


def start_shim(
    run: RunDirectory,
    host: str,
    attempt: int,
    after: int,
    claims: Mapping[str, int] = _NO_CLAIMS,
    *,
    is_spread: bool = False,
) -> subprocess.Popen[bytes]:
    """Start the shim of this machine and return when it has the host's lock: from then on the run is kept.

    `after` is the number of the last event that the record has of the host; `claims` are locks that the caller has for
    the shim, path to descriptor, and the shim has too from then on. The ranks of a run that `is_spread` end with their
    lease. Raises InfrastructureError.
    """
    plan = run.layout.attempt(attempt).plan
    kept_here = _NOWHERE if is_spread else run.path
    paths = (run.shim_socket(host), run.shim_journal(host), run.shim_lock(host), plan, kept_here)
    read, write = os.pipe2(os.O_CLOEXEC)
    try:
        argv = [sys.executable, "-I", "-S", str(_SHIM), host, str(after), *map(str, paths), str(write)]
        argv += [f"{descriptor}:{path}" for path, descriptor in claims.items()]
        tag = {DIRECTORY_TAG: str(run.path)}
        process = _start_detached(argv, run.shim_log(host), tag, pass_fds=(write, *claims.values()))
    except BaseException:
        os.close(read)
        raise
    finally:
        os.close(write)
    with os.fdopen(read, "rb") as ready:
        if ready.read(1):
            return process
    said = run.shim_log(host).read_text(errors="replace").strip().splitlines()
    raise InfrastructureError(
        f"the process that keeps the ranks did not start: {said[-1] if said else 'it said nothing'}",
        where=str(run.shim_log(host)),
    )


def start_keeper(run: RunDirectory) -> None:
    """Start a keeper; it supervises as soon as the run's lock is free."""
    _start_detached([sys.executable, "-m", "launcher.supervise.keeper", str(run.path)], run.supervisor_log)


def ensure_kept(run: RunDirectory) -> None:
    """Start another keeper for a run that has lost all its supervisors; two at once do no harm, one holds the lock."""
    if not run.is_supervised():
        start_keeper(run)


def _start_detached(
    argv: Sequence[str], log: Path, tag: Mapping[str, str] = _NO_TAG, pass_fds: tuple[int, ...] = ()
) -> subprocess.Popen[bytes]:
    """Start a process that neither our end nor the terminal's touches. Raises InfrastructureError.

    It has the tag given and no other: whoever starts a run from a rank of another has that one's tags.
    """
    environment = {name: value for name, value in os.environ.items() if name not in TAGS}
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            return subprocess.Popen(
                argv,
                env={**environment, **tag, "NPU_LAUNCH_HOME": str(home())},  # absolute, for it works in another folder
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
