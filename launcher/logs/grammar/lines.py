"""The lines of a log from one offset to another, however long they are, in little memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from launcher.logs.packed import open_log

# Of a longer line the middle is left out, and the line says so.
MOST_PER_LINE = 1 << 18

_HALF = MOST_PER_LINE // 2
_BLOCK = 1 << 20


class Line(NamedTuple):
    """A line without its end, shortened if need be, and the offset in its log where it begins, in bytes."""

    offset: int
    content: bytes


def shortened(line: bytes) -> bytes:
    """A line of at most about `MOST_PER_LINE` bytes: itself, or its beginning and its end."""
    return line if len(line) <= MOST_PER_LINE else _cut(line[:_HALF], len(line) - 2 * _HALF, line[-_HALF:])


def lines_of(path: Path, begin: int = 0, end: int | None = None) -> Iterator[Line]:
    """The lines that begin in a log at `begin` or later and before `end`. A gap in it ends a line. Raises OSError."""
    if end is not None and begin >= end:
        return
    with open_log(path) as file:
        if begin:
            file.seek(begin)
        unended: _Unended | None = None
        offset = begin  # of the next byte
        while block := file.read(_BLOCK):
            at = file.tell() - len(block)
            if at != offset and unended is not None:
                yield unended.line()
                unended = None
            offset = at
            *whole, rest = block.split(b"\n")
            for piece in whole:
                if unended is not None:
                    unended.add(piece)
                    yield unended.line()
                    unended = None
                elif end is None or offset < end:
                    yield Line(offset, shortened(piece))
                offset += len(piece) + 1
                if end is not None and offset >= end:
                    return
            if rest:
                unended = unended or _Unended(offset)
                unended.add(rest)
                offset += len(rest)
        if unended is not None:
            yield unended.line()


class _Unended:
    """A line whose end has not been read yet."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._head = b""
        self._left_out = 0
        self._tail = b""

    def add(self, piece: bytes) -> None:
        if not self._left_out and len(self._head) + len(piece) <= MOST_PER_LINE:
            self._head += piece
            return
        self._tail = self._head[_HALF:] + self._tail + piece
        self._head = self._head[:_HALF]
        self._left_out += max(len(self._tail) - _HALF, 0)
        self._tail = self._tail[-_HALF:]

    def line(self) -> Line:
        return Line(self._offset, _cut(self._head, self._left_out, self._tail) if self._left_out else self._head)


def _cut(head: bytes, left_out: int, tail: bytes) -> bytes:
    return head + b" ... [%d bytes left out] ... " % left_out + tail
