"""Brings what ranks read, and only their run's home may have, to other hosts: the checkpoint, and the run's code.

Where hosts share a file system, or have it from before, nothing travels.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from launcher.errors import InfrastructureError
from launcher.supervise.link import HostLink
from launcher.supervise.patience import within

_PIECE: Final = 4 << 20  # bytes that travel in one call; larger ones are no quicker
_AT_ONCE = 8  # pieces on their way to all hosts: Ray keeps them in a store of 80 MiB
_LOOK_TIMEOUT = 300.0  # seconds for a look at all of it, which reads it: a disk that hangs must not hold up a stop
_PIECE_TIMEOUT = 60.0  # seconds for one: who waits for a host that hangs keeps the others waiting

_COMPILED: Final = "__pycache__"  # each host's Python makes its own, for the times that its files have


@dataclass(frozen=True)
class Part:
    """A file: its path below what is brought (empty when that is a file itself), size, SHA-256 and mode.

    Of a symbolic link, `target` is where it leads.
    """

    name: str
    size: int
    digest: str
    mode: int = 0o600
    target: str = ""


class Belongings:
    """Of each attempt, looks at each thing once, however many hosts it goes to."""

    def __init__(self) -> None:
        self._parts: dict[str, asyncio.Task[tuple[Part, ...]]] = {}
        self._attempt = 0  # that these are of
        self._travelling = asyncio.Semaphore(_AT_ONCE)

    async def bring(self, link: HostLink, path: str, attempt: int) -> int:
        """See to it that a host has what lies at `path` here, at the home; the bytes that travelled.

        What is not here either is nobody's to bring. Raises LinkLost, asyncio.TimeoutError, OSError of either side, and
        InfrastructureError.
        """
        if link.is_home:
            return 0
        parts = await self._parts_at(path, attempt)
        missing = await within(link.there(missing_parts, path, parts), _LOOK_TIMEOUT)
        for part in missing:
            for offset in range(0, part.size, _PIECE):
                async with self._travelling:
                    piece = await asyncio.to_thread(read_piece, path, part, offset)
                    await within(link.there(write_piece, path, part, offset, piece), _PIECE_TIMEOUT)
        if missing:
            await within(link.there(finish, path, missing), _LOOK_TIMEOUT)
        return sum(part.size for part in missing)

    async def _parts_at(self, path: str, attempt: int) -> tuple[Part, ...]:
        """What lies there now; a later attempt may find something else under the same name."""
        if self._attempt != attempt:
            self._attempt, self._parts = attempt, {}
        if path not in self._parts:
            self._parts[path] = asyncio.create_task(asyncio.to_thread(parts_of, path))
        return await asyncio.shield(self._parts[path])


def parts_of(path: str) -> tuple[Part, ...]:
    """The files at a path of this machine, in order; none when nothing is there. Raises OSError."""
    return tuple(_part(name, file) for name, file in _files(Path(path)))


def missing_parts(path: str, wanted: tuple[Part, ...]) -> tuple[Part, ...]:
    """Those of the wanted parts that are not at a path of this machine as they should be. Raises OSError."""
    return tuple(part for part in wanted if not _is_there(path, part))


def read_piece(path: str, part: Part, offset: int) -> bytes:
    """The next bytes of a part. Raises OSError."""
    with _place(path, part.name).open("rb") as file:
        file.seek(offset)
        return file.read(_PIECE)


def write_piece(path: str, part: Part, offset: int, piece: bytes) -> None:
    """Add to a part that is on its way; the first piece begins it anew. Raises OSError."""
    partial = _partial(path, part)
    partial.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with partial.open("r+b" if offset else "wb") as file:
        file.seek(offset)
        file.write(piece)
        file.truncate()


def finish(path: str, brought: tuple[Part, ...]) -> None:
    """Give the parts that have come their place. Raises OSError, and InfrastructureError for one that is not whole."""
    for part in brought:
        partial = _partial(path, part)
        if not part.target and part.size and _digest(partial) != part.digest:
            raise InfrastructureError(
                "a file has changed on its way to a host, or while it was read",
                where=str(_place(path, part.name)),
                expected="a file that nobody writes to any more",
                remedy="write checkpoints under another name, and rename them when they are whole",
            )
    for part in brought:
        place, partial = _place(path, part.name), _partial(path, part)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if part.target:
            partial.unlink(missing_ok=True)
            partial.symlink_to(part.target)
        else:
            partial.touch()
            partial.chmod(part.mode)
        partial.replace(place)
    shutil.rmtree(_way(path), ignore_errors=True)


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield "", path
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if name != _COMPILED)
        for name in sorted([*names, *(name for name in folders if Path(folder, name).is_symlink())]):
            file = Path(folder, name)
            yield str(file.relative_to(path)), file


def _part(name: str, file: Path) -> Part:
    if name and file.is_symlink():
        return Part(name, 0, "", target=str(file.readlink()))
    status = file.stat()
    return Part(name, status.st_size, _digest(file), stat.S_IMODE(status.st_mode))


def _is_there(path: str, part: Part) -> bool:
    place = _place(path, part.name)
    if part.target:
        return place.is_symlink() and str(place.readlink()) == part.target
    return place.is_file() and place.stat().st_size == part.size and _part(part.name, place) == part


def _place(path: str, name: str) -> Path:
    """Where a part belongs. Raises InfrastructureError for a name that leads elsewhere."""
    if ".." in Path(name).parts or Path(name).is_absolute():
        raise InfrastructureError(f"{name!r} is no part of what is brought", where=path)
    return Path(path, name) if name else Path(path)


def _way(path: str) -> Path:
    """The folder beside its place in which what is brought lies until all of it has come."""
    return Path(path).with_name(f".{Path(path).name}.coming")


def _partial(path: str, part: Part) -> Path:
    return _way(path) / hashlib.sha256(part.name.encode(errors="surrogateescape")).hexdigest()


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        digest = hashlib.sha256()
        while piece := content.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
