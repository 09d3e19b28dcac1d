"""Reads and changes ELF files, as far as taking them to another machine needs (64 bits, little-endian)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from launcher.hosts.provision.seen import Version

_MAGIC: Final = b"\x7fELF\x02\x01"
_LOAD, _DYNAMIC = 1, 2  # kinds of segments
_END, _STRINGS, _RPATH, _RUNPATH = 0, 5, 15, 29  # tags of the dynamic section


def is_elf(content: bytes) -> bool:
    """Whether this is a program or a library of the machines that we know."""
    return content.startswith(_MAGIC)


def glibc_needed(content: bytes) -> Version:
    """The newest version of glibc that a symbol of a program or a library is wanted in; (0, 0) for none."""
    found = re.findall(rb"\0GLIBC_2\.(\d+)(?=[.\0])", content)
    return (2, max(map(int, found))) if found else (0, 0)


def with_run_path(content: bytes, folder: str) -> bytes | None:
    """The same file, looking for libraries in a folder alone; None when it has no such entry, or too short a one.

    Also the libraries that it loads look there, as long as they have no entry of their own: it becomes an RPATH, for a
    RUNPATH serves but the file itself (ld.so(8)).
    """
    file = _Elf(content)
    strings = next((entry.value for entry in file.dynamic() if entry.tag == _STRINGS), None)
    entry = next((entry for entry in file.dynamic() if entry.tag in (_RPATH, _RUNPATH)), None)
    if strings is None or entry is None:
        return None
    start = file.offset(strings) + entry.value
    room = content.index(b"\0", start) - start
    new = folder.encode()
    if len(new) > room:
        return None
    changed = bytearray(content)
    changed[start : start + room] = new.ljust(room, b"\0")
    struct.pack_into("<Q", changed, entry.offset, _RPATH)
    return bytes(changed)


class _Entry(NamedTuple):
    offset: int  # where its tag is in the file
    tag: int
    value: int


class _Segment(NamedTuple):
    kind: int
    offset: int
    address: int
    size: int


class _Elf:
    def __init__(self, content: bytes) -> None:
        self._content = content
        (table,) = struct.unpack_from("<Q", content, 32)
        size, count = struct.unpack_from("<HH", content, 54)
        self._segments = [self._segment(table + number * size) for number in range(count)]

    def dynamic(self) -> Iterator[_Entry]:
        """The dynamic section; of a static program nothing."""
        for segment in self._segments:
            if segment.kind == _DYNAMIC:
                for offset in range(segment.offset, segment.offset + segment.size, 16):
                    tag, value = struct.unpack_from("<qQ", self._content, offset)
                    if tag == _END:
                        return
                    yield _Entry(offset, tag, value)

    def offset(self, address: int) -> int:
        """Where in the file lies what is loaded at an address."""
        for segment in self._segments:
            if segment.kind == _LOAD and segment.address <= address < segment.address + segment.size:
                return segment.offset + address - segment.address
        raise ValueError(f"nothing is loaded at {address:#x}")

    def _segment(self, at: int) -> _Segment:
        kind, _, offset, address, _, size = struct.unpack_from("<IIQQQQ", self._content, at)
        return _Segment(kind, offset, address, size)
