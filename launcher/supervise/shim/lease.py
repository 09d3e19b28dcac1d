"""How long ranks may run without a word from the supervisor."""

from __future__ import annotations

import fcntl
import os
import sys
import time

_NOWHERE = "-"


class Lease:
    """Renewed by the supervisor; what happens when it runs out depends on where this host is.

    A host that the supervisor cannot reach must end its ranks, because the group may be started elsewhere. On the host
    where the run has its home that cannot be: whoever supervises sits here too, and there the ranks run on while
    somebody new is found to supervise.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._renewed = time.monotonic()

    @property
    def is_at_home(self) -> bool:
        return self._run != _NOWHERE

    def renew(self) -> None:
        self._renewed = time.monotonic()

    def due(self, seconds: float) -> float:
        """When it runs out (monotonic seconds)."""
        return self._renewed + seconds

    def revive(self) -> int | None:
        """Start a keeper, unless somebody supervises and only says nothing; its pid, or None."""
        import subprocess  # only here: it would double the time that the shim takes to start

        self.renew()
        if _is_held(os.path.join(self._run, "supervisor.lock")):
            return None
        try:
            with open(os.path.join(self._run, "supervisor.log"), "ab") as log:
                keeper = subprocess.Popen(
                    [sys.executable, "-m", "launcher.supervise.keeper", self._run],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    start_new_session=True,
                )
        except OSError:
            return None
        return keeper.pid


def _is_held(path: str) -> bool:
    """Whether a living process holds the lock on this file (flock(2))."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False
