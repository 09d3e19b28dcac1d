"""The process that keeps one Ray for this user on this machine, as long as somebody holds it.

Run as `python -m launcher.supervise.on_ray.head DIRECTORY LOCK`. It serves a unix socket; a connection that says `hold`
is a lease on Ray, and the kernel ends the lease when its holder dies. With no lease left, and nobody having asked Ray
to stay, Ray is ended and everything of it removed.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import secrets
import shutil
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from launcher.errors import InfrastructureError
from launcher.runs.record import Lock
from launcher.runs.store import make_runtime_directory, remove_runtime_directory
from launcher.supervise.on_ray.settings import ray_environment, session_directory, start_command, token_path

_START_TIMEOUT = 120.0  # seconds; a busy machine takes ten
_START_PAUSE = 0.05  # seconds between looks at whether Ray is up: it tells nobody
_TERM_GRACE = 1.0  # seconds between SIGTERM and SIGKILL
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


class Head:
    """Serves leases on one Ray."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ready: asyncio.Future[Any] = asyncio.get_running_loop().create_future()  # of the address, a str
        self._ray: asyncio.subprocess.Process | None = None
        self._said = b""
        self._holders = 0
        self._stay = False
        self._over = asyncio.Event()

    async def serve(self) -> None:
        """Start Ray, answer until nobody needs it, end it."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._over.set)
        server = await asyncio.start_unix_server(self._on_connection, str(self._directory / "head.sock"))
        starting = asyncio.create_task(self._start_ray())
        starter = os.dup(0)  # a pipe that its starter holds until it has a lease
        loop.add_reader(starter, self._on_starter_gone, starter)
        try:
            await self._over.wait()
        finally:
            server.close()
            (self._directory / "head.sock").unlink(missing_ok=True)
            starting.cancel()
            await self._end_ray()

    # -- leases ----------------------------------------------------------------------------------------------------

    async def _on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        op = ""
        with suppress(OSError, ValueError, KeyError, TypeError):
            op = str(json.loads(await reader.readline())["op"])
        if self._over.is_set():  # no answer: whoever asks starts the next head
            writer.close()
            return
        self._holders += op == "hold"
        try:
            if op == "release":
                self._stay = False
                await _answer(writer, {"holders": self._holders})
            elif op in ("hold", "stay"):
                closed: asyncio.Future[Any] = asyncio.ensure_future(reader.read())  # the other side closed, or died
                await asyncio.wait([closed, self._ready], return_when=asyncio.FIRST_COMPLETED)
                if not closed.done():
                    await _answer(writer, self._address_or_error())
                    self._stay |= op == "stay"
                if op == "hold":
                    await closed
        except OSError:
            pass
        finally:
            self._holders -= op == "hold"
            writer.close()
            self._end_if_unused()

    def _on_starter_gone(self, starter: int) -> None:
        asyncio.get_running_loop().remove_reader(starter)
        self._end_if_unused()

    def _end_if_unused(self) -> None:
        if not self._holders and not self._stay:
            self._over.set()

    def _address_or_error(self) -> dict[str, str]:
        error = self._ready.exception()
        return {"address": self._ready.result()} if error is None else {"error": str(error)}

    # -- Ray ---------------------------------------------------------------------------------------------------------

    async def _start_ray(self) -> None:
        try:
            await self._run_ray()
        except OSError as error:
            self._fail(str(error))
        self._over.set()  # Ray has ended, or never began: the next lease starts another

    async def _run_ray(self) -> None:
        gcs, agent, dashboard, metrics = _free_ports(4)
        token = os.open(token_path(self._directory), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.write(token, secrets.token_hex(32).encode())
        os.close(token)
        environment = ray_environment(self._directory)
        environment["DASHBOARD_METRIC_PORT"] = str(metrics)  # a fixed port on every address otherwise
        self._ray = await asyncio.create_subprocess_exec(
            *start_command(sys.executable, self._directory, (gcs, agent, dashboard)),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        listening = asyncio.create_task(self._listen())
        address = session_directory(self._directory) / "ray_current_cluster"  # written when all parts of Ray are up
        deadline = asyncio.get_running_loop().time() + _START_TIMEOUT
        while not _text(address) and not listening.done() and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_START_PAUSE)
        if _text(address):
            self._ready.set_result(_text(address))
        else:
            self._fail(*self._last_words())
        await listening

    def _fail(self, *words: str) -> None:
        self._ready.set_exception(InfrastructureError("\n".join(["Ray did not start:", *words])))

    async def _listen(self) -> None:
        """Keep the last of what `ray start` says, until it ends."""
        assert self._ray is not None and self._ray.stdout is not None
        while data := await self._ray.stdout.read(4096):
            self._said = (self._said + data)[-16384:]

    def _last_words(self) -> list[str]:
        return self._said.decode(errors="replace").strip().splitlines()[-8:] or ["it said nothing"]

    async def _end_ray(self) -> None:
        """SIGTERM, a moment, SIGKILL to everything below this process, then remove what Ray wrote."""
        if self._ray is not None:
            with suppress(ProcessLookupError):
                self._ray.terminate()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._ray.wait(), _TERM_GRACE)
        while pids := _children():
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.02)
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
        shutil.rmtree(session_directory(self._directory), ignore_errors=True)
        token_path(self._directory).unlink(missing_ok=True)


async def _answer(writer: asyncio.StreamWriter, message: object) -> None:
    writer.write(json.dumps(message).encode() + b"\n")
    await writer.drain()


def _end_with_parent() -> None:
    """Have the kernel send SIGTERM when this head dies, however it dies: `ray start` then ends all parts of Ray."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _children() -> list[int]:
    """Every living process below this one: it is their subreaper, so orphans stay below it too."""
    import psutil

    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def _text(path: Path) -> str:
    """What a file says, or nothing when it is not there yet."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on right now, all different."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def main() -> None:
    """Entry point: DIRECTORY LOCK. Standard input is a pipe from whoever starts it. A second head ends at once."""
    directory, lock_path = map(Path, sys.argv[1:])
    lock = Lock(lock_path)
    if not lock.try_acquire():
        return
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    make_runtime_directory()
    directory.mkdir(mode=0o700, exist_ok=True)
    shutil.rmtree(session_directory(directory), ignore_errors=True)  # of a head that was killed

    async def serve() -> None:
        await Head(directory).serve()

    asyncio.run(serve())
    with suppress(OSError):
        directory.rmdir()
    remove_runtime_directory()


if __name__ == "__main__":
    main()
