"""One command on an open channel: its input, both its outputs, and how it ended.

Importing this module imports paramiko.
"""

from __future__ import annotations

import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import paramiko

from launcher.hosts.reach import Answer
from launcher.hosts.ssh.problems import quoted
from launcher.hosts.ssh.quoting import own_words
from launcher.hosts.ssh.transport import Transport

MOST_OUTPUT = 64 * 1024 * 1024  # bytes, of stdout and of stderr each
_PIECE = 32 * 1024
_WINDOW_POLL = 0.01  # seconds: nothing wakes us when the other side can take more input


class Lost(Exception):
    """The connection ended before the command did."""


def let_go(channel: paramiko.Channel) -> None:
    """Close a channel, whose connection may be gone already."""
    with suppress(EOFError, OSError, paramiko.SSHException):
        channel.close()


@contextmanager
def closed_after(seconds: float, channel: paramiko.Channel) -> Iterator[None]:
    """A limit on what a server may take to say yes, for which paramiko itself waits without end."""
    overdue = threading.Timer(seconds, let_go, (channel,))
    overdue.daemon = True
    overdue.start()
    try:
        yield
    finally:
        overdue.cancel()


def ending(channel: paramiko.Channel) -> tuple[int, str | None]:
    """How a command ended: its exit status, or below 0 the signal, and that signal's name.

    A signal that this system has no number for gives 0. Raises Lost when the other side did not tell.
    """
    transport: Transport = channel.get_transport()  # type: ignore[assignment]
    status, name = channel.exit_status, transport.signals.pop(channel.chanid, None)
    if status < 0 and name is None:
        raise Lost(transport.saved_exception or "")
    return (status if name is None else -signal.Signals.__members__.get(f"SIG{name}", 0)), name


class Command:
    """A command on a channel, which has until `deadline` to end; `timeout` is how messages call that, in seconds.

    `left` is its process there when that runs on after its time, as far as is known.
    """

    def __init__(self, channel: paramiko.Channel, name: str, timeout: float, deadline: float) -> None:
        self._channel = channel
        self._name = name
        self._timeout = timeout
        self._deadline = deadline
        self._stdout = bytearray()
        self._stderr = bytearray()
        self.left: int | None = None

    def run(self, line: bytes, input: bytes) -> Answer:
        """Run a command line to its end; raises Lost, and SSHException when the server runs no commands."""
        try:
            with closed_after(self._left(), self._channel):
                self._channel.exec_command(line)
        except paramiko.SSHException:
            if self._left():
                raise
            return self._unended(f"did not begin within {self._timeout:g} s")
        self._channel.setblocking(False)
        if not self._converse(input):
            return self._unended(f"did not end within {self._timeout:g} s")
        if max(len(self._stdout), len(self._stderr)) > MOST_OUTPUT:
            return self._unended(f"wrote more than {MOST_OUTPUT >> 20} MiB")
        return self._ending()

    def _converse(self, input: bytes) -> bool:
        """Feed the command and take what it says, both at once, until its outputs are closed; False: time is over."""
        channel = self._channel
        poll = select.poll()
        poll.register(channel.fileno(), select.POLLIN)
        sent, open_ended = 0, True
        while True:
            moved = self._take()
            if max(len(self._stdout), len(self._stderr)) > MOST_OUTPUT:
                return True
            if open_ended:
                try:
                    if sent < len(input) and channel.send_ready():
                        sent += channel.send(input[sent : sent + _PIECE])
                        moved = True
                    if sent == len(input):
                        channel.shutdown_write()
                        open_ended = False
                except OSError:  # it closed without having read all: so be it
                    open_ended = False
            left = self._left()
            if not left:
                return False
            if moved:
                continue
            if (channel.eof_received or channel.closed) and not self._take():
                return True
            poll.poll(1000 * (min(left, _WINDOW_POLL) if open_ended else left))

    def _take(self) -> bool:
        taken = False
        if self._channel.recv_ready():
            self._stdout += self._channel.recv(_PIECE)
            taken = True
        if self._channel.recv_stderr_ready():
            self._stderr += self._channel.recv_stderr(_PIECE)
            taken = True
        return taken

    def _ending(self) -> Answer:
        channel = self._channel
        if not channel.status_event.wait(self._left()):
            return self._unended(f"closed its output, but did not end within {self._timeout:g} s")
        code, name = ending(channel)
        pid, stdout = own_words(bytes(self._stdout))
        _, stderr = own_words(bytes(self._stderr))
        if name is not None and code == 0:
            return Answer(None, stdout, stderr, f"{self._name} was ended by signal {name!a}")
        if pid is None:
            said = quoted((stderr or stdout).strip())
            return Answer(
                None, stdout, stderr, f"{self._name} did not begin: the login shell ended with {code}: {said}"
            )
        return Answer(code, stdout, stderr)

    def _left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def _unended(self, how: str) -> Answer:
        self.left, stdout = own_words(bytes(self._stdout))
        _, stderr = own_words(bytes(self._stderr))
        return Answer(None, stdout, stderr, f"{self._name} {how}")
