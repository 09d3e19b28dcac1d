"""What is compressed, as a stream that is read once and in order."""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
from collections.abc import Callable
from typing import BinaryIO, Protocol

_FED = 1 << 12  # bytes at a time: zstd has no limit to what comes out of them, which is 32,768 times as much at most
_XZ_MEMORY = 256 << 20  # bytes that a stream may ask for; `xz -9` needs 65 MiB

_GZIP, _BZIP2, _XZ, _ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"
COMPRESSED = (_GZIP, _BZIP2, _XZ, _ZSTD)
"""How the files begin that `decompressed` unpacks."""


class Content(Protocol):
    """What is read from its beginning to its end."""

    def read(self, size: int, /) -> bytes: ...


def decompressed(file: BinaryIO) -> Content:
    """What a file holds, unpacked as it is read when its first bytes say that it is compressed; else the file itself.

    What is damaged raises OSError with errno EIO or none, EOFError, zlib.error or lzma.LZMAError.
    """
    head = file.read(8)
    file.seek(0)
    if head.startswith(_GZIP):
        return gzip.GzipFile(fileobj=file)
    if head.startswith(_BZIP2):
        return _Chained(file, bz2.BZ2Decompressor)
    if head.startswith(_XZ):
        return _Chained(file, lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY))
    if head.startswith(_ZSTD):
        return _Chained(file, _Zstd)
    return file


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Zstd:
    """One frame of zstd, in the manner of the standard library's decompressors."""

    def __init__(self) -> None:
        import zstandard  # takes its time

        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._error = zstandard.ZstdError
        self._left = b""

    @property
    def eof(self) -> bool:
        return self._frame.eof and not self._left

    @property
    def needs_input(self) -> bool:
        return not self._left

    @property
    def unused_data(self) -> bytes:
        return self._frame.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        try:
            out = self._left or self._frame.decompress(data)
        except self._error as error:
            raise OSError(errno.EIO, str(error)) from error
        self._left = out[max_length:]
        return out[:max_length]


class _Chained:
    """One compressed stream after the other, as parallel compressors write them; zeros between them are padding."""

    def __init__(self, file: BinaryIO, new: Callable[[], _Decompressor]) -> None:
        self._file = file
        self._new = new
        self._stream = new()

    def read(self, size: int, /) -> bytes:
        data = b""
        while not data and (compressed := self._next()) is not None:
            data = self._stream.decompress(compressed, size)
        return data

    def _next(self) -> bytes | None:
        """What the stream is fed with, a new stream where the last one has ended; None at the end of all."""
        if not self._stream.eof:
            block = self._file.read(_FED) if self._stream.needs_input else b""
            if self._stream.needs_input and not block:
                raise EOFError("it ends in the middle")
            return block
        block = self._stream.unused_data
        while not (rest := block.lstrip(b"\0")):
            if not (block := self._file.read(_FED)):
                return None
        self._stream = self._new()
        return rest
