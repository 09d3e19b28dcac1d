"""The lines of one growing file: all of them, once, from an offset on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from launcher.logs.gaps import read_stored
from launcher.logs.packed import existing, open_log

_READ_AT_ONCE = 1 << 20
_LINE_LIMIT = 1 << 18
_BLOCK = 1 << 16
_LEAST_SEARCHED = 1 << 20  # bytes of the end of a file in which its last lines are looked for
_SEARCHED_PER_LINE = 1 << 12


class Place(NamedTuple):
    """An offset in a file, which is the same file (`file_id`, its inode; 0: unknown) whatever its name becomes."""

    offset: int
    file_id: int


class Tail:
    """Reads what has been appended to a file since the last call.

    The file may not exist yet, shrink (then its new content is read from the start) or be replaced by another (then
    the rest of the old one comes first). The beginning of a line is kept back until its end is there, or until
    `finish`. Of a line longer than 256 KiB the middle is left out, and the line says so.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._path = path
        self._offset = offset
        self._fd: int | None = None
        self._partial = bytearray()
        self._left_out = 0

    @property
    def folder(self) -> Path:
        """Where the file is, or will be."""
        return self._path.parent

    @property
    def place(self) -> Place:
        """Where the first line begins that was not given yet."""
        file_id = 0 if self._fd is None else os.fstat(self._fd).st_ino
        return Place(self._offset - len(self._partial) - self._left_out, file_id)

    @property
    def last_state(self) -> bytes:
        """What the line that has no end yet shows on a terminal: the last whole state of a progress bar; else empty."""
        end = self._partial.rfind(b"\r")
        begin = self._partial.rfind(b"\r", 0, max(end, 0)) + 1
        return bytes(self._partial[begin : max(end, 0)])

    def read(self) -> list[bytes]:
        """New whole lines without their ends, at most about 1 MiB of them; an empty list when there is nothing new.

        An empty list is not returned while whole lines are there to be read.
        """
        while self._fd is not None or self._open():
            if lines := self._truncated() or self._take(self._read_block()):
                return lines
            if self._behind():
                continue
            if not self._replaced():
                return []
            lines = self.finish()
            self.close()
            self._offset = 0
            if lines:
                return lines
        return []

    def finish(self) -> list[bytes]:
        """The last line when it has no end: nobody will write one any more."""
        if not self._partial and not self._left_out:
            return []
        return [self._whole_line()]

    def close(self) -> None:
        """Let go of the file; a later `read` opens it again at the same place."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _open(self) -> bool:
        try:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        return True

    def _read_block(self) -> bytes:
        if self._fd is None:
            return b""
        try:
            begin, data = read_stored(self._fd, _READ_AT_ONCE, self._offset)
        except OSError:  # a stale NFS handle, say: opened anew the next time
            self.close()
            return b""
        torn = begin > self._offset and bool(self._partial)  # the end of that line was freed before it was read
        self._offset = begin + len(data)
        return b"\n" + data if torn else data

    def _take(self, data: bytes) -> list[bytes]:
        """Split into whole lines; what follows the last line end is kept back."""
        *whole, rest = data.split(b"\n")
        lines = []
        for piece in whole:
            if self._partial or self._left_out or len(piece) > _LINE_LIMIT:
                self._keep(piece)
                lines.append(self._whole_line())
            else:
                lines.append(piece)
        self._keep(rest)
        return lines

    def _keep(self, piece: bytes) -> None:
        self._partial += piece
        excess = len(self._partial) - _LINE_LIMIT
        if excess > 0:
            middle = _LINE_LIMIT // 2
            del self._partial[middle : middle + excess]
            self._left_out += excess

    def _whole_line(self) -> bytes:
        line = bytes(self._partial)
        if self._left_out:
            middle = _LINE_LIMIT // 2
            line = line[:middle] + _left_out(self._left_out) + line[middle:]
        self._partial.clear()
        self._left_out = 0
        return line

    def _behind(self) -> bool:
        try:
            return self._fd is not None and os.fstat(self._fd).st_size > self._offset
        except OSError:
            return False

    def _truncated(self) -> list[bytes]:
        """When the file has become shorter: start over, and give the line that its writer will not end any more."""
        try:
            if self._fd is None or os.fstat(self._fd).st_size >= self._offset:
                return []
        except OSError:
            self.close()
            return []
        self._offset = 0
        return self.finish()

    def _replaced(self) -> bool:
        """Whether the path leads to another file now. A file that is only gone may still be written to."""
        if self._fd is None:
            return False
        try:
            now, ours = self._path.stat(), os.fstat(self._fd)
        except OSError:
            return False
        return (now.st_dev, now.st_ino) != (ours.st_dev, ours.st_ino)


def file_id(path: Path) -> int:
    """What stays the same when a file is renamed; 0 when there is none."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def shortened(line: bytes) -> bytes:
    """A line of which the middle is left out when it is longer than 256 KiB, and which says so."""
    excess = len(line) - _LINE_LIMIT
    if excess <= 0:
        return line
    middle = _LINE_LIMIT // 2
    return line[:middle] + _left_out(excess) + line[middle + excess :]


def offset_of_last(path: Path, count: int) -> int:
    """Where the last `count` lines of a file begin, found from its end; 0 when it has no more or does not exist.

    A last line without an end counts. Of lines that are very long, such as a progress bar that never ends its line,
    those count that are near the end, or else a part of the last.
    """
    if count <= 0:
        return _size(path)
    try:
        file = path.open("rb", buffering=0)
    except OSError:
        return 0
    with file:
        end = file.seek(0, os.SEEK_END)
        missing = count
        position = end
        first = end - max(_LEAST_SEARCHED, count * _SEARCHED_PER_LINE)
        earliest = None
        while position > max(first, 0):
            start = max(0, position - _BLOCK)
            block = os.pread(file.fileno(), position - start, start)
            # The end of the very last line begins no other line.
            found = len(block) - 1 if position == end and block.endswith(b"\n") else len(block)
            while (found := block.rfind(b"\n", 0, found)) >= 0:
                missing -= 1
                earliest = start + found + 1
                if missing == 0:
                    return earliest
            position = start
    if position == 0:
        return 0
    return position if earliest is None else earliest


def last_lines(path: Path, count: int) -> list[bytes]:
    """The last `count` lines of a log, without reading the rest of it; an empty list when there is no such file."""
    if existing(path) not in (None, path):
        return _last_unpacked(path, count)
    tail = Tail(path, offset_of_last(path, count))
    lines: list[bytes] = []
    while block := tail.read():
        lines = [*lines, *block][-count:]
    lines += tail.finish()
    tail.close()
    return lines[-count:] if count > 0 else []


def _last_unpacked(path: Path, count: int) -> list[bytes]:
    """The last lines of a log that is compressed."""
    try:
        with open_log(path) as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - max(_LEAST_SEARCHED, count * _SEARCHED_PER_LINE)))
            lines = log.read().removesuffix(b"\n").split(b"\n")
    except OSError:
        return []
    return lines[-count:] if count > 0 else []


def _left_out(count: int) -> bytes:
    return b" ... [%d bytes left out] ... " % count


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
