"""The connections to all hosts of a cluster: one each, opened when it is needed, shared by all who want that host.

Importing this module imports paramiko.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from launcher.hosts.reach import Answer
from launcher.hosts.session import Window
from launcher.hosts.ssh import files
from launcher.hosts.ssh.connection import Connection
from launcher.hosts.ssh.destination import AddressBook, Destination
from launcher.hosts.ssh.session import SshSession
from launcher.hosts.ssh.sessions import Sessions
from launcher.hosts.ssh.trust import NewHostKey
from launcher.specs import Host, Ssh


class SshReach:
    """A way to one host by ssh; a Reach, with a share in the host's connection."""

    def __init__(self, sessions: Sessions) -> None:
        self.connection = sessions.connection
        self._sessions = sessions
        self._closed = False
        self.connection.hold()

    def run(self, argv: Sequence[str], *, input: bytes = b"", timeout: float) -> Answer:
        """Run a command to its end, or end it after so many seconds from now, which the connecting is part of.

        Raises SshError when the host cannot be reached, or was lost.
        """
        return self._sessions.run(argv, input, timeout)

    def converse(self, argv: Sequence[str], window: Window | None, timeout: float) -> SshSession:
        """Start a command to talk with, at a terminal there if it is given a window. Raises SshError."""
        return self._sessions.converse(argv, window, timeout)

    def put(self, content: bytes | Path, path: str, *, mode: int = 0o600, timeout: float) -> None:
        """Write a file there, whole or not at all, and the folders on the way (0700). Raises SshError."""
        self._sessions.transfer(lambda sftp: files.put(sftp, content, path, mode), path, timeout)

    def get(self, path: str, to: Path, *, timeout: float) -> None:
        """Fetch a file into one here, whole or not at all. Raises SshError."""
        self._sessions.transfer(lambda sftp: files.get(sftp, path, to), path, timeout)

    def close(self) -> None:
        """Let go of the connection; it ends when nobody else has it."""
        if not self._closed:
            self._closed = True
            self.connection.release()


class Connections:
    """One connection for each destination, whoever asks; a jump host's is shared by all hosts behind it."""

    def __init__(
        self,
        home: Path | None = None,
        environment: Mapping[str, str] = os.environ,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pause = pause
        self._home = home or Path.home()
        self._environment = environment
        self._lock = threading.Lock()
        self._books: dict[str | None, AddressBook] = {}
        self._known: dict[Destination, Sessions] = {}

    def reach(self, host: Host, ssh: Ssh | None) -> SshReach:
        """The way to a host; nothing is opened yet. Raises UsageError for settings that cannot be understood."""
        with self._lock:
            return SshReach(self._to(self._destination(host, ssh)))

    def accept_host_keys(
        self, host: Host, ssh: Ssh | None, agree: Callable[[NewHostKey], bool], timeout: float
    ) -> tuple[NewHostKey, ...]:
        """Put the unknown keys of a host, and of the jump hosts before it, on record as they are agreed to.

        Gives those. Raises SshError: HostKeyError for a key not agreed to, or another than that on record.
        """
        new: list[NewHostKey | None] = []
        with self._lock:
            connection = self._to(self._destination(host, ssh)).connection
        connection.hold()
        try:
            for hop in connection.way():
                new.append(hop.accept(agree, timeout))
        finally:
            connection.release()
        return tuple(key for key in new if key is not None)

    def close(self) -> None:
        """End all connections, also those that are just being opened."""
        with self._lock:
            for sessions in reversed(self._known.values()):  # a jump host comes before those behind it
                sessions.connection.close()

    def _destination(self, host: Host, ssh: Ssh | None) -> Destination:
        config = ssh.config if ssh is not None else None
        if config not in self._books:
            self._books[config] = AddressBook(self._home, self._environment, config)
        return self._books[config].destination(host, ssh)

    def _to(self, to: Destination) -> Sessions:
        jump = self._to(to.jump).connection if to.jump is not None else None
        if to not in self._known:
            self._known[to] = Sessions(Connection(to, jump, self._pause))
        return self._known[to]
