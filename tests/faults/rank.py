"""One rank of the job that the fault matrix breaks: writes numbered lines until it is told to finish, or to fail.

Its first argument is the folder over which the test talks with the ranks:

    wrote.<rank>.<attempt>    from the rank: how many lines it has written, after each of them
    fault.<rank>              to the rank: what to do next, once; see FAULTS
    daemons.<rank>            from the rank: ids of the processes that it has left behind
    finish, finish.<rank>     to all, or to one: end with exit code 0

With `ring` as a second argument it writes a line only when the next rank is not far behind, as in an all-reduce.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

_PERIOD = 0.03  # seconds between two lines
_FOLDER = Path(sys.argv[1])
_RANK = os.environ["RANK_ID"]
_ATTEMPT = os.environ["NPU_LAUNCH_ATTEMPT"]
_NEXT = (int(_RANK) + 1) % int(os.environ["RANK_SIZE"]) if sys.argv[2:] == ["ring"] else None
_SLACK = 5  # lines


def write_lines() -> None:
    """Write lines until it is time to finish, and do on the way what one is told to."""
    wrote = os.open(_FOLDER / f"wrote.{_RANK}.{_ATTEMPT}", os.O_WRONLY | os.O_CREAT, 0o600)
    number = 0
    while not (_FOLDER / "finish").exists() and not (_FOLDER / f"finish.{_RANK}").exists():
        if _has_stdout() and not _is_ahead(number):
            _write(f"line {number}\n".encode())
            number += 1
            os.pwrite(wrote, b"%10d" % number, 0)
        _do_as_told()
        time.sleep(_PERIOD)


def _is_ahead(number: int) -> bool:
    """Whether the next rank, in a ring, is too far behind."""
    if _NEXT is None:
        return False
    try:
        return number > int((_FOLDER / f"wrote.{_NEXT}.{_ATTEMPT}").read_text() or 0) + _SLACK
    except FileNotFoundError:
        return number > _SLACK


def _has_stdout() -> bool:
    try:
        os.fstat(1)
    except OSError:
        return False
    return True


def _write(line: bytes) -> None:
    while line:
        line = line[os.write(1, line) :]


def _do_as_told() -> None:
    order = _FOLDER / f"fault.{_RANK}"
    if order.exists():
        fault = order.read_text()
        order.unlink()
        FAULTS[fault]()


def _exit() -> None:
    sys.exit(7)


def _crash() -> None:
    ctypes.string_at(0)


def _ignore_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _leave_daemons() -> None:
    """Two processes that nobody wants: both in sessions of their own, deaf to SIGTERM, one without an environment."""
    _leave_daemon([sys.executable, "-SEc", _DAEMON, str(_FOLDER / f"daemons.{_RANK}")], dict(os.environ))
    _leave_daemon([sys.executable, "-SEc", _DAEMON, str(_FOLDER / f"daemons.{_RANK}")], {})


_DAEMON = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.closerange(0, 64)
with open(sys.argv[1], "a") as file:
    file.write(f"{os.getpid()}\\n")
time.sleep(600)
"""


def _leave_daemon(argv: list[str], environment: dict[str, str]) -> None:
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve(argv[0], argv, environment)
        os._exit(0)
    os.waitpid(child, 0)


def _fill_disk() -> None:
    """Write a checkpoint that does not fit."""
    with Path("checkpoint").open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def _exhaust_descriptors() -> None:
    opened = []
    while True:
        opened.append(os.open(os.devnull, os.O_RDONLY))


def _close_stdout() -> None:
    os.close(1)
    os.close(2)


FAULTS: dict[str, Callable[[], None]] = {
    "exits": _exit,
    "crashes": _crash,
    "ignores SIGTERM": _ignore_sigterm,
    "leaves daemons": _leave_daemons,
    "fills the disk": _fill_disk,
    "exhausts descriptors": _exhaust_descriptors,
    "closes stdout": _close_stdout,
}

if __name__ == "__main__":
    write_lines()
