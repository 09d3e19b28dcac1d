"""This user's folders, on this machine and for all of them, and how a file gets into them whole."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

from launcher.errors import InfrastructureError


def home() -> Path:
    """Where this user's runs and caches live: NPU_LAUNCH_HOME, or ~/.npu-launch."""
    return Path(os.environ.get("NPU_LAUNCH_HOME") or "~/.npu-launch").expanduser().absolute()


def cache_directory() -> Path:
    """What is worth keeping between runs, and may be removed at any time."""
    path = home() / "cache"
    make_directory(path)
    return path


def machine_directory() -> Path:
    """What is this machine's alone, in a home that several machines may share: locks and logs of what runs here."""
    path = machine_path()
    make_directory(path)
    return path


def machine_path() -> Path:
    """Where that is. Machines that share a home are told apart by their names (`uname -n`)."""
    return home() / "machines" / os.uname().nodename


def runtime_path(of: Path | None = None) -> Path:
    """A short, private folder for sockets and tokens of a home (default: ours), there as long as one is needed.

    Short, because a unix socket's path holds 107 bytes and Ray appends 62 of its own; in /tmp whatever TMPDIR says,
    because every terminal of this user has to find it. One per NPU_LAUNCH_HOME, so that homes share nothing.
    """
    tag = hashlib.sha256(str(of or home()).encode()).hexdigest()[:6]
    return Path(f"/tmp/npu-launch-{os.getuid()}-{tag}")  # noqa: S108 - made private, and checked to be


def make_runtime_directory() -> Path:
    """Make that folder. Raises InfrastructureError when somebody else made it."""
    path = runtime_path()
    make_directory(path)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise InfrastructureError(
            "the folder for sockets is not a private folder of yours",
            where=str(path),
            expected="a folder that you own, with mode 0700",
            remedy="remove it, or have its owner remove it",
        )
    return path


def remove_runtime_directory() -> None:
    """Remove the folder for sockets, unless somebody has one there still."""
    with suppress(OSError):
        runtime_path().rmdir()


def write_file(path: Path, text: str) -> None:
    """Write a file whole or not at all (mode 0600), making its folder.

    Raises InfrastructureError naming the path and the remedy.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise unwritable(path, error) from error


def make_directory(path: Path) -> None:
    """Make a folder and those above it that are missing, all of them private. Raises InfrastructureError."""
    if not path.parent.exists():
        make_directory(path.parent)
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> InfrastructureError:
    """What to say of a place that cannot be written to."""
    return InfrastructureError(
        f"cannot write: {error.strerror or error}",
        where=str(path),
        expected="a folder you may write to, with room left",
        remedy="free some space or mend the permissions, or set NPU_LAUNCH_HOME to another folder",
    )
