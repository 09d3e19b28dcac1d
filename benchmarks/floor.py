"""The floor: the least that a launcher written in Python can do for a gang of local ranks.

    floor.py [--ranks 8] [--restarts 0] [--grace 2] [--logs DIRECTORY] SCRIPT ARGUMENT...

It forks, waits on pidfds, stops the others when one fails, and starts all again if it may. No record, no supervision
that outlives it, no plan: what a launcher takes above this is the price of what it does.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path


def main() -> int:
    """Entry point; the exit code is that of the rank that failed first."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ranks", type=int, default=8)
    parser.add_argument("--restarts", type=int, default=0)
    parser.add_argument("--grace", type=float, default=2.0)
    parser.add_argument("--logs", type=Path, required=True)
    parser.add_argument("script")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    options.logs.mkdir(parents=True, exist_ok=True)
    code = 0
    for _ in range(options.restarts + 1):
        code = _attempt([sys.executable, options.script, *options.arguments], options)
        if code == 0:
            break
    return code


def _attempt(command: list[str], options: argparse.Namespace) -> int:
    """Run all ranks to their end; the code of the first that failed, or 0."""
    alive: dict[int, subprocess.Popen[bytes]] = {}
    poller = select.poll()
    for rank in range(options.ranks):
        environment = dict(os.environ, RANK=str(rank), WORLD_SIZE=str(options.ranks))
        with (options.logs / f"rank_{rank}.log").open("ab", buffering=0) as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, close_fds=False)
        pidfd = os.pidfd_open(process.pid)
        alive[pidfd] = process
        poller.register(pidfd, select.POLLIN)
    failure, deadline = 0, None
    while alive:
        ended = poller.poll(None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000)
        if not ended and deadline is not None:
            _signal(alive, signal.SIGKILL)
            deadline = None
        for pidfd, _ in ended:
            poller.unregister(pidfd)
            os.close(pidfd)
            code = alive.pop(pidfd).wait()
            if code and not failure:
                failure, deadline = code, time.monotonic() + options.grace
                _signal(alive, signal.SIGTERM)
    return failure


def _signal(alive: dict[int, subprocess.Popen[bytes]], number: signal.Signals) -> None:
    for process in alive.values():
        process.send_signal(number)


if __name__ == "__main__":
    sys.exit(main())
