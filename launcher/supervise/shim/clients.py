"""The shim's unix socket, and those who are connected to it."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Callable, Sequence

_SEND_AT_ONCE = 512  # events
_BACKLOG = 16
_BIND_TRIES = 10


class Client:
    """One connection; `cursor` is the number of events taken for it, or None when it does not follow.

    One that only `watches` follows too, but supervises nothing: whoever waits for a supervisor waits on, and nobody
    waits for it.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.received = b""
        self.unsent = b""
        self.cursor: int | None = None
        self.watches = False


class Clients:
    """Serves lines to those who follow, and hands over the lines that they send.

    `lines` is the growing list of events; `handle(client, line)` is called for each message. A client that reads slowly
    holds nobody up: it gets the next lines when it has taken the ones before.
    """

    def __init__(self, path: str, lines: Sequence[bytes], handle: Callable[[Client, bytes], None]) -> None:
        self._path = path
        self._lines = lines
        self._handle = handle
        self._clients: dict[int, Client] = {}
        self.poller = select.poll()
        self.alone_since = time.monotonic()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        self._spare = _spare_descriptor()
        self._bind()
        self._listener.listen(_BACKLOG)
        self.poller.register(self._listener.fileno(), select.POLLIN)

    @property
    def are_following(self) -> bool:
        """Whether there is anybody who may supervise."""
        return any(client.cursor is not None and not client.watches for client in self._clients.values())

    @property
    def have_everything(self) -> bool:
        """Whether every follower, but for those who only watch, has been sent every event."""
        followers = (client for client in self._clients.values() if not client.watches)
        return all(not each.unsent and each.cursor in (None, len(self._lines)) for each in followers)

    def serve(self, fd: int, mask: int) -> None:
        """Do what the descriptor is ready for; those of others are none of ours."""
        if fd == self._listener.fileno():
            self._accept()
        elif fd in self._clients:
            if mask & ~select.POLLOUT:
                self._receive(fd)
            self._send(fd)

    def send_news(self) -> None:
        """Send new events to those who follow."""
        for fd in list(self._clients):
            self._send(fd)

    def close(self) -> None:
        """Remove the socket, and its folder when nobody else has one there."""
        os.unlink(self._path)
        try:
            os.rmdir(os.path.dirname(self._path))
        except OSError:
            pass

    def _bind(self) -> None:
        """Take the path; its folder may go at any moment, because the last to have a socket there removes it."""
        for _ in range(_BIND_TRIES):
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            if os.path.lexists(self._path):
                os.unlink(self._path)
            try:
                self._listener.bind(self._path)
                return
            except FileNotFoundError:
                continue
        raise FileNotFoundError(self._path)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:
            self._turn_away()
            return
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid not in (os.getuid(), 0):
            connection.close()
            return
        connection.setblocking(False)
        self._clients[connection.fileno()] = Client(connection)
        self.poller.register(connection.fileno(), select.POLLIN)

    def _turn_away(self) -> None:
        """Close a connection for which no descriptor is left: as long as it waits, the poller would return at once."""
        if self._spare is not None:
            os.close(self._spare)
        try:
            self._listener.accept()[0].close()
        except OSError:
            pass
        self._spare = _spare_descriptor()

    def _receive(self, fd: int) -> None:
        client = self._clients[fd]
        try:
            data = client.connection.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(fd)
            return
        *lines, client.received = (client.received + data).split(b"\n")
        for line in lines:
            self._handle(client, line)

    def _send(self, fd: int) -> None:
        """Send as much as the client takes; the rest waits until it is ready for more."""
        client = self._clients.get(fd)
        if client is None:
            return
        try:
            while True:
                if not client.unsent and client.cursor is not None and client.cursor < len(self._lines):
                    end = min(len(self._lines), client.cursor + _SEND_AT_ONCE)
                    client.unsent = b"".join(self._lines[client.cursor : end])
                    client.cursor = end
                if not client.unsent:
                    self.poller.modify(fd, select.POLLIN)
                    return
                client.unsent = client.unsent[client.connection.send(client.unsent) :]
        except BlockingIOError:
            self.poller.modify(fd, select.POLLIN | select.POLLOUT)
        except OSError:
            self._drop(fd)

    def _drop(self, fd: int) -> None:
        self.poller.unregister(fd)
        client = self._clients.pop(fd)
        client.connection.close()
        if not client.watches:
            self.alone_since = time.monotonic()


def _spare_descriptor() -> int | None:
    """A descriptor to give up when one is needed, or None when there is none left."""
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
