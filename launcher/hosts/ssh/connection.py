"""One connection to one host: opened when it is needed, opened again when it was lost, shared by all who hold it.

Importing this module imports paramiko.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from launcher.hosts.ssh.destination import Destination
from launcher.hosts.ssh.dial import Line, dial, dial_through
from launcher.hosts.ssh.known_hosts import HostKey
from launcher.hosts.ssh.login import log_in
from launcher.hosts.ssh.problems import SshError, Step
from launcher.hosts.ssh.transport import NoGreeting, Transport, greet
from launcher.hosts.ssh.trust import NewHostKey, accept, known_kinds, verify

RETRIES = (0.2, 0.6, 1.2, 2.4)  # seconds before the next try when a busy server turns us away


@contextmanager
def held(lock: threading.Lock, deadline: float) -> Iterator[bool]:
    """Hold a lock, if it is free before the deadline; False: it was not."""
    ours = lock.acquire(timeout=max(0.0, deadline - time.monotonic()))
    try:
        yield ours
    finally:
        if ours:
            lock.release()


class Connection:
    """The connection to one destination, for any number of threads."""

    def __init__(self, to: Destination, jump: Connection | None, pause: Callable[[float], None]) -> None:
        self.to = to
        self.pause = pause
        self._jump = jump
        self._opening = threading.Lock()
        self._attempts = 0
        self._failure: SshError | None = None
        self._ended = False
        self._line: Line | None = None
        self._transport: Transport | None = None
        self._holders = 0
        self._counting = threading.Lock()

    def hold(self) -> None:
        """One more wants this connection, and those that it goes over, until he releases it."""
        with self._counting:
            self._holders += 1
        if self._jump is not None:
            self._jump.hold()

    def release(self) -> None:
        """One is done with it; when he was the last, it ends."""
        with self._counting:
            self._holders -= 1
            unwanted = self._holders == 0
        if unwanted:
            self.close()
        if self._jump is not None:
            self._jump.release()

    def way(self) -> tuple[Connection, ...]:
        """The connections to the jump hosts, in the order of travel, and this one."""
        return (*(self._jump.way() if self._jump is not None else ()), self)

    def another(self) -> Connection:
        """One more to the same destination, over the same jump hosts; whoever asked for it closes it."""
        return Connection(self.to, self._jump, self.pause)

    def close(self) -> None:
        """End the connection, also one that is just being opened: that fails then."""
        self._ended = True
        line = self._line
        if line is not None:
            line.cut()
        if self._opening.acquire(blocking=False):  # else whoever opens it finds it cut
            try:
                self._hang_up()
            finally:
                self._opening.release()

    def transport(self, deadline: float) -> Transport:
        """The open connection, logged in; who waits while another opens it shares his failure. Raises SshError."""
        seen = self._attempts
        with held(self._opening, deadline) as ours:
            if not ours:
                raise SshError(
                    self.to.host,
                    Step.CONNECT,
                    f"{self.to} is still being connected to, for a command that may wait longer than this one",
                    remedy="look whether the host is up, or give the command more time",
                )
            if self._failure is not None and self._attempts > seen:
                raise self._failure
            if not self.is_open:
                self._hang_up()
                self._failure = None
                try:
                    self._open(deadline)
                except SshError as error:
                    self._failure = error
                    self._hang_up()
                    raise
                except BaseException:
                    self._hang_up()
                    raise
                finally:
                    self._attempts += 1
            assert self._transport is not None
            return self._transport

    @property
    def is_open(self) -> bool:
        """Whether we are logged in, as far as is known."""
        transport = self._transport
        return transport is not None and transport.is_authenticated()

    def accept(self, agree: Callable[[NewHostKey], bool], timeout: float) -> NewHostKey | None:
        """Put the host's key on record if it is unknown and agreed to; None where it was known before.

        Nothing but its key is asked of the host. Raises SshError: HostKeyError for a key refused, or changed.
        """
        with self._opening:
            if self.is_open:
                return None
            try:
                self._hang_up()
                return accept(self._greet(time.monotonic() + timeout)[1], self.to, agree)
            finally:
                self._hang_up()

    def _open(self, deadline: float) -> None:
        transport, key = self._greet(deadline)
        verify(key, self.to)
        log_in(transport, self.to)
        if self._ended:  # before there was a line to cut
            raise SshError(self.to.host, Step.CONNECT, f"the connection to {self.to} was closed on this side")

    def _greet(self, deadline: float) -> tuple[Transport, HostKey]:
        """A line, and the exchange of keys over it; again when the server turns us away at once, as a busy one does."""
        self._ended = False
        kinds = known_kinds(self.to)
        for wait in (*RETRIES, None):
            self._line = self._dial(deadline)
            try:
                self._transport, key = greet(self._line, self.to.host, self.patience(deadline), kinds)
            except NoGreeting:
                self._hang_up()
                if wait is None or self._ended or time.monotonic() + wait > deadline:
                    raise
                self.pause(wait * random.uniform(0.5, 1.5))  # noqa: S311  so that many do not come back together
            else:
                return self._transport, key
        raise AssertionError("the last try returns or raises")

    def _dial(self, deadline: float) -> Line:
        if self._jump is None:
            return dial(self.to, self.patience(deadline))
        over = self._jump.to
        try:
            jump = self._jump.transport(deadline)
        except SshError as error:
            raise SshError(
                self.to.host,
                Step.JUMP,
                f"jump host {error.where.removeprefix('host ')}: {error.what}",
                expected=error.expected,
                remedy=error.remedy,
            ) from None
        return dial_through(jump, self.to, over, self.patience(deadline))

    def patience(self, deadline: float) -> float:
        """Seconds that one step may take."""
        return max(0.1, min(self.to.timeout, deadline - time.monotonic()))

    def _hang_up(self) -> None:
        line, transport = self._line, self._transport
        self._line = self._transport = None
        if line is not None:
            line.cut()  # wakes the transport's thread, which then ends at once
        if transport is not None:
            transport.close()
        if line is not None:
            line.close()
