"""What is done on a connection: commands and the transfer of files, each on a channel of its own.

Importing this module imports paramiko.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from paramiko import Channel, ChannelException, SFTPClient, SSHException

from launcher.errors import InfrastructureError
from launcher.hosts.reach import Answer
from launcher.hosts.session import Window
from launcher.hosts.ssh.command import Command, Lost, closed_after, let_go
from launcher.hosts.ssh.connection import RETRIES, Connection, held
from launcher.hosts.ssh.problems import SshError, Step, quoted
from launcher.hosts.ssh.quoting import command_line, kill_line
from launcher.hosts.ssh.session import SshSession
from launcher.hosts.ssh.slots import Slots

_KILL_TIMEOUT = 5.0  # seconds
_LONGEST_LINE = 128 * 1024  # bytes: what Linux takes as one argument, and so the login shell there
_THE_END = (Lost, EOFError, OSError)  # of a connection; paramiko may notice it in one thread before it does in another


class Sessions:
    """The channels of one connection, for any number of threads."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._to = connection.to
        self._asking = threading.Lock()
        self._slots = Slots()

    def run(self, argv: Sequence[str], input: bytes, timeout: float) -> Answer:
        """Run a command on a channel of its own, within so many seconds from now. Raises SshError."""
        line = command_line(argv)
        if len(line) > _LONGEST_LINE:
            return Answer(None, problem=f"{argv[0]}: its arguments are too long for ssh; give them by stdin")
        deadline = time.monotonic() + timeout
        with self._channel(deadline) as channel:
            command = Command(channel, argv[0], timeout, deadline)
            try:
                answer = command.run(line, input)
            except (Lost, SSHException, EOFError, OSError) as error:
                raise self._interrupted(argv[0], error) from None
        if command.left is not None and not self._kill(command.left):
            return replace(answer, problem=f"{answer.problem}, and could not be killed: it may still run there")
        return answer

    def converse(self, argv: Sequence[str], window: Window | None, timeout: float) -> SshSession:
        """Start a command to talk with, which has so many seconds to begin; at a terminal if it is given a window.

        It has its channel until it is closed. Raises SshError.
        """
        deadline = time.monotonic() + timeout
        channel = self._open_channel(deadline)
        session = SshSession(channel, argv[0], self._interrupted, self._slots.give_back)
        try:
            session.begin(argv, window, self.connection.patience(deadline))
        except BaseException:
            session.close()
            raise
        return session

    def transfer(self, work: Callable[[SFTPClient], None], path: str, timeout: float) -> None:
        """Do something with files there, over a channel of its own; nothing in it may take so many seconds.

        Raises SshError, and InfrastructureError for what is wrong on this side.
        """
        deadline = time.monotonic() + timeout
        with self._channel(deadline) as channel:
            try:
                with closed_after(self.connection.patience(deadline), channel):
                    channel.invoke_subsystem("sftp")
                channel.settimeout(timeout)
                with SFTPClient(channel) as sftp:
                    work(sftp)
            except (SSHException, EOFError, OSError) as error:
                if isinstance(error, OSError) and (
                    error.filename is not None or error.errno in (errno.ENOSPC, errno.EDQUOT)
                ):
                    raise InfrastructureError(  # sftp's own errors have neither
                        f"{error.strerror}",
                        where=str(error.filename or "this machine"),
                        expected=f"the file that is taken to or from {path} on host {self._to.host}",
                        remedy="look for the file, its permissions, and room on the disk",
                    ) from None
                if not self.connection.is_open:
                    raise self._lost(f"{path} was transferred", error, "the file; it is there whole, or not") from None
                why = getattr(error, "strerror", None) or str(error) or "the connection was lost"
                raise SshError(
                    self._to.host,
                    Step.TRANSFER,
                    f"{self._to}, {path}: {quoted(why)}",
                    expected="sftp (Subsystem sftp in sshd_config), and a file system with room that lets us write",
                    remedy=f"there: df {path}; ls -ld {path}",
                ) from None

    def _kill(self, pid: int) -> bool:
        """End what runs on although its time is over: sshd does not do that, and for root it passes on no signals.

        Over a connection of its own: there, a session counts (MaxSessions) as long as its command runs.
        """
        if not self.connection.is_open:
            return False
        deadline = time.monotonic() + _KILL_TIMEOUT
        apart = Sessions(self.connection.another())
        try:
            with apart._channel(deadline) as channel:
                killed = Command(channel, "kill", _KILL_TIMEOUT, deadline).run(kill_line(pid), b"")
        except (SshError, Lost, SSHException, EOFError, OSError, ValueError):
            return False
        finally:
            apart.connection.close()
        return killed.code is not None  # 1: it ended meanwhile

    @contextmanager
    def _channel(self, deadline: float) -> Iterator[Channel]:
        """A channel for one use, as soon as one is free. Raises SshError."""
        channel = self._open_channel(deadline)
        try:
            yield channel
        finally:
            let_go(channel)
            self._slots.give_back()

    def _open_channel(self, deadline: float) -> Channel:
        """Tries again over a new connection when the old one was lost meanwhile, and later when there are too many."""
        waits = iter(RETRIES)
        renewed = False
        while True:
            transport = self.connection.transport(deadline)
            with held(self._asking, deadline) as ours:  # one at a time: paramiko keeps one error for all
                others = self._slots.take(deadline) if ours else None
                if others is None:
                    raise self._no_channel("every command that runs there takes longer than this one may wait")
                try:
                    return transport.open_session(timeout=self.connection.patience(deadline))
                except ChannelException as error:
                    self._slots.give_back()
                    self._slots.learn(others)
                    wait = 0.0 if others else next(waits, None)  # without others, one that ended still counts there
                    if wait is None or time.monotonic() + wait > deadline:
                        raise self._no_channel(quoted(error.text)) from None
                except (SSHException, EOFError, OSError) as error:
                    self._slots.give_back()
                    if "timeout" in str(error).lower():
                        raise self._silent() from None
                    if renewed or (transport.is_active() and not isinstance(error, _THE_END)):
                        raise self._no_channel(quoted(str(error) or "it closed the connection")) from None
                    renewed, wait = True, 0.0
                    transport.close()
            self.connection.pause(wait)

    def _no_channel(self, why: str) -> SshError:
        return SshError(
            self._to.host,
            Step.CHANNEL,
            f"{self._to} opens no channel: {why}",
            expected="one channel at least (MaxSessions)",
            remedy="see sshd's log there; its own default is MaxSessions 10",
        )

    def _silent(self) -> SshError:
        return SshError(
            self._to.host,
            Step.CHANNEL,
            f"{self._to} does not answer any more on the connection that is open",
            expected=f"an answer within {self._to.timeout:g} s, or what was left of the time",
            remedy="look whether the host is up, whether it hangs, and whether the network still leads there",
        )

    def _interrupted(self, name: str, error: Exception) -> SshError:
        """A command did not begin, or nobody knows how it ended."""
        if self.connection.is_open and not isinstance(error, _THE_END):
            return SshError(
                self._to.host,
                Step.RUN,
                f"{self._to} does not run {name}: {quoted(str(error) or 'it closed the channel')}",
                remedy="see sshd's log there: a login shell that is missing, a ForceCommand, or no more processes",
            )
        return self._lost(f"{name} ran", error, "its exit status; whether it still runs there is not known")

    def _lost(self, meanwhile: str, error: Exception, expected: str) -> SshError:
        how = quoted(str(error)) if str(error) else "closed by the other side"
        return SshError(
            self._to.host,
            Step.TRANSFER if meanwhile.endswith("transferred") else Step.RUN,
            f"the connection to {self._to} was lost while {meanwhile}: {how}",
            expected=expected,
            remedy="look whether the host is up, and whether the network still leads there",
        )
