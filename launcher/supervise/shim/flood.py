"""Keeps what ranks, services and CANN write within a limit each, so that no flood of lines can fill the disk."""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Callable

from launcher.supervise.shim.processes import Child, start

_TRIMMER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "trimmer")
_PERIOD = 5.0  # seconds between looks
_TURNS = 12  # looks between two at CANN's folders, which grow more slowly and take longer to look at
_BLOCK = 512  # bytes: the unit of st_blocks
_LITTLE = 256 << 20  # bytes left on a disk, below which that is told


class FloodWatch:
    """Looks at the logs of what runs, and has the middle of one that has grown too long freed by a trimmer.

    Of a folder of CANN's logs it has the oldest files freed.

    `emit` writes events down; the pid of the trimmer, of which there is one at a time, is kept among `spared`.
    """

    def __init__(self, emit: Callable[..., None], spared: set[int]) -> None:
        self._emit = emit
        self._spared = spared
        self._limit: int | None = None
        self._logs: dict[str, str] = {}  # path to whose it is
        self._told: set[str] = set()  # what people know of: paths, and those with a problem
        self._folder = ""
        self._trimmer: Child | None = None
        self._trimmed = ""  # path
        self._looked = 0.0  # monotonic seconds
        self._turn = 0

    def take(self, limit: int | None, folder: str, logs: dict[str, str], *, is_alone: bool) -> None:
        """Look after these logs, path to whose it is, which lie below a folder; unless alone, beside those before."""
        self._limit = limit
        self._folder = folder
        self._logs = logs if is_alone else {**self._logs, **logs}

    def look(self) -> None:
        """Have the first log freed that takes more than the limit, if it is time to look."""
        now = time.monotonic()
        if self._trimmer is not None or now < self._looked + _PERIOD:
            return
        self._looked = now
        self._look_at_disk()
        self._turn += 1
        for path in self._logs if self._limit is not None else ():
            if _stored(path, in_folder=self._turn % _TURNS == 0) > (self._limit or 0):
                self._trim(path)
                return

    def on_exit(self, pid: int, code: int) -> bool:
        """A child of the shim that is no part of an attempt has ended; whether it was the trimmer."""
        if self._trimmer is None or pid != self._trimmer.pid:
            return False
        problem = self._trimmer.take_exec_error() or (_why(code) if code > 0 else "")
        self._trimmer = None
        path, whose = self._trimmed, self._logs.get(self._trimmed, self._trimmed)
        told = f"{whose} has written more than {_size(self._limit or 0)} (log_limit)"
        what = f"the oldest of {path}" if os.path.isdir(path) else f"the middle of {path}"
        if path in self._logs:
            self._logs[path] = self._logs.pop(path)  # the others come first next time
        if problem:
            if not os.path.isdir(path):  # in a folder CANN begins other files, of which some may be freed
                self._logs.pop(path, None)
            self._tell(f"{path} {problem}", f"{told}, and {what} cannot be freed: {problem}; it may fill the disk")
        elif code == 0:
            self._looked = 0.0  # there may be another
            self._tell(path, f"{told}: {what} is left out")
        return True

    def _trim(self, path: str) -> None:
        argv = [sys.executable, "-I", "-S", _TRIMMER, path, str(self._limit)]
        try:
            self._trimmer = start({"argv": argv, "cwd": "/", "log": os.devnull}, os.environ, "/dev/null")
        except OSError as error:
            self._tell(path, f"nothing of {path} can be freed: {error}")
            return
        self._trimmed = path
        self._spared.add(self._trimmer.pid)

    def _look_at_disk(self) -> None:
        try:
            disk = os.statvfs(self._folder)
        except OSError:
            return
        left = disk.f_bavail * disk.f_frsize
        if left < _LITTLE:
            self._tell("disk", f"only {_size(left)} are left on the disk of {self._folder}: logs may be lost")

    def _tell(self, about: str, text: str) -> None:
        if about not in self._told:
            self._told.add(about)
            self._emit(type="note", text=text)


def _stored(path: str, *, in_folder: bool) -> int:
    """Bytes that a log takes; of a folder those of all files below it, or 0 where nobody asks."""
    try:
        status = os.stat(path)
        if not stat.S_ISDIR(status.st_mode):
            return status.st_blocks * _BLOCK
        with os.scandir(path) as entries:
            return sum(_stored_in(entry) for entry in entries) if in_folder else 0
    except OSError:
        return 0


def _stored_in(entry: os.DirEntry[str]) -> int:
    try:
        if entry.is_dir(follow_symlinks=False):
            return _stored(entry.path, in_folder=True)
        return entry.stat(follow_symlinks=False).st_blocks * _BLOCK
    except OSError:
        return 0  # it has just gone, as CANN's oldest do


def _why(code: int) -> str:
    """What the exit code of a trimmer says."""
    return "what is left has to stay" if code == errno.ENODATA else os.strerror(code)


def _size(count: int) -> str:
    return f"{count / (1 << 30):.3g} GB" if count >= 1 << 30 else f"{count / (1 << 20):.3g} MB"
