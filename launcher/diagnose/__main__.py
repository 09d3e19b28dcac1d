"""One diagnosis, out of everybody's way: `python -m launcher.diagnose RUN_FOLDER ATTEMPT`; it is kept with the run."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from launcher.diagnose.kept import make_once
from launcher.diagnose.verdict import Verdict
from launcher.errors import ExitCode, NpuLaunchError
from launcher.runs.store import RunDirectory

_NICENESS = 5
_log = logging.getLogger(__name__)


def main(folder: str, attempt: str) -> int:
    """Entry point."""
    os.nice(_NICENESS)
    run, number = RunDirectory(Path(folder)), int(attempt)

    def make() -> Verdict:
        from launcher.diagnose.of_run import diagnose_attempt

        return diagnose_attempt(run, number)

    try:
        make_once(run, number, make)
    except (NpuLaunchError, OSError) as error:
        _log.error("attempt %d could not be diagnosed: %s", number, error)
        return int(ExitCode.INFRASTRUCTURE)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
