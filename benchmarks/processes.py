"""Processes seen from outside: which belong to a mark, when each ended, what each costs."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Collection, Iterable
from types import TracebackType

import psutil

MARK = "NPU_LAUNCH_BENCH"
_SWEEP_SECONDS = 20.0


def marked(mark: str) -> set[int]:
    """The living processes whose environment carries a mark that begins so, and everything below them.

    Below them, because Ray's workers overwrite the memory that their environment is read from.
    """
    found: set[int] = set()
    children: dict[int, list[int]] = {}
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            children.setdefault(process.ppid(), []).append(process.pid)
            if process.environ().get(MARK, "").startswith(mark):
                found.add(process.pid)
        except psutil.Error:
            continue
    todo = list(found)
    while todo:
        below = [pid for pid in children.get(todo.pop(), []) if pid not in found]
        found.update(below)
        todo += below
    return found


def sweep(mark: str) -> int:
    """SIGKILL everything of a mark, until none is left; how many there were at first."""
    first = left = marked(mark)
    deadline = time.monotonic() + _SWEEP_SECONDS
    while left and time.monotonic() < deadline:
        for pid in left:
            try:
                psutil.Process(pid).kill()
            except psutil.Error:
                continue
        time.sleep(0.05)
        left = marked(mark)
    return len(first)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def command_line(pid: int) -> str:
    """The command of a process; for one that is gone, nothing."""
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ""


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of processes, and of the children that they have reaped."""
    total = 0.0
    for pid in pids:
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def pss_mib(pids: Iterable[int]) -> float:
    """Proportional set size: memory that processes share is divided among them."""
    total = 0
    for pid in pids:
        try:
            total += psutil.Process(pid).memory_full_info().pss
        except psutil.Error:
            continue
    return total / (1 << 20)


class Deaths:
    """Watches processes, children or not, through pidfds; knows within a millisecond when each ended."""

    def __init__(self, pids: Collection[int]) -> None:
        self.at: dict[int, float] = {}
        self._alive: dict[int, int] = {}
        self._poller = select.poll()
        for pid in pids:
            try:
                pidfd = os.pidfd_open(pid)
            except ProcessLookupError:
                self.at[pid] = time.time()
                continue
            self._alive[pidfd] = pid
            self._poller.register(pidfd, select.POLLIN)

    def wait(self, seconds: float, only: Collection[int] | None = None) -> None:
        """Until all of the processes (or of `only`) have ended, or the time is up."""
        deadline = time.monotonic() + seconds
        while any(only is None or pid in only for pid in self._alive.values()):
            left = deadline - time.monotonic()
            if left <= 0:
                return
            for pidfd, _ in self._poller.poll(left * 1000):
                self.at[self._alive.pop(pidfd)] = time.time()
                self._poller.unregister(pidfd)
                os.close(pidfd)

    def __enter__(self) -> Deaths:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for pidfd in self._alive:
            os.close(pidfd)
