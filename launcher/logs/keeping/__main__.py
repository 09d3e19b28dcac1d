"""One sweep, out of everybody's way: `python -m launcher.logs.keeping`; what it did goes to standard error."""

from __future__ import annotations

import logging
import os
import sys
import time

import psutil

from launcher.errors import ExitCode, NpuLaunchError
from launcher.logs.keeping.limits import kept
from launcher.logs.keeping.sweeping import sweep

_NICENESS = 19


def main() -> int:
    """Entry point."""
    os.nice(_NICENESS)
    psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)
    try:
        sweep(kept(), time.time(), lambda decision: logging.info("%s", decision))
    except (NpuLaunchError, OSError) as error:
        logging.error("%s", error)
        return int(ExitCode.INFRASTRUCTURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
