"""Files with a gap: the middle was given back to the file system, and what is read there are zeros nobody wrote."""

from __future__ import annotations

import errno
import io
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BLOCK = 512  # bytes: the unit of st_blocks
_BUFFER = 1 << 20
_LEAST_GAP = 1 << 16  # bytes: a file system may keep a little less than a file's size without any gap


def stored_bytes(status: os.stat_result) -> int:
    """Bytes of disk that a file takes."""
    return status.st_blocks * _BLOCK


def has_gap(status: os.stat_result) -> bool:
    """Whether less of a file is stored than it is long, so that it is worth looking for gaps in it."""
    return status.st_size - stored_bytes(status) >= _LEAST_GAP


def read_stored(descriptor: int, size: int, offset: int) -> tuple[int, bytes]:
    """What a file holds from an offset on: where that begins, behind a gap perhaps, and up to `size` bytes of it.

    No bytes say that the file ends there. What is given spans no gap. Raises OSError.
    """
    data = os.pread(descriptor, size, offset)
    if b"\0" not in data:  # the usual case, at the cost of one call
        return offset, data
    try:
        begin = os.lseek(descriptor, offset, os.SEEK_DATA)
        end = os.lseek(descriptor, begin, os.SEEK_HOLE)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return offset, b""
    return begin, os.pread(descriptor, min(size, end - begin), begin)


class GapReader(io.BufferedReader):
    """A file read from anywhere, without its gaps: what comes to one goes on behind it.

    Offsets are those of the file, so a position is worth the same before and after its middle was given back; only the
    lengths of what was read do not add up over a gap. No read of a given size spans one: what it gave begins at
    `tell()` afterwards, less its length. The descriptor becomes its own.
    """

    def __init__(self, fd: int) -> None:
        super().__init__(_WithoutGaps(fd), _BUFFER)

    def read(self, size: int | None = -1, /) -> bytes:
        """All that is left, or up to `size` bytes that lie together."""
        return super().read() if size is None or size < 0 else super().read1(size)

    def seek(self, target: int, whence: int = os.SEEK_SET, /) -> int:
        """As of any file. What was read ahead is let go of, as it may come from the other side of a gap."""
        if whence == os.SEEK_CUR:
            target, whence = self.tell() + target, os.SEEK_SET
        end = super().seek(0, os.SEEK_END)
        return end + target if whence == os.SEEK_END and target == 0 else super().seek(target, whence)


class _WithoutGaps(io.RawIOBase):
    """What is stored of a file, in its order; no single read spans a gap."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self._position = 0

    def fileno(self) -> int:
        return self._fd

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, target: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: os.fstat(self._fd).st_size}[whence]
        if base + target < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._position = base + target
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        into = memoryview(buffer).cast("B")
        begin, data = read_stored(self._fd, len(into), self._position)
        into[: len(data)] = data
        self._position = begin + len(data)
        return len(data)

    def close(self) -> None:
        if not self.closed:
            os.close(self._fd)
        super().close()
