"""Waiting in line for devices: first come, first served, and no daemon that keeps the line."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol

from inotify_simple import INotify, flags

from launcher.errors import UsageError
from launcher.specs import Cluster, Recipe
from launcher.supervise.claims import Claimed, DevicesTaken, claim_devices, claims_folder, holder_of, open_line
from launcher.supervise.shim.claims import sign

_PATIENCE = 1.0  # seconds for a run that has just ended to give its devices back
_TICK = 1.0  # seconds between looks without a reason
_SOON = 0.02  # seconds: the kernel tells of a file that is closed just before it takes the lock back
_LEAVE = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


class Signals(Protocol):
    """Signals that wait to be taken while `fd` has input."""

    @property
    def fd(self) -> int: ...

    def take(self) -> set[signal.Signals]: ...


class Line:
    """How somebody waits for devices: `tell` hears for whom, and a signal to leave raises KeyboardInterrupt."""

    def __init__(self, tell: Callable[[str], None], signals: Signals | None = None) -> None:
        self._tell = tell
        self._signals = signals
        self._told = ""

    def tell(self, text: str) -> None:
        """Say it, unless it was said last."""
        if text != self._told:
            self._told = text
            self._tell(text)

    def wait(self, timeout: float | None, *inputs: int) -> bool:
        """Return when one of the descriptors has input, which is True, or after `timeout` seconds."""
        poller = select.poll()
        for descriptor in inputs:
            poller.register(descriptor, select.POLLIN)
        if self._signals is not None:
            poller.register(self._signals.fd, select.POLLIN)
        found = {descriptor for descriptor, _ in poller.poll(None if timeout is None else max(timeout, 0) * 1000)}
        if self._signals is not None and self._signals.fd in found and self._signals.take() & _LEAVE:
            raise KeyboardInterrupt
        return not found.isdisjoint(inputs)

    @contextmanager
    def at_the_head(self) -> Iterator[None]:
        """Wait until those who came before have what they wait for; the kernel keeps the order (flock(2))."""
        path, descriptor = open_line()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.tell(f"waits in line, behind {holder_of(path)}; Ctrl-C leaves the line")
            self._wait_for_lock(descriptor)
        try:
            sign(descriptor, None)
            yield
        finally:
            os.close(descriptor)

    def _wait_for_lock(self, descriptor: int) -> None:
        """Have a thread wait for the lock, because that wait hears no signal; a lock that comes too late is let go."""
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        settled = threading.Lock()
        is_over = False

        def wait() -> None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with settled:
                if is_over:
                    os.close(descriptor)
                else:
                    os.write(theirs, b"!")

        threading.Thread(target=wait, name="line", daemon=True).start()
        try:
            while not self.wait(None, ours):
                pass
        except BaseException:
            with settled:
                if select.select([ours], [], [], 0)[0]:
                    os.close(descriptor)
                is_over = True
            raise
        finally:
            with settled:
                os.close(ours)
                os.close(theirs)


def claim_when_free(recipe: Recipe, cluster: Cluster, line: Line | None) -> Claimed:
    """Claim devices for all ranks, waiting in line for them; without one, refuse what is not there within a second.

    Raises DevicesTaken, PreflightError, or KeyboardInterrupt when a signal ends the waiting.
    """
    with ExitStack() as stack:
        if line is not None and not cluster.is_cpu:
            stack.enter_context(line.at_the_head())
        waiting = line or Line(lambda _: None)
        releases: Releases | None = None
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return claim_devices(recipe, cluster)
            except DevicesTaken as taken:
                if line is None and time.monotonic() >= deadline:
                    raise
                waiting.tell(f"waits for {recipe.ranks} free devices; {taken.held}; Ctrl-C leaves the line")
            if releases is None:
                releases = stack.enter_context(Releases())
            else:
                releases.wait(waiting, _TICK if line is not None else deadline - time.monotonic())


def no_line(cluster: Cluster) -> UsageError:
    """Why nobody waits for devices of several hosts."""
    return UsageError(
        f"nobody can wait in line for devices of {len(cluster.hosts)} hosts: each host has a line of its own",
        expected="--wait with a cluster that is this machine alone",
        remedy="leave --wait out: devices that others have are named, and who has them",
    )


class Releases:
    """Tells when somebody may have given a claim back."""

    def __init__(self) -> None:
        self._inotify = INotify(nonblocking=True)
        self._inotify.add_watch(claims_folder(), flags.CLOSE_WRITE)
        self._soon = False

    def wait(self, line: Line, timeout: float) -> None:
        """Return when there is a reason to look, or after `timeout` seconds at most."""
        came = line.wait(min(timeout, _SOON) if self._soon else timeout, self._inotify.fileno())
        if came:
            self._inotify.read(timeout=0)
        self._soon = came

    def __enter__(self) -> Releases:
        return self

    def __exit__(self, *_: object) -> None:
        self._inotify.close()
