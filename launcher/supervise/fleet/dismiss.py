"""Ends what a host still keeps of a run that nobody on the host supervises: its home is lost, or has ended the run.

Run there as `python -m launcher.supervise.fleet.dismiss RUN`. It answers at once with one line of JSON,
`{"dismissed": N}`: so many shims were told to stop their ranks, which have the recipe's grace, and to leave.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress

from launcher.runs.home import home
from launcher.runs.lock import is_held
from launcher.runs.store import RunDirectory


def dismiss(run: RunDirectory) -> int:
    """How many shims were there to be told."""
    locks = [] if run.is_supervised() else [lock for lock in run.path.glob("hosts/*/shim.lock") if is_held(lock)]
    for lock in locks:
        with suppress(OSError, ValueError):  # it has just ended
            os.kill(int(lock.read_text()), signal.SIGTERM)
    return len(locks)


def main() -> None:
    """Entry point: RUN."""
    print(json.dumps({"dismissed": dismiss(RunDirectory(home() / "runs" / sys.argv[1]))}))


if __name__ == "__main__":
    main()
