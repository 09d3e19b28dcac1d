"""The command for somebody at another machine: `python -m launcher.cli.from_afar ARGUMENTS...`, with pipes.

Its standard input carries signals for it, each as one byte with the signal's number. When that ends, nobody listens
any more, and it hangs up, as it would when its terminal was closed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import NoReturn

SIGNALS = frozenset({signal.SIGINT, signal.SIGTERM})  # that are passed on


def entry() -> NoReturn:
    """Entry point."""
    from launcher.cli.main import main

    orders = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # for the command itself, and for what it starts
    os.close(nothing)
    threading.Thread(target=_obey, args=(orders,), daemon=True).start()
    os._exit(main(sys.argv[1:]))


def _obey(orders: int) -> None:
    while numbers := os.read(orders, 64):
        for number in SIGNALS.intersection(numbers):
            os.kill(os.getpid(), number)
    os.kill(os.getpid(), signal.SIGHUP)


if __name__ == "__main__":
    entry()
