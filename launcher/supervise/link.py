"""How a supervisor speaks with the shim of one host."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar

Message = Mapping[str, Any]
Result = TypeVar("Result")


class LinkLost(Exception):
    """The other end is gone; what it had said before has been read."""


class HostLink(Protocol):
    """One host, as the supervisor sees it."""

    @property
    def is_home(self) -> bool:
        """Whether the run has its home on that host: what lies there lies here."""

    async def events(self, after: int) -> list[bytes]:
        """The lines of events numbered above `after`, at least one: waits for it. Raises LinkLost."""

    async def send(self, message: Message) -> None:
        """Tell the shim to do something. Raises LinkLost."""

    async def renew(self) -> float:
        """Renew the lease of the host's ranks; the shim's time when it has, by its host's clock. Raises LinkLost."""

    async def there(self, work: Callable[..., Result], *arguments: object) -> Result:
        """Call a function of ours on the host; what it returns.

        The function is one of a module, and arguments and result can be pickled. Raises LinkLost, and what it raises.
        """

    def reset(self) -> None:
        """Give up whatever stands between us and the shim: the next call finds another way."""


class ShimLink:
    """A link over the shim's own unix socket, for a process on the same host.

    One connection follows events from the first call on; each message goes over a connection of its own.
    """

    is_home = True

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._following: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._position = 0  # the number of the last event given out on this connection
        self._received = b""

    async def events(self, after: int) -> list[bytes]:
        if self._following is None or self._position != after:
            await self._follow(after)
        assert self._following is not None
        reader, _ = self._following
        while b"\n" not in self._received:
            try:
                data = await reader.read(1 << 16)
            except OSError:
                data = b""
            if not data:
                self.close()
                raise LinkLost(str(self._socket))
            self._received += data
        *lines, self._received = self._received.split(b"\n")
        self._position += len(lines)
        return lines

    async def send(self, message: Message) -> None:
        _, writer = await self._connect()
        try:
            await self._write(writer, message)
        finally:
            writer.close()

    async def renew(self) -> float:
        reader, writer = await self._connect()
        try:
            await self._write(writer, {"op": "renew"})
            _, clock = (await reader.readline()).split()
            return float(clock)
        except (OSError, ValueError) as error:
            raise LinkLost(str(self._socket)) from error
        finally:
            writer.close()

    async def there(self, work: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.to_thread(work, *arguments)

    def reset(self) -> None:
        self.close()

    def close(self) -> None:
        """End the connection that follows; the next call of `events` makes a new one."""
        if self._following is not None:
            self._following[1].close()
        self._following = None

    async def _follow(self, after: int) -> None:
        self.close()
        self._following = await self._connect()
        self._position = after
        self._received = b""
        await self._write(self._following[1], {"op": "follow", "after": after})

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await asyncio.open_unix_connection(str(self._socket))
        except OSError as error:
            raise LinkLost(f"{self._socket}: {error}") from error

    async def _write(self, writer: asyncio.StreamWriter, message: Message) -> None:
        try:
            writer.write(json.dumps(message).encode() + b"\n")
            await writer.drain()
        except OSError as error:
            raise LinkLost(f"{self._socket}: {error}") from error


class Unlinked:
    """The link to another host for whom there is no Ray: every call finds it lost."""

    is_home = False

    def __init__(self, host: str) -> None:
        self._host = host

    async def events(self, after: int) -> list[bytes]:  # noqa: ARG002
        self._lose()

    async def send(self, message: Message) -> None:  # noqa: ARG002
        self._lose()

    async def renew(self) -> float:
        self._lose()

    async def there(self, work: Callable[..., Result], *arguments: object) -> Result:  # noqa: ARG002
        self._lose()

    def reset(self) -> None:
        """There is nothing to give up."""

    def _lose(self) -> NoReturn:
        raise LinkLost(f"no Ray leads to {self._host}")
