"""Leases on this user's Ray: it comes up with the first and goes with the last."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from launcher.errors import InfrastructureError
from launcher.runs.record import Lock, is_held
from launcher.runs.store import cache_directory, home, make_runtime_directory, runtime_path

_PAUSE = 0.05  # seconds between looks at a head that is just starting or just ending
_REMOVAL_PATIENCE = 5.0  # seconds for a head to end, of itself or because it was killed
_PATIENCE = 30.0  # seconds for a head to take a connection; for Ray itself, the head has its own


def ray_directory() -> Path:
    """The private folder for this user's Ray: socket, token, session. Comes and goes with Ray."""
    return runtime_path() / "ray"


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
    """The head's answer and the connection that it came over. Raises ConnectionError where no head may be started.

    A head that is just ending closes the connection without an answer: the next one is asked then.
    """
    deadline = time.monotonic() + _PATIENCE
    with ExitStack() as pipes:  # open until a head has answered: it waits for us as long
        head: subprocess.Popen[bytes] | None = None
        while time.monotonic() < deadline:
            with suppress(OSError):
                reader, writer = await asyncio.open_unix_connection(str(ray_directory() / "head.sock"))
                writer.write(json.dumps({"op": op}).encode() + b"\n")
                if line := await reader.readline():
                    return _checked(json.loads(line)), writer
                writer.close()
            if not start:
                raise ConnectionError(str(ray_directory()))
            if not is_held(head_lock()) and (head is None or head.poll() is not None):
                head = _start_head(pipes)
            await asyncio.sleep(_PAUSE)
    raise InfrastructureError(
        f"the process that keeps Ray does not answer after {_PATIENCE:.0f} s", where=str(_head_log())
    )


async def remove_remains() -> None:
    """Remove what a head that was killed has left; returns at once where no head was, or one lives, which ends itself.

    A head that was killed holds its lock until the kernel has taken it down, and parts of its Ray write there still.
    """
    lock = Lock(head_lock())
    deadline = time.monotonic() + _REMOVAL_PATIENCE
    while ray_directory().exists() and time.monotonic() < deadline:
        if lock.try_acquire():
            shutil.rmtree(ray_directory(), ignore_errors=True)
            lock.release()
        elif await _lives():
            return
        await asyncio.sleep(_PAUSE)


async def _lives() -> bool:
    """Whether a head takes connections."""
    try:
        _, writer = await asyncio.open_unix_connection(str(ray_directory() / "head.sock"))
    except OSError:
        return False
    writer.close()
    return True


def _checked(answer: dict[str, object]) -> dict[str, object]:
    if "error" in answer:
        raise InfrastructureError(str(answer["error"]), remedy="the run itself needs no Ray to go on")
    return answer


def _start_head(pipes: ExitStack) -> subprocess.Popen[bytes]:
    """Start a head, which waits for a lease as long as the pipe that is added to `pipes` is open."""
    make_runtime_directory()
    read, write = os.pipe2(os.O_CLOEXEC)
    pipes.callback(os.close, write)
    try:
        with _head_log().open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "launcher.supervise.on_ray.head", str(ray_directory()), str(head_lock())],
                env={**os.environ, "NPU_LAUNCH_HOME": str(home())},
                stdin=read,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
    finally:
        os.close(read)
