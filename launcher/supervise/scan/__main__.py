"""`python -m launcher.supervise.scan RUN_FOLDER HOST`: one process a host, whoever starts how many."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from launcher.errors import ExitCode, NpuLaunchError
from launcher.runs.record import Lock
from launcher.runs.store import RunDirectory
from launcher.supervise.logging_setup import log_to
from launcher.supervise.scan.shim_events import ShimGone

_NICENESS = 10
_log = logging.getLogger(__name__)


def main(folder: str, host: str) -> int:
    """Entry point."""
    run = RunDirectory(Path(folder))
    log_to(run.scan_log(host))
    lock = Lock(run.scan_lock(host))
    if not lock.try_acquire():
        return 0
    os.nice(_NICENESS)
    try:
        from launcher.supervise.scan.scanning import scan

        scan(run, host)
    except ShimGone:
        return 0
    except (NpuLaunchError, OSError) as error:
        _log.warning("the logs of this host are not looked through while they are written: %s", error)
        return int(ExitCode.INFRASTRUCTURE)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
