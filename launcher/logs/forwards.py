"""Streams that can only be unpacked from their beginning, read as if one could seek in them."""

from __future__ import annotations

import errno
import io
import os
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_STEP = 1 << 20


class Stream(Protocol):
    """What is read forwards; `read1` keeps nothing back of what it could read before an error."""

    def read1(self, size: int, /) -> bytes: ...

    def close(self) -> None: ...


class ForwardReader(io.RawIOBase):
    """What an archive of one file unpacks to.

    Going forward reads on, going back begins anew. `broken` are the errors by which the stream says that it is damaged
    or cut off; they become an OSError, after all that could be unpacked.
    """

    def __init__(self, begin: Callable[[], Stream], broken: tuple[type[Exception], ...] = ()) -> None:
        super().__init__()
        self._begin = begin
        self._broken: tuple[type[Exception], ...] = (EOFError, zlib.error, *broken)
        self._stream = begin()
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        into = memoryview(buffer).cast("B")
        data = self._read(len(into))
        into[: len(data)] = data
        return len(data)

    def seek(self, target: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_END:
            while self._read(_STEP):
                pass
        if whence != os.SEEK_SET:
            target += self._position
        if target < self._position:
            self._stream.close()
            self._stream = self._begin()
            self._position = 0
        while self._position < target and self._read(min(_STEP, target - self._position)):
            pass
        return self._position

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()

    def _read(self, size: int) -> bytes:
        try:
            data = self._stream.read1(size)
        except self._broken as error:
            raise OSError(errno.EIO, f"the archive is damaged: {error}") from error
        self._position += len(data)
        return data
