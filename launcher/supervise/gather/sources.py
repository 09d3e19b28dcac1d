"""What is to be gathered on a host, and what it holds: functions to call there, through `HostLink.there` or ssh."""

from __future__ import annotations

import os
import re
import stat
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

_SIGNS = (b"ERROR", b"CRITICAL", b"FATAL", b"Traceback", b"Error:", b"Exception:")
_ERROR = re.compile(b"|".join(_SIGNS))
_LINES_BEFORE, _LINES_AFTER = 3, 6  # that are kept around an error ...
_MOST_AROUND = 1 << 14  # ... and bytes to either side, for lines may have no end
_BLOCK = 1 << 20
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
    at = kept = 0
    try:
        with Path(found.path).open("rb") as file:
            while at < found.size and kept < most and time.monotonic() < deadline:
                block = file.read(_BLOCK)
                block += file.readline(_MOST_AROUND)
                for begin, end in _around_errors(block):
                    yield at + begin, at + end
                    kept += end - begin
                    if kept >= most:
                        break
                at += len(block) or found.size
    except OSError:
        return


def _around_errors(block: bytes) -> Iterator[tuple[int, int]]:
    """Where errors are in whole lines, with the lines around them; those that touch are one."""
    if not any(sign in block for sign in _SIGNS):  # much faster than to search for any of them
        return
    last = (0, 0)
    for match in _ERROR.finditer(block):
        begin, end = match.span()
        for _ in range(_LINES_BEFORE + 1):
            begin = max(block.rfind(b"\n", 0, begin), 0)
        for _ in range(_LINES_AFTER + 1):
            end = block.find(b"\n", end) + 1 or len(block)
        begin = max(begin + (block[begin : begin + 1] == b"\n"), match.start() - _MOST_AROUND)
        end = min(end, match.end() + _MOST_AROUND)
        if begin <= last[1]:
            last = (last[0], max(end, last[1]))
        else:
            if last[1]:
                yield last
            last = (begin, end)
    if last[1]:
        yield last


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
