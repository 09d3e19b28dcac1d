"""Unpacks an archive into a temporary folder, and the archives within it beside what else it holds."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from launcher.errors import InfrastructureError, NpuLaunchError, UsageError
from launcher.logs.archives.limits import Limits, Room
from launcher.logs.archives.members import BLOCK, DAMAGED, Member, can_be_read, members
from launcher.logs.archives.streams import Content
from launcher.logs.packed import ARCHIVE
from launcher.logs.sources.walking import files_below

_PIECE = 1 << 20  # bytes
_MOST_FOLDERS = 64  # in one name
_LEFT_FREE = 1 << 30  # bytes of disk that stay free
_LOGS = (".bz2", ".xz")  # compressed logs; others are read as they lie
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_NAME = frozenset((errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.EILSEQ))


@contextmanager
def unpacked(path: Path, limits: Limits | None = None) -> Iterator[Path]:
    """A folder with what an archive holds, archives within it unpacked too (one level); it goes when it was used.

    Files are private and plain: modes, owners, devices, links but those between its own files are not taken over.
    Absolute names begin at the folder, as tar(1) has it. Raises UsageError for what is no archive, is damaged, has
    names that lead out of the folder or is more than the limits allow, InfrastructureError when it cannot be written.
    """
    limits = limits or Limits()
    with tempfile.TemporaryDirectory(prefix="npu-launch-logs-") as temporary:
        folder = Path(temporary)
        room = Room(limits, max(0, shutil.disk_usage(folder).free - _LEFT_FREE))
        _Unpacking(str(path), folder, room).unpack(path)
        for inner in files_below(folder).files:
            if (into := _place_of(inner)) is not None and is_archive(inner):
                name = f"{path}: {inner.relative_to(folder)}"
                _Unpacking(name, into, room).unpack(inner)
                inner.unlink()
        yield folder


def is_archive(path: Path) -> bool:
    """Whether a file is one that `unpacked` takes, by how it begins; not if it cannot be read."""
    try:
        with path.open("rb") as file:
            return can_be_read(file.read(BLOCK))
    except OSError:
        return False


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _place_of(inner: Path) -> Path | None:
    """The folder that an archive within another one is unpacked to; None when it stays as it is."""
    match = ARCHIVE.fullmatch(inner.name)
    if match is None and inner.suffix.lower() not in _LOGS:
        return None
    place = inner.with_name(match[1]) if match else inner.with_suffix("")
    if place.exists():
        return inner.with_name(f"{inner.name}.unpacked")
    return place if match else inner.parent


class _Unpacking:
    """One archive on its way into a folder; `name` is what errors call it."""

    def __init__(self, name: str, folder: Path, room: Room) -> None:
        self._name = name
        self._folder = folder
        self._room = room
        self._written: dict[Path, None] = {}
        self._out = 0  # bytes
        self._at = ""  # the entry

    def unpack(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                for member in members(self._name, file, self._room.files):
                    self._at = member.name
                    self._room.take_file(self._name)
                    self._take(member, path)
        except DAMAGED as error:
            raise self._damaged(str(error)) from error
        except OSError as error:
            raise self._failed(error) from error

    def _take(self, member: Member, path: Path) -> None:
        if member.content is not None:
            self._write(self._place(member.name or path.stem), member.content, member)
        elif member.same_as and (other := self._place(member.same_as)) in self._written:
            os.link(other, self._new(self._place(member.name)))

    def _write(self, place: Path, content: Content, member: Member) -> None:
        with open(self._new(place), "xb", opener=_private) as file:
            while piece := content.read(_PIECE):
                self._out += len(piece)
                self._room.take(self._name, len(piece), self._out, member.consumed())
                file.write(piece)

    def _new(self, place: Path) -> Path:
        """A place for a file, with its folders; of two entries of one name the later counts, as for tar(1)."""
        place.parent.mkdir(parents=True, exist_ok=True)
        if place in self._written:
            place.unlink()
        self._written[place] = None
        return place

    def _place(self, name: str) -> Path:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if not parts or ".." in parts or len(parts) > _MOST_FOLDERS:
            raise UsageError(
                f"'{name}' in it is no name of a file below the folder that it is unpacked to",
                where=self._name,
                expected="an archive of logs",
                remedy="ask whoever made it; it may be meant to harm you",
            )
        return self._folder.joinpath(*(_CONTROL.sub("_", part) for part in parts))

    def _damaged(self, why: str) -> NpuLaunchError:
        entry = f" at '{self._at}'" if self._at else ""
        return UsageError(
            f"it is damaged{entry}: {why or 'it ends in the middle'}",
            where=self._name,
            expected="a whole archive",
            remedy="copy it again, or unpack what can be saved and name the folder",
        )

    def _failed(self, error: OSError) -> NpuLaunchError:
        why = error.strerror or str(error)
        if error.errno in (None, errno.EIO):
            return self._damaged(why)
        if error.errno in _NAME and self._at:
            return UsageError(
                f"'{self._at}' in it cannot be unpacked: {why}",
                where=self._name,
                expected="entries with names of their own that this file system can hold",
                remedy="unpack it on another machine, and name the folder",
            )
        if error.errno in _FULL:
            return InfrastructureError(
                f"it cannot be unpacked: {why}", where=str(self._folder), remedy="set TMPDIR to a folder with more room"
            )
        return UsageError(f"it cannot be read: {why}", where=self._name, expected="an archive that you may read")
