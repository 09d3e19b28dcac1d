"""How a host is reached: one way to run a command there and to carry files, whether it is this machine or another."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from launcher.errors import InfrastructureError

_FOLDER_MODE: Final = 0o700


@dataclass(frozen=True)
class Answer:
    """What a command said. `code` is None when it did not run to its end, and `problem` says why.

    A code below 0 is the signal that ended it, as in `subprocess`. A program that is not there is a problem on this
    machine, and over ssh the 127 of the shell there.
    """

    code: int | None
    stdout: bytes = b""
    stderr: bytes = b""
    problem: str = ""


class Reach(Protocol):
    """A way to one host. It is used by one thread at a time."""

    def run(self, argv: Sequence[str], *, input: bytes = b"", timeout: float) -> Answer:
        """Run a command to its end, or end it, with its process group, after so many seconds from now.

        Raises InfrastructureError when the host cannot be reached: which is not the same as a command that failed.
        """
        ...

    def put(self, content: bytes | Path, path: str, *, mode: int = 0o600, timeout: float) -> None:
        """Write a file there, from bytes or a file here, whole or not at all, and the folders on the way (0700).

        A relative path begins at the user's home. Raises InfrastructureError.
        """
        ...

    def get(self, path: str, to: Path, *, timeout: float) -> None:
        """Fetch a file into one here (0600), whole or not at all. Raises InfrastructureError."""
        ...

    def close(self) -> None:
        """Let go of the connection, if there is one."""
        ...


@dataclass(frozen=True)
class ThisMachine:
    """The machine that we run on; `environment` is added to our own."""

    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, argv: Sequence[str], *, input: bytes = b"", timeout: float) -> Answer:
        """Run a command in a process group of its own, which ends whole when the time is over."""
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        except OSError as error:
            return Answer(None, problem=f"{argv[0]}: {error.strerror}")
        with process:
            try:
                stdout, stderr = process.communicate(input, timeout)
            except subprocess.TimeoutExpired:
                _kill(process)
                stdout, stderr = _what_was_said(process)
                return Answer(None, stdout, stderr, f"{argv[0]} did not end within {timeout:g} s")
            except BaseException:  # an interrupt of ours does not reach its session
                _kill(process)
                raise
            return Answer(process.returncode, stdout, stderr)

    def put(self, content: bytes | Path, path: str, *, mode: int = 0o600, timeout: float) -> None:  # noqa: ARG002
        """Write a file, whole or not at all; a disk has no time limit. Raises InfrastructureError."""
        target = Path.home() / path
        if isinstance(content, bytes):
            _write(target, mode, lambda file: file.write(content))
        else:
            _copy(content, target, mode)

    def get(self, path: str, to: Path, *, timeout: float) -> None:  # noqa: ARG002
        """Copy a file, whole or not at all. Raises InfrastructureError."""
        _copy(Path.home() / path, to, 0o600)

    def close(self) -> None:
        """Nothing is held."""


def _copy(source: Path, target: Path, mode: int) -> None:
    try:
        with source.open("rb") as content:
            _write(target, mode, lambda file: shutil.copyfileobj(content, file))
    except OSError as error:
        raise InfrastructureError(
            f"cannot be read: {error.strerror}", where=str(source), remedy="look for the file and its permissions"
        ) from None


def _write(target: Path, mode: int, fill: Callable[[BinaryIO], object]) -> None:
    """Fill a file beside its place, with its mode from the start on, and move it there."""
    beside = target.with_name(f"{target.name}.{secrets.token_hex(4)}.new")
    try:
        for folder in reversed(target.parents):
            folder.mkdir(_FOLDER_MODE, exist_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            fill(file)
        beside.chmod(mode)
        beside.replace(target)
    except OSError as error:
        raise InfrastructureError(
            f"cannot be written: {error.strerror}",
            where=str(target),
            remedy="look at its folder's permissions, and for room on the disk",
        ) from None
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads its own group, with that group; one that was waited for has no id any more."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _what_was_said(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """The outputs of a process that was killed; a child that left its group may hold them open for ever."""
    try:
        return process.communicate(timeout=1)
    except subprocess.TimeoutExpired as error:
        return error.stdout or b"", error.stderr or b""
