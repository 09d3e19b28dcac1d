"""Writes a log anew, compressed, so that at any moment all of it is there: as it was, or as it shall be."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path

from launcher.logs.cut_text import cut_text
from launcher.logs.packed import COMPRESSED, open_log

PARTIAL = ".partial"
"""What the name of a file ends with besides while it is written; such a file is worth nothing after a crash."""

_PIECE = 1 << 20
_SCAN_SECONDS = 60.0  # in which errors of a log that is cut are looked for


def pack(path: Path) -> None:
    """Compress a log. One that changes meanwhile is left as it is. Raises OSError."""
    with open_log(path) as log:
        _replace(path, _all(log))


def pack_cut(path: Path, most: int) -> None:
    """Compress a log, whatever form it lies in, and keep `most` bytes of its text. Raises OSError."""
    _replace(path, cut_text(path, most, None, time.monotonic() + _SCAN_SECONDS))


def _all(log: io.BufferedReader) -> Iterator[bytes]:
    while piece := log.read(_PIECE):
        yield piece


def _replace(path: Path, pieces: Iterator[bytes]) -> None:
    """Write, make sure of it, rename, and only then remove what was there before."""
    from launcher.logs.frames import compress  # zstandard takes its time

    before = path.stat()
    target = path if path.suffix == COMPRESSED else path.with_name(path.name + COMPRESSED)
    partial = target.with_name(target.name + PARTIAL)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            compress(pieces, file)
            file.flush()
            os.fsync(file.fileno())
        after = path.stat()
        if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
            return
        os.utime(partial, ns=(before.st_atime_ns, before.st_mtime_ns))
        partial.replace(target)
        _sync(target.parent)
        if target != path:
            path.unlink()
    finally:
        partial.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
