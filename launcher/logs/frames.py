"""Compressed logs that can be read from anywhere: zstd in frames, and a table of them at the end.

The form is zstd's "seekable format": frames that each hold up to 4 MiB of text, then a skippable frame with the two
sizes of each. Any zstd reads it as one stream.
"""

from __future__ import annotations

import errno
import io
import os
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import zstandard

from launcher.logs.forwards import ForwardReader

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

FRAME = 1 << 22
"""Bytes of text in one frame: what is unpacked at most to read one line."""

_LEVEL = 3
_SKIPPABLE = struct.Struct("<II")  # magic number, size of what follows
_SKIPPABLE_MAGIC = 0x184D2A5E
_ENTRY = struct.Struct("<II")  # compressed size, size of the text
_FOOTER = struct.Struct("<IBI")  # number of frames, descriptor, magic number
_FOOTER_MAGIC = 0x8F92EAB1
_LARGEST_FRAME = 1 << 26  # bytes: what a table may ask for at most


class _Table(NamedTuple):
    """Where each frame begins: in the file, and in the text; each list ends with where the last one ends."""

    stored: list[int]
    text: list[int]


def compress(pieces: Iterable[bytes], target: BinaryIO) -> None:
    """Write a log, piece by piece, as frames with their table."""
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True, write_content_size=True)
    entries = bytearray()
    for block in _blocks(pieces):
        frame = compressor.compress(block)
        target.write(frame)
        entries += _ENTRY.pack(len(frame), len(block))
    target.write(_SKIPPABLE.pack(_SKIPPABLE_MAGIC, len(entries) + _FOOTER.size))
    target.write(entries)
    target.write(_FOOTER.pack(len(entries) // _ENTRY.size, 0, _FOOTER_MAGIC))


def reader(path: Path) -> io.RawIOBase:
    """What a compressed log unpacks to; one that has no such table is unpacked as one stream. Raises OSError."""
    with path.open("rb") as file:
        table = _table(file)
    if table is not None:
        return _FrameReader(path.open("rb"), table)
    unpacker = zstandard.ZstdDecompressor()
    return ForwardReader(
        lambda: unpacker.stream_reader(path.open("rb"), read_across_frames=True, closefd=True), (zstandard.ZstdError,)
    )


class _FrameReader(io.RawIOBase):
    """The text of framed zstd, of which one frame at a time is unpacked."""

    def __init__(self, file: BinaryIO, table: _Table) -> None:
        super().__init__()
        self._file = file
        self._table = table
        self._unpacker = zstandard.ZstdDecompressor()
        self._position = 0
        self._number = -1
        self._frame = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, target: int, whence: int = os.SEEK_SET, /) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._table.text[-1]}[whence]
        if base + target < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._position = base + target
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        into = memoryview(buffer).cast("B")
        if self._position >= self._table.text[-1]:
            return 0
        number = bisect_right(self._table.text, self._position) - 1
        if number != self._number:
            self._frame, self._number = self._unpack(number), number
        begin = self._position - self._table.text[number]
        data = memoryview(self._frame)[begin : begin + len(into)]
        into[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()

    def _unpack(self, number: int) -> bytes:
        stored, text = self._table
        self._file.seek(stored[number])
        size = text[number + 1] - text[number]
        try:
            frame = self._unpacker.decompress(
                self._file.read(stored[number + 1] - stored[number]), max_output_size=size
            )
        except zstandard.ZstdError as error:
            raise OSError(errno.EIO, f"the archive is damaged: {error}") from error
        if len(frame) != size:
            raise OSError(errno.EIO, "the archive is damaged: a frame is not as long as its table says")
        return frame


def _blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in blocks of a frame's text each, but for the last."""
    block = bytearray()
    for piece in pieces:
        block += piece
        while len(block) >= FRAME:
            yield bytes(block[:FRAME])
            del block[:FRAME]
    if block:
        yield bytes(block)


def _table(file: BinaryIO) -> _Table | None:
    """The table at the end of framed zstd; None where there is none that fits the file."""
    size = file.seek(0, os.SEEK_END)
    if size < _SKIPPABLE.size + _FOOTER.size:
        return None
    file.seek(size - _FOOTER.size)
    frames, descriptor, magic = _FOOTER.unpack(file.read(_FOOTER.size))
    begin = size - _FOOTER.size - frames * _ENTRY.size - _SKIPPABLE.size
    if magic != _FOOTER_MAGIC or descriptor != 0 or begin < 0:
        return None
    file.seek(begin)
    if _SKIPPABLE.unpack(file.read(_SKIPPABLE.size)) != (_SKIPPABLE_MAGIC, size - begin - _SKIPPABLE.size):
        return None
    entries = list(_ENTRY.iter_unpack(file.read(frames * _ENTRY.size)))
    stored = list(accumulate((entry[0] for entry in entries), initial=0))
    text = list(accumulate((entry[1] for entry in entries), initial=0))
    if stored[-1] != begin or any(not 0 < entry[1] <= _LARGEST_FRAME for entry in entries):
        return None
    return _Table(stored, text)
