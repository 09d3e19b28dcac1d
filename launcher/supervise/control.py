"""The unix socket on which people's commands reach whoever supervises a run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from launcher.runs.store import make_runtime_directory

_BIND_TRIES = 10


async def serve_control(path: Path, on_stop: Callable[[str], bool]) -> asyncio.Server:
    """Serve `{"op": "stop", "by": WHO}`, one request a connection: `ok` is the answer when `on_stop(WHO)` took it."""

    async def on_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            message = json.loads(await reader.readline())
            if message["op"] == "stop" and on_stop(str(message["by"])):
                writer.write(b"ok\n")
                await writer.drain()
        writer.close()

    for _ in range(_BIND_TRIES):  # the folder goes with the last socket of another run, at any moment
        make_runtime_directory()
        path.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            return await asyncio.start_unix_server(on_connection, str(path))
    raise FileNotFoundError(str(path))
