"""Tells whether the kernel killed a process for want of memory."""

from __future__ import annotations

import os
import re
import time

_KILLED = re.compile(r"(Memory cgroup out of memory|Out of memory)[^\n]*: Killed process (\d+) [^\n]*")
_FRESH = 5.0  # seconds from a kill to the end of its process, which has much to give back
_ENDLESS = 100_000  # messages; the kernel's ring holds far fewer


class OomWatch:
    """Looks at the kernel's log, where this user may read it, and at the count of such kills in our cgroup.

    The log names the process; the count only says that one was killed since the last look, which `refresh` takes often
    enough to know when. In a container the log may be another's and its process ids others than ours: then the count is
    what remains (cgroups(7), kmsg(4)).
    """

    def __init__(self, kernel_log: str = "/dev/kmsg", counter: str | None = None) -> None:
        self._counter = _counter_file() if counter is None else counter
        self._count = _oom_kills(self._counter)
        self._rises: list[float] = []  # when a kill was counted that no process has answered for (monotonic seconds)
        self._killed: dict[int, str] = {}
        self._log: int | None = None
        try:
            self._log = os.open(kernel_log, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._log, 0, os.SEEK_END)
        except OSError:
            pass

    def refresh(self) -> None:
        """Look at the count: what was killed before now is of long ago for a process that ends later."""
        now = time.monotonic()
        before, self._count = self._count, _oom_kills(self._counter)
        self._rises = [then for then in self._rises if now - then <= _FRESH] + [now] * (self._count - before)

    def verdict(self, pid: int) -> str | None:
        """What shows that this process, which SIGKILL ended just now, was killed for want of memory; or None."""
        self._read_log()
        self.refresh()
        counted = self._rises.pop(0) if self._rises else None
        if pid in self._killed:
            return self._killed.pop(pid)
        return f"{self._counter}: oom_kill has risen to {self._count}" if counted is not None else None

    def _read_log(self) -> None:
        """Take note of the kills in the log's new messages; one read gives one message."""
        if self._log is None:
            return
        for _ in range(_ENDLESS):
            try:
                message = os.read(self._log, 8192)
            except BrokenPipeError:  # messages were overwritten before we came: the next read goes on behind them
                continue
            except OSError:
                return
            if not message:
                return
            found = _KILLED.search(message.decode(errors="replace"))
            if found is not None:
                self._killed[int(found[2])] = f"kernel log: {found[0][:200]}"


def _counter_file() -> str:
    """The file that counts the kills in this process's memory cgroup, version 2 or 1; empty when there is none."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as file:
            entries = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return ""
    for _, controllers, path in entries:
        candidates = (
            [f"/sys/fs/cgroup{path}/memory.events", f"/sys/fs/cgroup/unified{path}/memory.events"]
            if not controllers
            else [f"/sys/fs/cgroup/memory{path}/memory.oom_control", "/sys/fs/cgroup/memory/memory.oom_control"]
            if "memory" in controllers.split(",")
            else []
        )
        for candidate in candidates:
            if os.path.exists(candidate):
                return candidate
    return ""


def _oom_kills(path: str) -> int:
    """The number behind `oom_kill` in a cgroup's file; 0 when it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("oom_kill ")), 0)
    except (OSError, ValueError):
        return 0
