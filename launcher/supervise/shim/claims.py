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
                if is_claimed(path):  # nothing is opened for writing in vain: that would wake those who wait in line
                    return path
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
    """A descriptor that holds the lock of this file from now on; None when `is_claimed`. Raises OSError."""
    while True:
        try:
            descriptor = open_claim(path)
        except OSError:
            if os.path.lexists(path):  # the folder is fit, and what is there is not
                return None
            raise
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
    """Whether somebody holds the lock of this file now, or has put there what nobody can claim; makes nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    try:
        if _unfitness(descriptor, path) is not None or not os.access(path, os.W_OK):
            return True
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

    Raises OSError when something else is there, or it cannot be used by us. Who owns it, the first user or root, can
    remove any file there all the same, and so let a device be claimed twice: where users do not trust each other, root
    makes the folder.
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
        unfitness = _unfitness(descriptor, path)
        if unfitness is None:
            return descriptor
        os.close(descriptor)
        raise OSError(22, unfitness, path)


def _unfitness(descriptor: int, path: str) -> str | None:
    """Why an open file cannot be a claim, which we would write into; None when it can.

    It may have several names, because one that is being made has two (`_create`), but all in the folder of claims: a
    link to a file from elsewhere would have us write into that.
    """
    while True:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return "it is no file"
        if status.st_nlink <= 1 or _names_beside(path, status) >= status.st_nlink:
            return None
        if os.fstat(descriptor).st_nlink == status.st_nlink:
            return "it has another name elsewhere"


def _names_beside(path: str, status: os.stat_result) -> int:
    """How many names this file has in the folder of `path`."""
    found = 0
    with os.scandir(os.path.dirname(path)) as entries:
        for entry in entries:
            try:
                found += os.path.samestat(entry.stat(follow_symlinks=False), status)
            except FileNotFoundError:
                continue
    return found


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
