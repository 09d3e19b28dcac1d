"""Files to and from a host by sftp; a file appears whole, with its mode, or not at all.

Importing this module imports paramiko.
"""

from __future__ import annotations

import io
import os
import posixpath
import secrets
from contextlib import suppress
from pathlib import Path

import paramiko

FOLDER_MODE = 0o700
_ASKED_AHEAD = 64  # pieces of 32 KiB: what is in flight is in memory


def put(sftp: paramiko.SFTPClient, content: bytes | Path, path: str, mode: int) -> None:
    """Write a file, from bytes or from a file here, and the folders on the way there (0700).

    A relative path begins at the user's home. The file is filled in a folder of its own beside its place (0700, so that
    nobody else opens it before it has its mode), and then moves there. Raises OSError and SSHException.
    """
    _make_folders(sftp, posixpath.dirname(path))
    folder = f"{path}.{secrets.token_hex(4)}.new"
    file = f"{folder}/file"
    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as source:
        sftp.mkdir(folder, FOLDER_MODE)
        try:
            sftp.putfo(source, file)  # and compares the sizes: a full disk may show nowhere else
            sftp.chmod(file, mode)
            sftp.posix_rename(file, path)
        except BaseException:
            with suppress(OSError, paramiko.SSHException, EOFError):
                sftp.remove(file)
            raise
        finally:
            with suppress(OSError, paramiko.SSHException, EOFError):
                sftp.rmdir(folder)


def get(sftp: paramiko.SFTPClient, path: str, to: Path) -> None:
    """Fetch a file into one here (0600), which appears when it is whole. Raises OSError, SSHException."""
    beside = to.with_name(f"{to.name}.{secrets.token_hex(4)}.new")
    to.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as target:
            sftp.getfo(path, target, max_concurrent_prefetch_requests=_ASKED_AHEAD)
        beside.replace(to)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _make_folders(sftp: paramiko.SFTPClient, folder: str) -> None:
    if folder in ("", "/"):
        return
    try:
        sftp.stat(folder)
    except FileNotFoundError:
        _make_folders(sftp, posixpath.dirname(folder))
        try:
            sftp.mkdir(folder, FOLDER_MODE)
        except OSError:
            sftp.stat(folder)  # another made it meanwhile; else this says what is wrong
