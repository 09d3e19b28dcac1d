"""`python -m launcher.supervise.scan RUN_FOLDER HOST`: one process a host, whoever starts how many."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

from launcher.errors import ExitCode, NpuLaunchError
from launcher.runs.lock import Lock
from launcher.runs.store import RunDirectory
from launcher.supervise.logging_setup import log_to
from launcher.supervise.scan.shim_events import ShimGone

_NICENESS = 10
_LONGEST_STEP = 60.0  # seconds, of which one takes a fraction: a look at 4 MiB of a log
_log = logging.getLogger(__name__)


def main(folder: str, host: str) -> int:
    """Entry point. A process that hangs, in an expression of a rule or a file that cannot be read, ends by SIGALRM."""
    run = RunDirectory(Path(folder))
    log_to(run.scan_log(host))
    lock = Lock(run.scan_lock(host))
    if not lock.try_acquire():
        return 0
    os.nice(_NICENESS)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _goes_on()
    try:
        from launcher.supervise.scan.scanning import scan

        scan(run, host, _goes_on)
    except ShimGone:
        return 0
    except (NpuLaunchError, OSError) as error:
        _log.warning("the logs of this host are not looked through while they are written: %s", error)
        return int(ExitCode.INFRASTRUCTURE)
    return 0


def _goes_on() -> None:
    """Have the kernel end this process unless this is called again in time: a search does not let Python do it."""
    signal.setitimer(signal.ITIMER_REAL, _LONGEST_STEP)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
