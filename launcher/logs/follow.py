"""Many growing files at once, read when the kernel says that one has changed."""

from __future__ import annotations

import contextlib
import resource
import select
import time
from collections.abc import Collection, Hashable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from inotify_simple import INotify, flags

from launcher.logs.tail import Place, Tail

Key = TypeVar("Key", bound=Hashable)

# A change that another host made over a network file system wakes nobody: look at least this often, in seconds.
SAFETY_TICK = 1.0

_FOLDER_CHANGED = flags.MODIFY | flags.CREATE | flags.MOVED_TO | flags.DELETE_SELF | flags.MOVE_SELF
_SPARE_DESCRIPTORS = 100


class Watch:
    """Wakes its owner when something in the folders of some files changes, or a given descriptor has input.

    Folders are watched, not files, because a file may not exist yet or be replaced; for a folder that does not exist
    yet, the nearest one above it that does. Where the kernel has no watches left, the safety tick remains.
    """

    def __init__(self) -> None:
        self._inotify: INotify | None = None
        with contextlib.suppress(OSError):
            self._inotify = INotify(nonblocking=True)
        self._watched: dict[Path, Path | None] = {}
        self._folders: dict[int, set[Path]] = {}
        self._looked = time.monotonic()

    def add(self, path: Path) -> None:
        """Watch for changes of this file from now on."""
        if path.parent not in self._watched:
            self._watched[path.parent] = None
            self._arm(path.parent)

    def wait(self, timeout: float, *inputs: int) -> Collection[Path]:
        """The folders in which something may have changed; returns at once for those, or when a descriptor has input.

        Waits `timeout` seconds at most. All folders are named at least once in a safety tick.
        """
        poller = select.poll()
        for descriptor in inputs:
            poller.register(descriptor, select.POLLIN)
        if self._inotify is not None:
            poller.register(self._inotify.fileno(), select.POLLIN)
        poller.poll(max(min(timeout, self._looked + SAFETY_TICK - time.monotonic()), 0) * 1000)
        changed = self._changed()
        if time.monotonic() >= self._looked + SAFETY_TICK:
            self._looked = time.monotonic()
            changed = set(self._watched)
        for folder in changed:
            self._arm(folder)
        return changed

    def close(self) -> None:
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def _changed(self) -> set[Path]:
        changed: set[Path] = set()
        for event in self._inotify.read(timeout=0) if self._inotify is not None else ():
            if event.mask & flags.Q_OVERFLOW:
                changed.update(self._watched)
            folders = self._folders.get(event.wd, set())
            changed.update(folders)
            if event.mask & flags.IGNORED:
                del self._folders[event.wd]
                self._watched.update(dict.fromkeys(folders))
        return changed

    def _arm(self, folder: Path) -> None:
        """Watch a folder, or what there is above it.

        Whatever was made between a look and its watch is found by looking again, until both agree.
        """
        if self._inotify is None:
            return
        while (nearest := _nearest_existing(folder)) != self._watched[folder]:
            try:
                number = self._inotify.add_watch(nearest, _FOLDER_CHANGED)
            except FileNotFoundError:
                continue
            except OSError:
                return
            self._watched[folder] = nearest
            self._folders.setdefault(number, set()).add(folder)


def _nearest_existing(folder: Path) -> Path:
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder


class Follower(Generic[Key]):
    """The new lines of many files, each under its key; no line is lost and none comes twice."""

    def __init__(self) -> None:
        self._watch = Watch()
        self._tails: dict[Key, Tail] = {}
        self._keys: dict[Path, list[Key]] = {}
        self._unread: dict[Key, None] = {}

    def add(self, key: Key, path: Path, offset: int = 0) -> None:
        """Follow a file, which need not exist yet, from an offset on."""
        self._tails[key] = Tail(path, offset)
        self._keys.setdefault(path.parent, []).append(key)
        self._unread[key] = None
        self._watch.add(path)
        allow_descriptors(len(self._tails))

    def place(self, key: Key) -> Place:
        """Where in a file the first line begins that was not given yet."""
        return self._tails[key].place

    def last_states(self) -> Iterator[tuple[Key, bytes]]:
        """What progress bars show whose lines have no end yet."""
        for key, tail in self._tails.items():
            if state := tail.last_state:
                yield key, state

    def wake_for(self, path: Path) -> None:
        """Return from `wait` for changes of this file too, which somebody else reads."""
        self._watch.add(path)

    def wait(self, timeout: float = SAFETY_TICK, *inputs: int) -> None:
        """Return when there may be something to read, or one of the descriptors has input, or after the timeout."""
        for folder in self._watch.wait(0 if self._unread else timeout, *inputs):
            self._unread.update(dict.fromkeys(self._keys.get(folder, ())))

    def read(self) -> list[tuple[Key, list[bytes]]]:
        """New whole lines: at most about 1 MiB a file, so that a chatty one starves no other."""
        found = []
        for key in list(self._unread):
            if lines := self._tails[key].read():
                found.append((key, lines))
            else:
                del self._unread[key]
        return found

    def finish(self, keys: Collection[Key] | None = None) -> Iterator[tuple[Key, list[bytes]]]:
        """What is left when nobody writes any more, last lines without an end included; then follow these no more.

        Of all files, unless `keys` says of which.
        """
        for key in [key for key in self._tails if keys is None or key in keys]:
            tail = self._tails[key]
            while lines := tail.read():
                yield key, lines
            if lines := tail.finish():
                yield key, lines
            self._let_go(key)

    def close(self) -> None:
        self._forget()
        self._watch.close()

    def _forget(self) -> None:
        for key in list(self._tails):
            self._let_go(key)

    def _let_go(self, key: Key) -> None:
        tail = self._tails.pop(key)
        tail.close()
        self._unread.pop(key, None)
        self._keys[tail.folder].remove(key)


def allow_descriptors(count: int) -> None:
    """One open file a rank is more than the usual soft limit of 1024 allows in a large run."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + _SPARE_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted and (hard == resource.RLIM_INFINITY or soft < hard):
        larger = wanted * 2 if hard == resource.RLIM_INFINITY else min(wanted * 2, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (larger, hard))
