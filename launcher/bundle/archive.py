"""The archive itself: the same members give the same bytes, and only its owner may read it."""

from __future__ import annotations

import gzip
import io
import os
import re
import secrets
import tarfile
from collections.abc import Iterable
from pathlib import Path

from launcher.errors import UsageError

_UNSAFE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def packed(folder: str, members: Iterable[tuple[str, bytes]]) -> bytes:
    """A .tar.gz of these members, all below one folder, in the order of their names.

    No member has a name that leads out of it, or a character that a terminal would obey.
    """
    target = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=target, compresslevel=6, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for name, content in sorted(members):
            entry = tarfile.TarInfo(safe_name(f"{folder}/{name}"))
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def safe_name(name: str) -> str:
    """A name that stays below the folder where it is unpacked."""
    parts = [_UNSAFE.sub("_", part) for part in name.split("/") if part not in ("", ".")]
    return "/".join("_" if part == ".." else part for part in parts)


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all (mode 0600). Raises UsageError where that cannot be done."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"cannot be written: {error.strerror or error}",
            where=str(path),
            expected="a file in a folder that you may write to, with room left",
            remedy="npu-launch bundle -o FILE",
        ) from error
