"""Frees the middle of a log that is still written to, so that a rank which floods it cannot fill the disk.

Whoever writes goes on at the end, as before: offsets stay what they were, and what was freed is a gap that takes no
room (fallocate(2), FALLOC_FL_PUNCH_HOLE: ext4, xfs, btrfs, tmpfs, NFS 4.2, Lustre since 2.14).
"""

from __future__ import annotations

import ctypes
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

from launcher.logs.cutting import Gap, Part, cut, note, room_for_errors
from launcher.logs.error_places import error_places
from launcher.logs.gaps import GapReader, stored_bytes

_PUNCH_HOLE, _KEEP_SIZE = 0x02, 0x01  # linux/falloc.h
_BLOCK = 1 << 12  # bytes: gaps begin and end where pages do, for nothing less can be freed
_SCAN_SECONDS = 60.0  # in which errors are looked for; those further on are not the first ones


def trim(path: Path, most: int) -> int:
    """Free the middle of a log of which more than `most` bytes are stored; how many were freed.

    Half of that is left: head, first errors and tail, with a note at the beginning of each gap. Raises OSError:
    EOPNOTSUPP where the file system can free no part of a file.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if stored_bytes(status) <= most:
            return 0
        room = most // 2
        with GapReader(os.dup(descriptor)) as file:
            deadline = time.monotonic() + _SCAN_SECONDS
            errors = list(error_places(file, status.st_size, room_for_errors(room), deadline))
        for gap in _page_wide(cut(status.st_size, room, errors, None)):
            _free(descriptor, gap)
        return stored_bytes(status) - stored_bytes(os.fstat(descriptor))
    finally:
        os.close(descriptor)


def _page_wide(parts: tuple[Part, ...]) -> Iterator[Gap]:
    """The gaps of a cut file, each narrowed to whole pages: one for its note, and at least one to be freed."""
    for part in parts:
        if isinstance(part, Gap):
            begin = -(-part.offset // _BLOCK) * _BLOCK
            end = (part.offset + part.length) // _BLOCK * _BLOCK
            if end - begin >= 2 * _BLOCK:
                yield Gap(begin, end - begin)


def _free(descriptor: int, gap: Gap) -> None:
    """Give back the pages of a gap but the first, which says so; the page was stored before, so a full disk has it."""
    _punch(descriptor, gap.offset + _BLOCK, gap.length - _BLOCK)
    said = note(gap, None)
    os.pwrite(descriptor, said[:-1].ljust(_BLOCK - 1) + b"\n", gap.offset)


def _punch(descriptor: int, offset: int, length: int) -> None:
    fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    while fallocate(descriptor, _PUNCH_HOLE | _KEEP_SIZE, offset, length) != 0:
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))
