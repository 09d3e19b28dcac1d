"""The line to an ssh server, before anything is said: TCP, a channel of a jump host, or a command (ProxyCommand)."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

import paramiko

from launcher.hosts.ssh.destination import Destination
from launcher.hosts.ssh.problems import SshError, Step, quoted

UNANSWERED = 45  # seconds that sent data may stay unacknowledged: three keepalives; then the link is dead
_NO_ROUTE = (errno.EHOSTUNREACH, errno.ENETUNREACH)
_REFUSED_BY_JUMP = 1  # RFC 4254, 5.1: SSH_OPEN_ADMINISTRATIVELY_PROHIBITED


@dataclass(frozen=True)
class Line:
    """Something that paramiko takes for a socket, and the command behind it if there is one."""

    socket: socket.socket | paramiko.Channel
    command: subprocess.Popen[bytes] | None = None
    complaints: IO[bytes] | None = None

    def said(self) -> bytes:
        """What the command wrote to its stderr, from the end."""
        if self.complaints is None:
            return b""
        self.complaints.seek(0)
        return self.complaints.read().strip()[-200:]

    def cut(self) -> None:
        """Let whoever reads from it, or waits to write, find its end."""
        if isinstance(self.socket, paramiko.Channel):
            self.socket.close()
        else:
            with suppress(OSError):  # it is closed already
                self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it; a command is ended and waited for."""
        self.socket.close()
        if self.command is not None and self.complaints is not None:
            if self.command.returncode is None:  # not waited for: the id is still its own
                with suppress(ProcessLookupError):
                    os.killpg(self.command.pid, signal.SIGKILL)  # it may be a pipeline
            self.command.wait()
            self.complaints.close()


def dial(to: Destination, timeout: float) -> Line:
    """A line of our own to a server, without a jump host. Raises SshError."""
    if to.proxy_command:
        return _by_command(to.proxy_command)
    try:
        found = socket.getaddrinfo(to.address, to.port, to.family, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SshError(
            to.host,
            Step.RESOLVE,
            f"{quoted(to.address)} is not resolved: {getattr(error, 'strerror', None) or error}",
            expected="an IP address, or a name that DNS, /etc/hosts or ~/.ssh/config know here",
            remedy=f"mend the address in the cluster spec; `getent hosts {to.address}` shows what the name gives",
        ) from None
    failures: list[OSError] = []
    for family, kind, protocol, _, address in found:
        line = socket.socket(family, kind, protocol)
        try:
            line.settimeout(timeout / len(found))
            line.connect(address)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED * 1000)
        except OSError as error:
            line.close()
            failures.append(error)
        else:
            return Line(line)
    raise _unconnected(to, min(failures, key=lambda error: error.errno in _NO_ROUTE), timeout)  # the most telling


def dial_through(jump: paramiko.Transport, to: Destination, over: Destination, timeout: float) -> Line:
    """A line to a server by way of a jump host that we are logged in to. Raises SshError."""
    try:
        return Line(jump.open_channel("direct-tcpip", (to.address, to.port), ("127.0.0.1", 0), timeout=timeout))
    except paramiko.ChannelException as error:
        if error.code == _REFUSED_BY_JUMP:
            raise SshError(
                to.host,
                Step.JUMP,
                f"jump host {over.address} forwards no connection to {to.address} port {to.port}",
                remedy="there: AllowTcpForwarding yes (or local) and PermitOpen in sshd_config",
            ) from None
        raise SshError(
            to.host,
            Step.JUMP,
            f"jump host {over.address} does not reach {to.address} port {to.port}: {quoted(error.text)}",
            remedy=f"mend address or port; {to.ssh_command()} shows the same",
        ) from None
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise SshError(
            to.host,
            Step.JUMP,
            f"jump host {over.address} opened no way to {to.address} port {to.port}: {quoted(str(error) or 'closed')}",
            remedy="look whether the host is up and the jump host's network leads there",
        ) from None


def _by_command(command: str) -> Line:
    """A line to what a shell command has on its stdin and stdout, as ssh runs it: the user's own ProxyCommand."""
    ours, theirs = socket.socketpair()
    complaints = tempfile.TemporaryFile()  # noqa: SIM115  closed with the line
    with theirs:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=complaints,
            start_new_session=True,
        )
    return Line(ours, process, complaints)


def _unconnected(to: Destination, error: OSError, timeout: float) -> SshError:
    at = f"{to.address} port {to.port}"
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        what, remedy = (
            f"{at} did not answer within {timeout:.2g} s",
            "look whether the host is up and no firewall drops it",
        )
    elif error.errno == errno.ECONNREFUSED:
        what, remedy = f"{at} refused the connection", "start sshd there, or mend ssh: {port: N} in the cluster spec"
    elif error.errno in _NO_ROUTE:
        what = f"no route to {at}"
        remedy = "mend the address, or name a jump host (ssh: {jump: HOST} in the cluster spec)"
    else:
        what, remedy = f"{at}: {os.strerror(error.errno or 0)}", "mend the address in the cluster spec"
    return SshError(to.host, Step.CONNECT, what, expected="an ssh server", remedy=remedy)
