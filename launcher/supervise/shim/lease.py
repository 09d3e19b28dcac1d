"""How long ranks may run without a word from the supervisor."""

from __future__ import annotations

import os
import sys
import time

from launcher.supervise.shim.claims import is_claimed
from launcher.supervise.shim.processes import adopting_no_orphans

_NOWHERE = "-"


class Lease:
    """Renewed by the supervisor; what happens when it runs out depends on where this host is.

    A host that the supervisor cannot reach must end its ranks, because the group may be started elsewhere. On the host
    where the run has its home that cannot be: whoever supervises sits here too, and there the ranks run on while
    somebody new is found to supervise. Time goes on while the machine is suspended: the others did not wait for it.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._renewed = _now()

    @property
    def is_at_home(self) -> bool:
        return self._run != _NOWHERE

    def renew(self) -> None:
        self._renewed = _now()

    def left(self, seconds: float) -> float:
        """How many seconds are left of it."""
        return self._renewed + seconds - _now()

    def revive(self) -> None:
        """Start a keeper, unless somebody supervises and only says nothing.

        It is no descendant of the shim: what the keeper leaves behind, its Ray, would be taken for the ranks'.
        """
        import subprocess  # only here: it would double the time that the shim takes to start

        self.renew()
        if is_claimed(os.path.join(self._run, "supervisor.lock")):
            return
        with adopting_no_orphans():
            pid = os.fork()
            if pid == 0:
                try:
                    with open(os.path.join(self._run, "supervisor.log"), "ab") as log:
                        subprocess.Popen(
                            [sys.executable, "-m", "launcher.supervise.keeper", self._run],
                            stdin=subprocess.DEVNULL,
                            stdout=log,
                            stderr=log,
                            cwd="/",
                            start_new_session=True,
                        )
                finally:
                    os._exit(0)
            os.waitpid(pid, 0)


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
