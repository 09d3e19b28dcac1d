"""One encrypted connection: the lines of both sides, the exchange of keys, and the host's own key, before any login.

Importing this module imports paramiko.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar
from weakref import ref

import paramiko
from paramiko.common import MSG_CHANNEL_CLOSE, MSG_CHANNEL_REQUEST, cMSG_GLOBAL_REQUEST

from launcher.hosts.ssh.dial import Line
from launcher.hosts.ssh.known_hosts import HostKey
from launcher.hosts.ssh.problems import SshError, Step, quoted

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # what it has to say is in its errors; stderr is the user's

KEEPALIVE = 15  # seconds between questions whether the other side is there
_UNANSWERED = 3  # of them, one after the other, after which it is not: a host that hangs acknowledges what it is sent
_KINDS = {"rsa-sha2-512": "ssh-rsa", "rsa-sha2-256": "ssh-rsa"}  # the kind of key behind a signature's name


def _with_signal(channel: paramiko.Channel, message: paramiko.Message) -> None:
    """Keep the name of the signal that ended a command, which paramiko passes over (RFC 4254, 6.10)."""
    if message.get_text() == "exit-signal":
        message.get_boolean()
        channel.get_transport().signals[channel.chanid] = message.get_text()  # type: ignore[attr-defined]
        return
    message.rewind()
    message.get_int()
    paramiko.Channel._handle_request(channel, message)  # type: ignore[attr-defined]


class _Outlet:
    """A transport as a channel has it: nothing goes out behind the channel's end, for which sshd hangs up altogether.

    paramiko makes a message while nobody else has the channel, but sends it afterwards, when its own thread may have
    closed the channel, because the other side did.
    """

    def __init__(self, transport: Transport, channel: paramiko.Channel) -> None:
        self._transport = transport
        self._channel = ref(channel)  # which closes itself when nobody has it any more
        self._sending = threading.Lock()

    def _send_user_message(self, message: paramiko.Message) -> None:
        with self._sending:
            channel = self._channel()
            is_open = channel is not None and not channel.closed
            if is_open or message.asbytes()[0] == MSG_CHANNEL_CLOSE:
                self._transport._send_user_message(message)  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Transport(paramiko.Transport):
    """paramiko's, which also tells by which signal a command ended, and notices a server that says nothing any more.

    `signals` are by channel.
    """

    _channel_handler_table: ClassVar = {
        **paramiko.Transport._channel_handler_table,  # type: ignore[attr-defined]
        MSG_CHANNEL_REQUEST: _with_signal,
    }

    def __init__(self, line: Line, timeout: float) -> None:
        super().__init__(line.socket)
        self.signals: dict[int, str] = {}
        self._heard, self._unanswered = -1, 0
        self.banner_timeout = self.handshake_timeout = self.auth_timeout = self.channel_timeout = timeout

    def run(self) -> None:
        """paramiko's thread, whose last act is to close its line: a jump host's channel may be gone before it then."""
        with suppress(EOFError, OSError, paramiko.SSHException):  # what else goes wrong, it keeps for get_exception
            super().run()

    def open_channel(self, *args: Any, **options: Any) -> paramiko.Channel:
        """As paramiko does; sessions and forwarded ports come from here too."""
        channel = super().open_channel(*args, **options)
        channel._set_transport(_Outlet(self, channel))  # type: ignore[attr-defined]
        return channel

    def watch(self) -> None:
        """From now on, ask now and then whether the other side is there, and end when it is not."""
        self.packetizer.set_keepalive(KEEPALIVE, self._ask)

    def _ask(self) -> None:
        heard: int = getattr(self.packetizer, "_Packetizer__sequence_number_in")  # noqa: B009 - the name is mangled
        self._unanswered = self._unanswered + 1 if heard == self._heard else 0
        self._heard = heard
        if self._unanswered == _UNANSWERED:
            raise paramiko.SSHException(f"no sign of life for {KEEPALIVE * _UNANSWERED} s")
        question = paramiko.Message()
        question.add_byte(cMSG_GLOBAL_REQUEST)
        question.add_string("keepalive@openssh.com")
        question.add_boolean(True)  # which has to be answered, if only by a no (RFC 4254, 4)
        self._send_user_message(question)  # type: ignore[attr-defined]


class NoGreeting(SshError):
    """The other side closed the connection before it had said that it speaks ssh; it may do so when it is busy."""


def greet(line: Line, host: str, timeout: float, kinds: Sequence[str]) -> tuple[Transport, HostKey]:
    """Exchange keys with a server; gives its host key, which nobody has looked at yet.

    `kinds` are those of the keys on record for the host: it is asked for one of them if it has one, for another kind
    could not be told from a changed key. Raises SshError.
    """
    transport = Transport(line, timeout)
    options = transport.get_security_options()
    options.key_types = sorted(options.key_types, key=lambda name: _KINDS.get(name, name) not in kinds)
    deadline = time.monotonic() + 2 * timeout
    try:
        transport.start_client(timeout=2 * timeout)
        key = transport.get_remote_server_key()
    except (paramiko.SSHException, EOFError, OSError) as error:
        transport.close()
        raise _no_greeting(error, host, timeout, overdue=time.monotonic() >= deadline, line=line) from None
    transport.watch()
    return transport, HostKey(key.get_name(), key.asbytes())


def _no_greeting(error: Exception, host: str, timeout: float, *, overdue: bool, line: Line) -> SshError:
    """What a failed greeting means. paramiko gives its cause as the context of its own error."""
    cause = error.__context__ if "protocol banner" in str(error) else None
    told = f" ({quoted(said)})" if (said := line.said()) else ""
    if overdue or isinstance(cause, TimeoutError):
        return SshError(
            host,
            Step.GREET,
            f"no answer within {timeout:.2g} s, though the connection was taken{told}",
            expected="an ssh server, which says SSH-2.0 first",
            remedy="look whether the host hangs, or whether the port is another service's",
        )
    if cause is not None or isinstance(error, (EOFError, ConnectionError)):
        return NoGreeting(
            host,
            Step.GREET,
            f"the connection was closed before the greeting was over{told}",
            expected="an ssh server that takes us",
            remedy="see sshd's log there: too many logins at once (MaxStartups), or an address it denies",
        )
    if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
        return SshError(
            host, Step.GREET, f"no common cipher, key exchange or host key kind: {error}", remedy="update sshd there"
        )
    return SshError(
        host,
        Step.GREET,
        f"{quoted(str(error))}{told}",
        expected="an ssh server, version 2",
        remedy="look whether the port is that of sshd",
    )
