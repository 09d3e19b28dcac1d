"""What is to be gathered on a host, and what it holds: functions to call there, through `HostLink.there` or ssh."""

from __future__ import annotations

import os
import stat
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from launcher.logs.error_places import error_places
from launcher.logs.gaps import GapReader

_SCAN_SECONDS = 10.0  # for all files that are cut; errors further on than that are not the first ones


class Found(NamedTuple):
    """A file that may be gathered."""

    path: str
    size: int


class Wanted(NamedTuple):
    """Some bytes of a file."""

    path: str
    offset: int
    length: int


class Bytes(NamedTuple):
    """What of each wanted piece there was, one after the other, compressed; `lengths` are those of the pieces."""

    lengths: tuple[int, ...]
    compressed: bytes


def listing(paths: Sequence[str], left_out: Sequence[str] = ()) -> tuple[Found, ...]:
    """The files at these paths and below them, but for entries with a name that is left out; no links are followed."""
    return tuple(found for path in paths for found in _below(Path(path), frozenset(left_out)))


def first_errors(files: Sequence[tuple[Found, int]]) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Where the first errors of each file are, with the lines around them: so many bytes of each file at most."""
    deadline = time.monotonic() + _SCAN_SECONDS
    return tuple(tuple(_errors(found, most, deadline)) for found, most in files)


def read_pieces(wanted: Sequence[Wanted]) -> Bytes:
    """What these pieces hold; less than was wanted where the file has less by now, or cannot be read."""
    pieces = [_read(piece) for piece in wanted]
    return Bytes(tuple(map(len, pieces)), zlib.compress(b"".join(pieces), 1))


def _below(path: Path, left_out: frozenset[str]) -> Iterator[Found]:
    try:
        status = path.lstat()
        if stat.S_ISREG(status.st_mode):
            yield Found(str(path), status.st_size)
        elif stat.S_ISDIR(status.st_mode):
            for entry in sorted(path.iterdir()):
                if entry.name not in left_out:
                    yield from _below(entry, left_out)
    except OSError:
        return  # it is gone, or not for us


def _errors(found: Found, most: int, deadline: float) -> Iterator[tuple[int, int]]:
    try:
        with GapReader(os.open(found.path, os.O_RDONLY | os.O_CLOEXEC)) as file:
            yield from error_places(file, found.size, most, deadline)
    except OSError:
        return


def _read(piece: Wanted) -> bytes:
    try:
        descriptor = os.open(piece.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.pread(descriptor, piece.length, piece.offset)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
