"""The beginning and the end of a log: what is read of it to find out whose it is."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import NamedTuple

from launcher.logs.packed import open_log
from launcher.logs.sources.rotation import PACKED

MOST = 1 << 18
"""Bytes that are read from either end of a file."""

_LEAST = 1 << 14
_ALL = 1 << 28  # bytes of all files together, as long as each gives its least


class Sample(NamedTuple):
    """The first bytes of a log, and the last ones where these are not among them; both of whole lines."""

    head: bytes
    tail: bytes = b""


def share(files: int) -> int:
    """How many bytes to read from either end of each of so many files."""
    return min(MOST, max(_LEAST, _ALL // (2 * max(1, files))))


def sample(path: Path, most: int) -> Sample:
    """Both ends of a log, `most` bytes of each, or the beginning of a compressed one; nothing if it cannot be read."""
    try:
        if path.suffix in PACKED:
            with open_log(path) as packed:
                return Sample(_whole_lines(packed.read(2 * most), 2 * most))
        with path.open("rb") as file:
            head = _whole_lines(file.read(most), most)
            size = file.seek(0, os.SEEK_END)
            begin = max(len(head), size - most)
            if begin >= size:
                return Sample(head)
            file.seek(begin)
            tail = file.read(most)
            return Sample(head, tail if begin == len(head) else tail[tail.find(b"\n") + 1 :])
    except (OSError, EOFError, zlib.error):
        return Sample(b"")


def _whole_lines(block: bytes, most: int) -> bytes:
    return block if len(block) < most else block[: block.rfind(b"\n") + 1] or block
