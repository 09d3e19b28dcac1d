"""An environment in one file, made once and kept: a tar.gz that is the same every time, and what it asks of a host."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import secrets
import tarfile
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from launcher.hosts.provision.contents import Entry
from launcher.hosts.provision.elf import glibc_needed, is_elf
from launcher.hosts.provision.seen import Version

_KEPT: Final = 4  # archives: two versions, for two types of machine or with and without an interpreter
_PIECE: Final = 4 << 20  # bytes that are compressed at once, each piece on a processor of its own
_LEVEL: Final = 1  # of gzip: a third larger than with 6, and four times as fast


class Demands(BaseModel):
    """What is beside an archive: its sizes in bytes, its digest, and the glibc that its programs want."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    version: Literal[1] = 1
    packed: int
    unpacked: int
    sha256: str
    glibc: tuple[int, ...]


class Archive:
    """An archive that is there, and what it asks of a host."""

    def __init__(self, path: Path, demands: Demands) -> None:
        self.path = path
        self.demands = demands

    def pieces(self, start: int, size: int) -> Iterator[bytes]:
        """Its content from an offset on, in pieces of so many bytes."""
        with self.path.open("rb") as file:
            file.seek(start)
            while piece := file.read(size):
                yield piece


def kept(path: Path) -> Archive | None:
    """An archive that was made before, whole."""
    try:
        demands = Demands.model_validate_json(_beside(path).read_bytes(), strict=False)
        if path.stat().st_size != demands.packed:
            return None
        path.touch()
    except (OSError, ValidationError):
        return None
    return Archive(path, demands)


def make(path: Path, entries: Iterable[Entry]) -> Archive:
    """Write an archive, which appears whole, and remove older ones beside it. Raises OSError."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            demands = _write(file, sorted(entries, key=lambda entry: entry.path))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    _beside(path).write_text(demands.model_dump_json())
    for old in sorted(path.parent.glob("env-*.tar.gz"), key=_last_use, reverse=True)[_KEPT:]:
        for file_of_it in (_beside(old), old):
            file_of_it.unlink(missing_ok=True)
    return Archive(path, demands)


def _write(file: io.BufferedWriter, entries: Iterable[Entry]) -> Demands:
    unpacked = 0
    glibc: Version = (0, 0)
    with _Compressed(file) as target, tarfile.open(fileobj=target, mode="w|", format=tarfile.GNU_FORMAT) as tar:
        for entry in entries:
            content = entry.content()
            member = tarfile.TarInfo(entry.path)
            member.size, member.mode = len(content), 0o700 if entry.is_program else 0o600
            tar.addfile(member, io.BytesIO(content))
            unpacked += -(-len(content) // 4096) * 4096
            if is_elf(content):
                glibc = max(glibc, glibc_needed(content))
    return Demands(packed=target.size, unpacked=unpacked, sha256=target.digest.hexdigest(), glibc=glibc)


class _Compressed(io.RawIOBase):
    """Compresses what is written to it, in pieces that make one gzip file together (RFC 1952: several members)."""

    def __init__(self, file: io.BufferedWriter) -> None:
        self._file = file
        self._rest = bytearray()
        self._processors = os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._processors, thread_name_prefix="gzip")
        self._pending: list[Future[bytes]] = []
        self.size = 0
        self.digest = hashlib.sha256()

    def write(self, content: bytes) -> int:  # type: ignore[override]  # tarfile writes bytes
        self._rest += content
        while len(self._rest) >= _PIECE:
            self._compress(bytes(self._rest[:_PIECE]))
            del self._rest[:_PIECE]
        return len(content)

    def close(self) -> None:
        if not self.closed:
            self._compress(bytes(self._rest))
            self._store(0)
            self._pool.shutdown()
        super().close()

    def _compress(self, piece: bytes) -> None:
        self._pending.append(self._pool.submit(gzip.compress, piece, _LEVEL, mtime=0))
        self._store(2 * self._processors)

    def _store(self, waiting: int) -> None:
        while len(self._pending) > waiting:
            done = self._pending.pop(0).result()
            self._file.write(done)
            self.digest.update(done)
            self.size += len(done)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _last_use(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0
