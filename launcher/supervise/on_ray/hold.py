"""Leases on this user's Ray: it comes up with the first and goes with the last."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO

from launcher.errors import InfrastructureError
from launcher.runs.record import is_held
from launcher.runs.store import cache_directory, runtime_directory

_PAUSE = 0.05  # seconds between looks at a head that is just starting or just ending
_PATIENCE = 30.0  # seconds for a head to answer at all; for Ray itself, the head has its own


def ray_directory() -> Path:
    """The private folder for this user's Ray: socket, token, session. Goes with Ray."""
    directory = runtime_directory() / "ray"
    directory.mkdir(mode=0o700, exist_ok=True)
    return directory


def head_lock() -> Path:
    """The file that the process keeping Ray holds a lock on."""
    return cache_directory() / "ray-head.lock"


def _head_log() -> Path:
    return cache_directory() / "ray-head.log"


class Lease:
    """Keeps Ray up until it is closed, or until this process ends, however it ends."""

    def __init__(self, address: str, writer: asyncio.StreamWriter) -> None:
        self.address = address
        self._writer = writer

    def close(self) -> None:
        self._writer.close()

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.close()


async def hold() -> Lease:
    """Bring Ray up, or join it where it is up.

    Raises InfrastructureError with Ray's last words when it does not come.
    """
    answer, writer = await _ask("hold", start=True)
    return Lease(str(answer["address"]), writer)


async def stay() -> str:
    """Bring Ray up and have it stay when its last run has ended; its address."""
    answer, writer = await _ask("stay", start=True)
    writer.close()
    return str(answer["address"])


async def release() -> int | None:
    """Let Ray go when its last run has ended; how many runs hold it still, or None when no Ray is up."""
    try:
        answer, writer = await _ask("release", start=False)
    except ConnectionError:
        return None
    writer.close()
    return int(str(answer["holders"]))


async def gone() -> None:
    """Wait until the head has ended and everything of Ray with it."""
    while is_held(head_lock()):
        await asyncio.sleep(_PAUSE)


async def _ask(op: str, start: bool) -> tuple[dict[str, object], asyncio.StreamWriter]:
    """The head's answer and the connection that it came over. Raises ConnectionError where no head may be started."""
    with ExitStack() as pipes:  # open until the head has answered: it waits for us as long
        reader, writer = await _connect(pipes if start else None)
        writer.write(json.dumps({"op": op}).encode() + b"\n")
        line = await reader.readline()
    if not line:
        raise InfrastructureError("the process that keeps Ray ended", where=str(_head_log()))
    answer: dict[str, object] = json.loads(line)
    if "error" in answer:
        raise InfrastructureError(str(answer["error"]), remedy="the run itself needs no Ray to go on")
    return answer, writer


async def _connect(pipes: ExitStack | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    directory = ray_directory()
    for _ in range(round(_PATIENCE / _PAUSE)):
        try:
            return await asyncio.open_unix_connection(str(directory / "head.sock"))
        except OSError:
            if pipes is None:
                raise ConnectionError(str(directory)) from None
        if not is_held(head_lock()):
            pipes.enter_context(_start_head(directory))
        await asyncio.sleep(_PAUSE)
    raise InfrastructureError(
        f"the process that keeps Ray does not answer after {_PATIENCE:.0f} s", where=str(_head_log())
    )


def _start_head(directory: Path) -> IO[bytes]:
    """Start the head; while the pipe returned is open, it waits for a lease."""
    read, write = os.pipe2(os.O_CLOEXEC)
    with _head_log().open("wb") as log:
        subprocess.Popen(
            [sys.executable, "-m", "launcher.supervise.on_ray.head", str(directory), str(head_lock())],
            stdin=read,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    os.close(read)
    return os.fdopen(write, "wb")
