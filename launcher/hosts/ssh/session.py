"""A command on an open channel that is talked with while it runs, at a terminal there or at pipes.

Importing this module imports paramiko.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from contextlib import suppress

import paramiko

from launcher.hosts.session import Window
from launcher.hosts.ssh.command import Lost, closed_after, ending, let_go
from launcher.hosts.ssh.problems import SshError, quoted
from launcher.hosts.ssh.quoting import command_line, own_words

_PIECE = 256 * 1024
_ENDING = 10.0  # seconds between a command's last words and the news of how it ended


class SshSession:
    """A command on a channel of its own; a Session.

    `lost` makes the error of a channel that ended before the command, `closed` is called when the channel is free.
    """

    def __init__(
        self,
        channel: paramiko.Channel,
        name: str,
        lost: Callable[[str, Exception], SshError],
        closed: Callable[[], None],
    ) -> None:
        self._channel = channel
        self._name = name
        self._lost = lost
        self._outputs = (_OwnWords(), _OwnWords())
        self._closed = closed
        self._is_open = True

    def begin(self, argv: Sequence[str], window: Window | None, patience: float) -> None:
        """Start the command, which may take so many seconds; with a window, at a terminal. Raises SshError."""
        try:
            with closed_after(patience, self._channel):
                if window is not None:
                    self._channel.get_pty(window.term, window.columns, window.rows)
                self._channel.exec_command(command_line(argv, at_terminal=window is not None))
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise self._lost(self._name, error) from None
        if window is not None:
            self._outputs[1].begin()  # there is but one output, and one mark

    @property
    def pid(self) -> int | None:
        """Its process there, as soon as it has begun."""
        return self._outputs[0].pid

    def fileno(self) -> int:
        """What can be read from when there may be something to take."""
        return self._channel.fileno()

    def take(self) -> tuple[bytes, bytes] | None:
        """What it wrote since the last time; None when it has ended and all is taken."""
        channel = self._channel
        is_over = channel.eof_received or channel.closed  # before the look, for what came meanwhile is still there
        out = channel.recv(_PIECE) if channel.recv_ready() else b""
        err = channel.recv_stderr(_PIECE) if channel.recv_stderr_ready() else b""
        if is_over and not out and not err:
            return None
        return self._outputs[0](out), self._outputs[1](err)

    def send(self, data: bytes) -> None:
        """Give it input; what it does not take any more is dropped."""
        with suppress(OSError):
            self._channel.sendall(data)

    def resize(self, window: Window) -> None:
        """Its terminal has another size."""
        with suppress(paramiko.SSHException, OSError):
            self._channel.resize_pty(window.columns, window.rows)

    def code(self) -> int:
        """How it ended, below 0 by a signal. Raises SshError when that is not known, or it did not begin."""
        self._channel.status_event.wait(_ENDING)
        try:
            code, by_signal = ending(self._channel)
        except Lost as error:
            raise self._lost(self._name, error) from None
        if self.pid is None:
            said = quoted(self._outputs[0].before.strip() or self._outputs[1].before.strip())
            raise self._lost(self._name, paramiko.SSHException(f"the login shell ended with {code}: {said}"))
        return code if code or by_signal is None else -signal.SIGKILL  # a signal that only the system there knows

    def close(self) -> None:
        """Let go of the channel: the command's input ends, and its terminal hangs up."""
        if self._is_open:
            self._is_open = False
            let_go(self._channel)
            self._closed()


class _OwnWords:
    """What a command says, without what its login shell said before (`before`)."""

    def __init__(self) -> None:
        self.before = b""
        self.pid: int | None = None
        self._begun = False

    def __call__(self, new: bytes) -> bytes:
        if self._begun:
            return new
        self.before += new
        self.pid, words = own_words(self.before)
        if self.pid is None:
            return b""
        self.begin()
        return words

    def begin(self) -> None:
        """From here on, all words are its own."""
        self._begun = True
