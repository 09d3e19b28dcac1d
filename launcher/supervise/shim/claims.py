"""Claims: locks on files that stand for devices and ports, in a folder that all users of a machine share.

The kernel gives a claim back when the last process that has the file open ends, however it ends (flock(2)). What is
written in the file only names the holder to people. Files are never removed: whoever had the old one open would hold a
lock that nobody else sees.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from typing import Any

_OPEN = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_TEXT = 4096  # bytes that a holder's line may have


class Claims:
    """What this process has claimed: paths of files, and descriptors that hold their locks."""

    def __init__(self, inherited: dict[str, int] | None = None) -> None:
        self._held = dict(inherited or {})
        self._signed: set[str] = set()
        for descriptor in self._held.values():
            os.set_inheritable(descriptor, False)

    def take(self, paths: list[str], run: str) -> str | None:
        """Claim those of `paths` that are not ours yet, in the name of a run; the first that another holds, or None.

        Raises OSError when a file cannot be opened, or the folder is not fit.
        """
        for path in paths:
            if path not in self._held:
                descriptor = try_claim(path)
                if descriptor is None:
                    return path
                self._held[path] = descriptor
            if path not in self._signed:
                sign(self._held[path], run)
                self._signed.add(path)
        return None

    def keep_only(self, paths: list[str]) -> None:
        """Give back what is not among `paths`."""
        for path in self._held.keys() - set(paths):
            self._signed.discard(path)
            os.close(self._held.pop(path))


def try_claim(path: str) -> int | None:
    """A descriptor that holds the lock of this file from now on; None when somebody else does. Raises OSError."""
    while True:
        descriptor = open_claim(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_there(descriptor, path):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # somebody has removed the file meanwhile


def is_claimed(path: str) -> bool:
    """Whether somebody holds the lock of this file now; makes nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def sign(descriptor: int, run: str | None) -> None:
    """Write into a claimed file who holds it; a disk that is full changes nothing about the lock."""
    holder = {"uid": os.getuid(), "pid": os.getpid(), "run": run, "since": int(time.time())}
    line = json.dumps(holder).encode() + b"\n"
    try:
        os.pwrite(descriptor, line, 0)
        os.ftruncate(descriptor, len(line))
    except OSError:
        return


def read_holder(path: str) -> dict[str, Any]:
    """What the last holder wrote; anybody can write there, so it may be anything, or nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = json.loads(os.read(descriptor, _TEXT))
        finally:
            os.close(descriptor)
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def make_folder(path: str) -> None:
    """Make the folder of claims, where everybody may add files and nobody may remove another's (mode 1777).

    Raises OSError when something else is there, or it cannot be used by us.
    """
    if not os.path.lexists(path):
        fresh = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
        os.mkdir(fresh, 0o700)
        os.chmod(fresh, 0o1777)  # noqa: S103 - everybody's on purpose
        try:
            os.rename(fresh, path)  # it appears with its mode, or another's is there already
        except OSError:
            os.rmdir(fresh)
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(20, "it is no folder", path)
    if status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX:
        raise PermissionError(1, "others may remove files there", path)
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise PermissionError(13, "you may not write there", path)


def open_claim(path: str) -> int:
    """Open a file of claims, which is made with its mode or not at all. Raises OSError.

    It is opened without O_CREAT: in a folder such as ours the kernel refuses that for another user's file
    (fs.protected_regular).
    """
    while True:
        try:
            descriptor = os.open(path, _OPEN)
        except FileNotFoundError:
            _create(path)
            continue
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        raise OSError(22, "it is no file", path)


def _create(path: str) -> None:
    make_folder(os.path.dirname(path))
    fresh = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
    descriptor = os.open(fresh, _OPEN | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.fchmod(descriptor, 0o666)
        os.link(fresh, path)
    except FileExistsError:
        return
    finally:
        os.close(descriptor)
        os.unlink(fresh)


def _is_there(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False
