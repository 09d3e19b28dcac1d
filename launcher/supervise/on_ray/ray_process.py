"""One `ray start --block`: its start, its end, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from launcher.errors import InfrastructureError
from launcher.hosts.tagged import DIRECTORY_TAG
from launcher.supervise.on_ray.ports_taken import wait_until_free
from launcher.supervise.on_ray.settings import session_directory
from launcher.supervise.on_ray.terms import Terms, address
from launcher.supervise.patience import within

_START_TIMEOUT = 120.0  # seconds; a busy machine takes ten
_START_PAUSE = 0.05  # seconds between looks at whether Ray is up: it tells nobody
_LIFE_PAUSE = 1.0  # seconds between looks at whether it is up still
_TERM_GRACE = 1.0  # seconds between SIGTERM and SIGKILL
_KILL_PAUSE = 0.02  # seconds between looks at whether all are dead
_WORDS = 8  # lines
_VITAL = ("gcs_server", "raylet")
_PR_SET_PDEATHSIG = 1


INVALID_TOKEN = "InvalidAuthToken"  # noqa: S105 - what ray.exceptions.AuthenticationError says
_MISMATCH = re.compile(  # what ray._private.utils.check_version_info says
    r"Version mismatch:.*?Ray: (\S+)\s+Python: (\S+)\s+This process.*?Ray: (\S+)\s+Python: (\S+)", re.DOTALL
)


class OtherVersion(InfrastructureError):
    """This host's Ray or Python is another than the head's; that does not pass by itself."""


class Refused(InfrastructureError):
    """What listens where the head should is the Ray of somebody else, or of another time: it wants another token."""


class RayProcess:
    """Keeps one Ray at a time below this process, which has to be the subreaper of what it starts."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ray: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._said = b""  # the last of it

    async def start(self, terms: Terms) -> str:
        """Return when all parts of Ray are up; the address of its head.

        Raises InfrastructureError with Ray's last words when it does not come up, PortTaken, OtherVersion and Refused.
        """
        await wait_until_free(terms.ports)
        self._said = b""
        try:
            self._ray = await asyncio.create_subprocess_exec(
                *terms.argv,
                env=terms.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )
        except OSError as error:
            raise InfrastructureError(f"Ray did not start:\n{error}") from error
        self._listening = asyncio.create_task(self._listen())
        up = session_directory(self._directory) / "ray_current_cluster"  # written when all parts of Ray are up
        deadline = asyncio.get_running_loop().time() + _START_TIMEOUT
        while not _text(up) and not self._listening.done() and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_START_PAUSE)
        if not _text(up):
            raise self._failure(terms)
        return _text(up)

    async def ended(self) -> None:
        """Return when Ray, or a part of it without which it is none, has ended.

        `ray start` itself passes over parts that end in good order, as they do when the head calls them dead.
        """
        assert self._ray is not None and self._listening is not None
        vital = [part for part in _parts_below(psutil.Process()) if part.name() in _VITAL]
        while not self._listening.done() and all(map(_lives, vital)):
            await asyncio.wait({self._listening}, timeout=_LIFE_PAUSE)
            self._reap()

    async def end(self) -> None:
        """SIGTERM, a moment, SIGKILL to every part that is left, then remove what Ray wrote.

        The shims of runs, which an agent may have started, are no parts of it, nor is anything below them.
        """
        if self._ray is not None:
            with suppress(ProcessLookupError):
                os.kill(self._ray.pid, signal.SIGTERM)  # Popen's own would take its exit code from who waits for it
            with suppress(asyncio.TimeoutError):
                await within(self._ray.wait(), _TERM_GRACE)
        while parts := [*self._left(), *_parts_below(psutil.Process())]:
            for part in parts:
                with suppress(psutil.NoSuchProcess):
                    part.kill()
            await asyncio.sleep(_KILL_PAUSE)
        if self._ray is not None:
            await self._ray.wait()
            self._ray = None
        if self._listening is not None:
            self._listening.cancel()
        self._reap()
        shutil.rmtree(session_directory(self._directory), ignore_errors=True)

    def _left(self) -> Iterator[psutil.Process]:
        """Parts of a Ray in the same folder whose keeper was killed: they linger for a minute, and have our ports.

        All have logs open there. (Of their environment nothing is left once they have given themselves a title.)
        """
        here = session_directory(self._directory)
        for process in psutil.process_iter():
            if _has_open(process, here) and DIRECTORY_TAG not in _environment(process) and _lives(process):
                yield process

    def _reap(self) -> None:
        """Take note of what has ended below this process, but for `ray start`, whose end is waited for elsewhere."""
        with suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if self._ray is not None and ended.si_pid == self._ray.pid:
                    return
                os.waitpid(ended.si_pid, 0)

    def _failure(self, terms: Terms) -> InfrastructureError:
        """Why `ray start` did not come up, by its last words."""
        said = self._said.decode(errors="replace").strip()
        if (mismatch := other_version(said, "the head")) is not None:
            return mismatch
        if INVALID_TOKEN in said:
            return Refused(
                "what answers at the head's address does not take the token of this cluster",
                where=address(*terms.head),
                expected="the Ray of this cluster",
                remedy="end that Ray (npu-launch down with the spec of its hosts), then up again",
            )
        return InfrastructureError(
            "\n".join(["Ray did not start:", *(said.splitlines()[-_WORDS:] or ["it said nothing"])])
        )

    async def _listen(self) -> None:
        """Keep the last of what `ray start` says, until it ends."""
        assert self._ray is not None and self._ray.stdout is not None
        while data := await self._ray.stdout.read(4096):
            self._said = (self._said + data)[-16384:]


def other_version(said: str, theirs: str) -> OtherVersion | None:
    """What Ray's last words say of versions that differ, if that is what they are about."""
    if (found := _MISMATCH.search(said)) is None:
        return None
    return OtherVersion(
        "{} has Ray {} on Python {}, this host Ray {} on Python {}".format(theirs, *found.groups()),
        where=sys.executable,
        expected="the same release of Ray and of Python, which may differ in its last number only",
        remedy="have npu-launch up bring the environment (without `python` in the spec), or install the same",
    )


def _end_with_parent() -> None:
    """Have the kernel send SIGTERM when the parent dies, however it dies: `ray start` then ends all parts of Ray."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _parts_below(process: psutil.Process) -> Iterator[psutil.Process]:
    """Every living process below one, but for shims of runs and what is below them."""
    with suppress(psutil.NoSuchProcess):
        for child in process.children():
            if DIRECTORY_TAG not in _environment(child):
                yield from _parts_below(child)
                if _lives(child):
                    yield child


def _has_open(process: psutil.Process, below: Path) -> bool:
    """Whether a process has a file open below a folder; False where that is not ours to see."""
    with suppress(OSError):
        for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
            with suppress(OSError):
                if descriptor.readlink().is_relative_to(below):
                    return True
    return False


def _environment(process: psutil.Process) -> Mapping[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _text(path: Path) -> str:
    """What a file says, or nothing when it is not there yet."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
