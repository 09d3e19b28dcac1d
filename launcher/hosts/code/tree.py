"""A folder as a value: what lies in it, by content; what it is called by, and what it must not hold."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

from launcher.errors import SpecError
from launcher.hosts.code.ignoring import OWN_FILE, Rules

MOST_BYTES: Final = 2 << 30
MUCH: Final = 200 << 20  # bytes from which on a person should know
MOST_FILES: Final = 200_000
_SHOWN: Final = 5
_PIECE: Final = 1 << 20


class File(NamedTuple):
    """A file, by what it holds. `path` is relative to the root; a name that is no UTF-8 has surrogates in it."""

    path: str
    size: int
    sha256: str
    is_executable: bool


class Link(NamedTuple):
    """A symbolic link: relative and within the tree, or absolute and out of it."""

    path: str
    target: str


@dataclass(frozen=True)
class Tree:
    """A folder and all that travels of it, each kind in the order of the paths."""

    root: Path
    folders: tuple[str, ...]
    files: tuple[File, ...]
    links: tuple[Link, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What lies in the tree as JSON has it, the same wherever the tree lies."""
        return {"folders": self.folders, "files": self.files, "links": self.links}

    @cached_property
    def digest(self) -> str:
        """The tree's name: the same for the same content, and for no other."""
        return hashlib.sha256(json.dumps(self.manifest).encode()).hexdigest()[:16]


def read_tree(root: Path, tell: Callable[[str], None], leave_out: Collection[Path] = ()) -> Tree:
    """What of a folder travels: all but .git, what the ignore files name, and the folders of `leave_out`.

    Sockets, pipes and devices are passed over, as git does. `tell` hears when it is much. Raises SpecError for what
    cannot be read, a link that would break, and a tree that is too large.
    """
    walk = _Walk(root, frozenset(map(str, leave_out)))
    walk.enter("", Rules())
    walk.refuse()
    if walk.size > MUCH:
        tell(f"{root} has {_mib(walk.size)} of code: {walk.largest()}; what hosts do not need belongs into {OWN_FILE}")
    files = tuple(walk.read(path) for path in sorted(walk.files))
    walk.refuse()
    return Tree(root, tuple(sorted(walk.folders)), files, tuple(sorted(walk.links)))


class _Walk:
    """One walk through a tree, and all that was found wrong on the way."""

    def __init__(self, root: Path, leave_out: Collection[str]) -> None:
        self.root, self._leave_out = root, leave_out
        self.folders: list[str] = []
        self.files: dict[str, int] = {}
        self.links: list[Link] = []
        self._unreadable: list[str] = []
        self._leading_out: list[Link] = []

    @property
    def size(self) -> int:
        return sum(self.files.values())

    def enter(self, folder: str, rules: Rules) -> None:
        """Take what lies in a folder ("" is the root; others end in /)."""
        waiting = [(folder, rules)]
        while waiting and len(self.files) <= MOST_FILES:
            folder, rules = waiting.pop()
            try:
                rules = rules.within(self.root, folder)
                with os.scandir(self.root / folder) as entries:
                    waiting += [
                        (below, rules) for entry in entries for below in self._take(folder + entry.name, entry, rules)
                    ]
            except OSError:
                self._unreadable.append(folder or str(self.root))

    def _take(self, path: str, entry: os.DirEntry[str], rules: Rules) -> Iterator[str]:
        """Take one entry; the folder that it is, if it is to be entered."""
        is_folder = entry.is_dir(follow_symlinks=False)
        if entry.name == ".git" or entry.path in self._leave_out or rules.leave_behind(path, is_folder=is_folder):
            return
        if is_folder:
            self.folders.append(path)
            yield f"{path}/"
        elif entry.is_symlink():
            link = Link(path, os.readlink(entry.path))  # noqa: PTH115 - as it is written, and not as a Path
            (self.links if self._is_sound(link) else self._leading_out).append(link)
        elif entry.is_file(follow_symlinks=False):
            self.files[path] = entry.stat(follow_symlinks=False).st_size

    def _is_sound(self, link: Link) -> bool:
        """Whether the link can mean the same on a host; the root's path is another there."""
        root = str(self.root)
        if link.target.startswith("/"):
            return not f"{os.path.normpath(link.target)}/".startswith(f"{root}/")
        led_to = os.path.normpath(os.path.join(root, os.path.dirname(link.path), link.target))  # noqa: PTH118, PTH120
        return f"{led_to}/".startswith(f"{root}/")

    def read(self, path: str) -> File:
        """A file by its content."""
        digest, size, mode = hashlib.sha256(), 0, 0
        try:
            with (self.root / path).open("rb", buffering=0) as file:
                mode = os.fstat(file.fileno()).st_mode
                while piece := file.read(_PIECE):
                    digest.update(piece)
                    size += len(piece)
        except OSError:
            self._unreadable.append(path)
        return File(path, size, digest.hexdigest(), bool(mode & stat.S_IXUSR))

    def refuse(self) -> None:
        """Raise what was found wrong."""
        where = str(self.root)
        if self._unreadable:
            raise SpecError(
                f"code that cannot be read: {_some(self._unreadable)}",
                where=where,
                expected="files that you may read: they are brought to every host",
                remedy=f"mend the permissions, or name them in {OWN_FILE}",
            )
        if self._leading_out:
            raise SpecError(
                f"links that would break on a host: {_some([' -> '.join(link) for link in self._leading_out])}",
                where=where,
                expected="relative links that stay within the folder, or absolute ones to what hosts have themselves",
                remedy=f"change them, or name them in {OWN_FILE}",
            )
        if self.size > MOST_BYTES or len(self.files) > MOST_FILES:
            count = f"more than {MOST_FILES}" if len(self.files) > MOST_FILES else str(len(self.files))
            raise SpecError(
                f"too much to bring to every host: {_mib(self.size)} in {count} files ({self.largest()})",
                where=where,
                expected=f"code, of {_mib(MOST_BYTES)} and {MOST_FILES} files at most",
                remedy=f"name data and results in {OWN_FILE}; give hosts what they need of it under a path of its own",
            )

    def largest(self) -> str:
        """The largest things right below the root."""
        sizes: Counter[str] = Counter()
        for path, size in self.files.items():
            top, slash, _ = path.partition("/")
            sizes[top + slash] += size
        return ", ".join(f"{_shown(name)} {_mib(size)}" for name, size in sizes.most_common(_SHOWN))


def _some(names: Collection[str]) -> str:
    shown = ", ".join(map(_shown, sorted(names)[:_SHOWN]))
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def _shown(name: str) -> str:
    """A name as a terminal may have it."""
    return name if name.isprintable() else repr(name)[1:-1]


def _mib(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MiB" if size >= 1 << 20 else f"{size / 1024:,.0f} KiB"
