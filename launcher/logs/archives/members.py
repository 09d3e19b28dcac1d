"""The entries of an archive, one after the other, whatever kind it is."""

from __future__ import annotations

import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from io import FileIO, RawIOBase
from typing import TYPE_CHECKING, BinaryIO

from launcher.errors import UsageError
from launcher.logs.archives.limits import too_much
from launcher.logs.archives.streams import COMPRESSED, Content, decompressed

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK = 512
"""Bytes: the unit of a tar, and all that has to be seen to know one."""

_MAGIC, _USTAR = slice(257, 262), b"ustar"
_HEADERS = 1 << 20  # bytes that the headers of one entry of a tar may take, its long name included
_ZIP_ENTRY = 256  # bytes of a zip's directory that are read for each entry it may have
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_UTF8_NAME, _ENCRYPTED = 0x800, 0x1


DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    ArithmeticError,
    LookupError,
    RuntimeError,
    MemoryError,
)
"""What the libraries raise at archives that are damaged, or made to look so."""


@dataclass(frozen=True)
class Member:
    """One entry, to be read before the next is asked for. `name` is as it stands in the archive; "" if it has none.

    `content` is None for what holds no bytes of its own: folders, links, devices; `same_as` is the entry that a hard
    link means. `consumed` tells how many bytes of the archive were read for this entry and those before it.
    """

    name: str
    consumed: Callable[[], int]
    content: Content | None = None
    same_as: str = ""


def can_be_read(head: bytes) -> bool:
    """Whether a file with such a first block is an archive, or compressed."""
    return _is_tar(head) or head.startswith((*_ZIP, *COMPRESSED))


def members(archive: str, file: BinaryIO, most: int) -> Iterator[Member]:
    """The entries of an archive, of which there may be `most`; a compressed file that is no archive is the only one.

    `archive` is what errors call it. Raises UsageError, and `DAMAGED` or OSError when it cannot be read.
    """
    head = file.read(BLOCK)
    file.seek(0)
    if head.startswith(_ZIP):
        yield from _of_zip(archive, file, most)
        return
    content = decompressed(file)
    stream = _Metered(archive, content)
    if _is_tar(stream.peek(BLOCK)):
        yield from _of_tar(file, stream)
    elif content is not file:
        yield Member("", file.tell, stream)
    else:
        raise UsageError(
            "it is no archive that can be unpacked",
            where=archive,
            expected="a .tar, .tar.gz, .tar.bz2, .tar.xz, .tar.zst, .zip, .gz, .bz2, .xz or .zst file",
        )


class _Metered(RawIOBase):
    """A stream of which the headers of a tar get only so much: `tarfile` reads any size that they claim into memory.

    What has been granted counts down; None is without limit.
    """

    def __init__(self, archive: str, stream: Content) -> None:
        super().__init__()
        self._archive = archive
        self._stream = stream
        self._head = b""
        self.granted: int | None = None

    def peek(self, size: int) -> bytes:
        """The first bytes, which stay to be read."""
        while len(self._head) < size and (block := self._stream.read(size - len(self._head))):
            self._head += block
        return self._head

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        into = memoryview(buffer).cast("B")
        block = self._head[: len(into)] or self._stream.read(len(into))
        self._head = self._head[len(block) :]
        if self.granted is not None:
            self.granted -= len(block)
            if self.granted < 0:
                raise too_much(self._archive, "the headers of one of its entries are longer than any name")
        into[: len(block)] = block
        return len(block)


def _is_tar(head: bytes) -> bool:
    return head[_MAGIC] == _USTAR


def _of_tar(file: BinaryIO, stream: _Metered) -> Iterator[Member]:
    stream.granted = _HEADERS
    with tarfile.open(fileobj=stream, mode="r|", errors="surrogateescape") as tar:
        while (entry := tar.next()) is not None:
            name = _readable(os.fsencode(entry.name))
            if entry.isreg():
                stream.granted = None
                yield Member(name, file.tell, tar.extractfile(entry))
            else:
                yield Member(name, file.tell, same_as=_readable(os.fsencode(entry.linkname)) if entry.islnk() else "")
            stream.granted = _HEADERS


def _of_zip(archive: str, file: BinaryIO, most: int) -> Iterator[Member]:
    consumed = 0
    with zipfile.ZipFile(_Wary(archive, file, most * _ZIP_ENTRY)) as opened:
        for entry in opened.infolist():
            name = entry.filename
            if not entry.flag_bits & _UTF8_NAME:
                name = _readable(name.encode("cp437", "replace"))
            name = name.replace("\\", "/")
            consumed += entry.compress_size
            if entry.is_dir() or stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
                yield Member(name, partial(int, consumed))
            elif entry.flag_bits & _ENCRYPTED:
                raise UsageError(
                    f"'{name}' in it is encrypted",
                    where=archive,
                    expected="an archive without a password",
                    remedy="unpack it, and name the folder",
                )
            else:
                with opened.open(entry) as content:
                    yield Member(name, partial(int, consumed), content)


class _Wary(FileIO):
    """A zip of which no more than `most` bytes are read at once: `zipfile` takes all of its directory into memory."""

    def __init__(self, archive: str, file: BinaryIO, most: int) -> None:
        super().__init__(file.fileno(), closefd=False)
        self._archive = archive
        self._most = max(most, 1 << 20)

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self._most:
            raise too_much(self._archive, "its directory has room for more entries than it may hold")
        return super().read(-1 if size is None else size)


def _readable(name: bytes) -> str:
    """A name as text: UTF-8, else GBK as on a Chinese Windows, else with marks for what cannot be read."""
    for encoding in ("utf-8", "gb18030"):
        with suppress(UnicodeDecodeError):
            return name.decode(encoding)
    return name.decode("utf-8", "replace")
