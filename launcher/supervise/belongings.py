"""Brings what ranks read, and only their run's home may have, to other hosts: the checkpoint, and the run's code.

Where hosts share a file system, or have it from before, nothing travels.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from launcher.errors import InfrastructureError
from launcher.runs.store import home
from launcher.supervise.link import HostLink

_PIECE: Final = 4 << 20  # bytes that travel at once; larger ones are no quicker, and a supervisor holds one a host


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


def belongings(plan_file: Path) -> tuple[str, ...]:
    """The files and folders that the ranks of a plan read: the checkpoint they resume from, and a snapshot of code.

    Raises OSError.
    """
    plan: dict[str, Any] = json.loads(plan_file.read_bytes())
    snapshots = f"{home()}/code/"
    code = {
        snapshots + word.removeprefix(snapshots).partition("/")[0]
        for process in (*plan["ranks"], *plan["services"])
        for word in process["argv"]
        if word.startswith(snapshots)
    }
    resume = plan["resume_from"]
    return (*sorted(code), *([] if resume is None else [resume]))


class Belongings:
    """Looks at each thing once, however many hosts it goes to."""

    def __init__(self) -> None:
        self._parts: dict[str, asyncio.Task[tuple[Part, ...]]] = {}

    async def bring(self, link: HostLink, path: str) -> int:
        """See to it that a host has what lies at `path` here, at the home; the bytes that travelled.

        What is not here either is nobody's to bring. Raises LinkLost, OSError of either side, and InfrastructureError.
        """
        if link.is_home:
            return 0
        if path not in self._parts:
            self._parts[path] = asyncio.create_task(asyncio.to_thread(parts_of, path))
        parts = await asyncio.shield(self._parts[path])
        missing = await link.there(missing_parts, path, parts)
        for part in missing:
            for offset in range(0, part.size, _PIECE):
                piece = await asyncio.to_thread(read_piece, path, part, offset)
                await link.there(write_piece, path, part, offset, piece)
        if missing:
            await link.there(finish, path, missing)
        return sum(part.size for part in missing)


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
        folders.sort()
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
