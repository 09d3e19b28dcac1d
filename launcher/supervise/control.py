"""The unix socket on which people's commands reach whoever supervises a run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from launcher.runs.home import make_runtime_directory

_BIND_TRIES = 10

Gather = Callable[[int, int], Awaitable[str]]


async def serve_control(path: Path, on_stop: Callable[[str], bool], gather: Gather | None = None) -> asyncio.Server:
    """Serve one request a connection.

    `{"op": "stop", "by": WHO}`: `ok` is the answer when `on_stop(WHO)` took it. `{"op": "gather", "attempt": N,
    "limit": BYTES}`: what `gather(N, BYTES)` says. A request that is not taken gets no answer.
    """

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, ValueError, KeyError, TypeError):
                message = json.loads(await reader.readline())
                if message["op"] == "stop" and on_stop(str(message["by"])):
                    writer.write(b"ok\n")
                elif message["op"] == "gather" and gather is not None:
                    writer.write((await gather(int(message["attempt"]), int(message["limit"]))).encode())
                await writer.drain()
        finally:
            writer.close()

    for _ in range(_BIND_TRIES):  # the folder goes with the last socket of another run, at any moment
        make_runtime_directory()
        path.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            return await asyncio.start_unix_server(on_connection, str(path))
    raise FileNotFoundError(str(path))
