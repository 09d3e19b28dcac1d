"""The process that keeps Ray on this machine, as others see it: asked over its socket, started where there is none."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from launcher.errors import InfrastructureError
from launcher.hosts.tagged import TAGS
from launcher.runs.clusters import cluster_directory
from launcher.runs.home import home, machine_directory, make_runtime_directory, runtime_path
from launcher.runs.lock import Lock, is_held

_PAUSE = 0.05  # seconds between looks at a process that is just starting or just ending
_REMOVAL_PATIENCE = 5.0  # seconds for it to end, of itself or because it was killed
_PATIENCE = 30.0  # seconds for it to take a connection; for Ray itself, it has its own
_DIGITS = 5  # of a cluster's id, in a path that has to be short


@dataclass(frozen=True)
class Service:
    """`python -m MODULE`: who holds its lock serves the socket in its folder, which comes and goes with it."""

    module: str
    directory: Path
    socket: Path
    lock: Path
    log: Path
    cluster: str | None

    @property
    def is_up(self) -> bool:
        """Whether its process lives."""
        return is_held(self.lock)

    async def ask(self, op: str, *, start: bool) -> tuple[dict[str, object], asyncio.StreamWriter]:
        """The answer and the connection that it came over.

        One that is just ending closes the connection without an answer: the next one is asked then. Raises
        ConnectionError where none is up and none may be started, and InfrastructureError.
        """
        deadline = time.monotonic() + _PATIENCE
        with ExitStack() as pipes:  # open until it has answered: it waits for us as long
            process: subprocess.Popen[bytes] | None = None
            while time.monotonic() < deadline:
                with suppress(OSError):
                    reader, writer = await asyncio.open_unix_connection(str(self.socket))
                    writer.write(json.dumps({"op": op}).encode() + b"\n")
                    if line := await reader.readline():
                        return _checked(json.loads(line)), writer
                    writer.close()
                if not start:
                    raise ConnectionError(str(self.socket))
                if not self.is_up and (process is None or process.poll() is not None):
                    process = self._start(pipes)
                await asyncio.sleep(_PAUSE)
        raise InfrastructureError(
            f"the process that keeps Ray does not answer after {_PATIENCE:.0f} s", where=str(self.log)
        )

    async def gone(self) -> None:
        """Wait until the process has ended and everything of Ray with it."""
        while self.is_up:
            await asyncio.sleep(_PAUSE)

    async def remove_remains(self) -> None:
        """Remove what one that was killed has left; returns at once where none was, or one lives, which ends itself.

        One that was killed holds its lock until the kernel has taken it down, and parts of its Ray write there still.
        """
        lock = Lock(self.lock)
        deadline = time.monotonic() + _REMOVAL_PATIENCE
        while self.directory.exists() and time.monotonic() < deadline:
            if lock.try_acquire():
                shutil.rmtree(self.directory, ignore_errors=True)
                lock.release()
            elif await self._answers():
                return
            await asyncio.sleep(_PAUSE)

    async def _answers(self) -> bool:
        """Whether it takes connections."""
        try:
            _, writer = await asyncio.open_unix_connection(str(self.socket))
        except OSError:
            return False
        writer.close()
        return True

    def _start(self, pipes: ExitStack) -> subprocess.Popen[bytes]:
        """Start it; a head waits for a lease as long as the pipe that is added to `pipes` is open."""
        make_runtime_directory()
        kept = {name: value for name, value in os.environ.items() if name not in TAGS}
        read, write = os.pipe2(os.O_CLOEXEC)
        pipes.callback(os.close, write)
        try:
            with self.log.open("ab") as log:
                return subprocess.Popen(
                    [
                        *(sys.executable, "-m", self.module, str(self.directory), str(self.lock)),
                        *([self.cluster] if self.cluster else []),
                    ],
                    env={**kept, "NPU_LAUNCH_HOME": str(home())},
                    stdin=read,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    start_new_session=True,
                )
        finally:
            os.close(read)


def ray_directory(cluster: str | None = None) -> Path:
    """The private folder for sockets and session of Ray's head: a cluster's, or this user's on this machine alone."""
    return runtime_path() / (f"h{cluster[:_DIGITS]}" if cluster else "ray")


def head_service(cluster: str | None = None) -> Service:
    """Keeps the head: of a cluster's Ray, or of this user's on this machine alone."""
    files = cluster_directory(cluster) / "head" if cluster else machine_directory() / "ray-head"
    return _service("head", ray_directory(cluster), files, cluster)


def node_service(cluster: str) -> Service:
    """Keeps this host's part in the Ray of a cluster whose head is elsewhere."""
    return _service("node", runtime_path() / f"n{cluster[:_DIGITS]}", cluster_directory(cluster) / "node", cluster)


def _service(name: str, directory: Path, files: Path, cluster: str | None) -> Service:
    return Service(
        module=f"launcher.supervise.on_ray.{name}",
        directory=directory,
        socket=directory / f"{name}.sock",
        lock=files.with_suffix(".lock"),
        log=files.with_suffix(".log"),
        cluster=cluster,
    )


def _checked(answer: dict[str, object]) -> dict[str, object]:
    if "error" in answer:
        raise InfrastructureError(str(answer["error"]), remedy="the run itself needs no Ray to go on")
    return answer
