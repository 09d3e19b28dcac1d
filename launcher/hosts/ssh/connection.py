"""One connection to one host: opened when it is needed, opened again when it was lost, shared by its channels.

Importing this module imports paramiko.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from paramiko import Channel, ChannelException, SFTPClient, SSHException

from launcher.hosts.reach import Answer
from launcher.hosts.ssh.command import Command, Lost, closed_after
from launcher.hosts.ssh.destination import Destination
from launcher.hosts.ssh.dial import Line, dial, dial_through
from launcher.hosts.ssh.known_hosts import HostKey
from launcher.hosts.ssh.login import log_in
from launcher.hosts.ssh.problems import SshError, Step, quoted
from launcher.hosts.ssh.quoting import command_line, kill_line
from launcher.hosts.ssh.slots import Slots
from launcher.hosts.ssh.transport import NoGreeting, Transport, greet
from launcher.hosts.ssh.trust import NewHostKey, accept, known_kinds, verify

_RETRIES = (0.2, 0.6, 1.2, 2.4)  # seconds before the next try when a busy server turns us away
_KILL_TIMEOUT = 2.0  # seconds
_LONGEST_LINE = 128 * 1024  # bytes: what Linux takes as one argument, and so the login shell there


class Connection:
    """The connection to one destination, for any number of threads."""

    def __init__(
        self,
        to: Destination,
        jump: Connection | None,
        pause: Callable[[float], None],
    ) -> None:
        self.to = to
        self._jump = jump
        self._pause = pause
        self._opening = threading.Lock()
        self._attempts = 0
        self._failure: SshError | None = None
        self._ended = False
        self._line: Line | None = None
        self._transport: Transport | None = None
        self._asking = threading.Lock()
        self._slots = Slots()
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
        if answer.code is None and command.pid is not None:
            self._kill(command.pid)
        return answer

    def transfer(self, work: Callable[[SFTPClient], None], path: str, timeout: float) -> None:
        """Do something with files there, over a channel of its own; nothing in it may take so many seconds.

        Raises SshError, and OSError for what is wrong on this side.
        """
        deadline = time.monotonic() + timeout
        with self._channel(deadline) as channel:
            try:
                with closed_after(self._patience(deadline), channel):
                    channel.invoke_subsystem("sftp")
                channel.settimeout(timeout)
                with SFTPClient(channel) as sftp:
                    work(sftp)
            except (SSHException, EOFError, OSError) as error:
                if isinstance(error, OSError) and error.filename is not None:  # a file of this machine
                    raise
                why = getattr(error, "strerror", None) or str(error) or "the connection was lost"
                raise SshError(
                    self.to.host,
                    Step.TRANSFER,
                    f"{self.to}, {path}: {quoted(why)}",
                    expected="sftp (Subsystem sftp in sshd_config), and a file system with room that lets us write",
                    remedy=f"there: df {path}; ls -ld {path}",
                ) from None

    def _kill(self, pid: int) -> None:
        """End what runs on although its time is over: sshd does not do that, and for root it passes on no signals."""
        deadline = time.monotonic() + _KILL_TIMEOUT
        with suppress(SshError, Lost, SSHException, EOFError, OSError), self._channel(deadline) as channel:
            Command(channel, "kill", _KILL_TIMEOUT, deadline).run(kill_line(pid), b"")

    def transport(self, deadline: float) -> Transport:
        """The open connection, logged in; who waits while another opens it shares his failure. Raises SshError."""
        seen = self._attempts
        with self._opening:
            if self._failure is not None and self._attempts > seen:
                raise self._failure
            if self._transport is None or not self._transport.is_active():
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

    def accept(self, agree: Callable[[NewHostKey], bool], timeout: float) -> NewHostKey | None:
        """Put the host's key on record if it is unknown and agreed to; None where it was known before.

        Nothing but its key is asked of the host. Raises SshError: HostKeyError for a key refused, or changed.
        """
        with self._opening:
            if self._transport is not None and self._transport.is_active():
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

    def _greet(self, deadline: float) -> tuple[Transport, HostKey]:
        """A line, and the exchange of keys over it; again when the server turns us away at once, as a busy one does."""
        self._ended = False
        kinds = known_kinds(self.to)
        for wait in (*_RETRIES, None):
            self._line = self._dial(deadline)
            try:
                self._transport, key = greet(self._line, self.to.host, self._patience(deadline), kinds)
            except NoGreeting:
                self._hang_up()
                if wait is None or self._ended or time.monotonic() + wait > deadline:
                    raise
                self._pause(wait * random.uniform(0.5, 1.5))  # noqa: S311  so that many do not come back together
            else:
                return self._transport, key
        raise AssertionError("the last try returns or raises")

    def _dial(self, deadline: float) -> Line:
        if self._jump is None:
            return dial(self.to, self._patience(deadline))
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
        return dial_through(jump, self.to, over, self._patience(deadline))

    def _patience(self, deadline: float) -> float:
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

    @contextmanager
    def _channel(self, deadline: float) -> Iterator[Channel]:
        """A channel for one use, as soon as one is free. Raises SshError."""
        channel = self._open_channel(deadline)
        try:
            yield channel
        finally:
            channel.close()
            self._slots.give_back()

    def _open_channel(self, deadline: float) -> Channel:
        """Tries again over a new connection when the old one was lost meanwhile, and later when there are too many."""
        waits = iter(_RETRIES)
        renewed = False
        while True:
            transport = self.transport(deadline)
            with self._asking:  # one at a time: paramiko keeps one error for all
                others = self._slots.take(deadline)
                if others is None:
                    raise self._no_channel("every command that runs there takes longer than this one may wait")
                try:
                    return transport.open_session(timeout=self._patience(deadline))
                except ChannelException as error:
                    self._slots.give_back()
                    self._slots.learn(others)
                    wait = 0.0 if others else next(waits, None)  # without others, one that ended still counts there
                    if wait is None or time.monotonic() + wait > deadline:
                        raise self._no_channel(quoted(error.text)) from None
                except (SSHException, EOFError, OSError) as error:
                    self._slots.give_back()
                    if renewed or not _is_lost(transport, error):
                        raise self._no_channel(quoted(str(error) or "it closed the connection")) from None
                    renewed, wait = True, 0.0
                    transport.close()
            self._pause(wait)

    def _no_channel(self, why: str) -> SshError:
        return SshError(
            self.to.host,
            Step.CHANNEL,
            f"{self.to} opens no channel: {why}",
            expected="one channel at least (MaxSessions)",
            remedy="see sshd's log there; its own default is MaxSessions 10",
        )

    def _interrupted(self, name: str, error: Exception) -> SshError:
        """A command did not begin, or nobody knows how it ended."""
        if self._transport is not None and not _is_lost(self._transport, error):
            return SshError(
                self.to.host,
                Step.RUN,
                f"{self.to} does not run {name}: {quoted(str(error) or 'it closed the channel')}",
                remedy="see sshd's log there: a login shell that is missing, a ForceCommand, or no more processes",
            )
        how = quoted(str(error)) if str(error) else "closed by the other side"
        return SshError(
            self.to.host,
            Step.RUN,
            f"the connection to {self.to} was lost while {name} ran: {how}",
            expected="its exit status; whether it still runs there is not known",
            remedy="look whether the host is up",
        )


def _is_lost(transport: Transport, error: Exception) -> bool:
    """Whether an error is the connection's end; paramiko may notice that in one thread before it does in the other."""
    return isinstance(error, (Lost, EOFError, OSError)) or not transport.is_active()
