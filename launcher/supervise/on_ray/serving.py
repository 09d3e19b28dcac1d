"""What the processes that keep Ray have in common: how they begin and end, and how they answer."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from launcher.runs.home import make_runtime_directory, remove_runtime_directory
from launcher.runs.lock import Lock
from launcher.supervise.on_ray.ray_process import RayProcess

_PR_SET_CHILD_SUBREAPER = 36


def main(serve: Callable[[Path, str | None], Awaitable[None]]) -> None:
    """Entry point: DIRECTORY LOCK [CLUSTER]. A second process for the same lock ends at once.

    `serve` is called with the folder, made private, and the cluster's id; the folder goes with it. Whatever it starts
    stays below this process, which is its subreaper.
    """
    directory, lock_path = map(Path, sys.argv[1:3])
    lock = Lock(lock_path)
    if not lock.try_acquire():
        return
    lock_path.write_text(str(os.getpid()))
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    make_runtime_directory()
    directory.mkdir(mode=0o700, exist_ok=True)

    async def served() -> None:
        await serve(directory, sys.argv[3] if len(sys.argv) > 3 else None)

    asyncio.run(served())
    with suppress(OSError):
        directory.rmdir()
    remove_runtime_directory()


@asynccontextmanager
async def keeping(
    socket: Path,
    on_connection: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    work: Coroutine[Any, Any, None],
    ray: RayProcess,
) -> AsyncIterator[None]:
    """Answer on a socket and do the work beside; in the end, end both, and Ray with all that is below it."""
    server = await asyncio.start_unix_server(on_connection, str(socket))
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        server.close()
        socket.unlink(missing_ok=True)
        task.cancel()
        await asyncio.wait({task})
        await ray.end()


async def asked(reader: asyncio.StreamReader) -> str:
    """What a connection asks for; empty when that cannot be made out."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(await reader.readline())["op"])
    return ""


async def answer(writer: asyncio.StreamWriter, message: object) -> None:
    """Answer it. Raises OSError when the other side has gone."""
    writer.write(json.dumps(message).encode() + b"\n")
    await writer.drain()
