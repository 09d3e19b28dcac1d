"""The new lines of a run's logs, of which any may be rotated, and the places that somebody has come to in them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from launcher.logs.follow import Follower
from launcher.logs.packed import COMPRESSED
from launcher.logs.record import LogFile
from launcher.logs.selection import Lines, Pace, Selection, Selector
from launcher.logs.stamps import Correction
from launcher.logs.tail import Place, file_id

_PACKED = (COMPRESSED, ".gz")


class FollowedLogs:
    """The new lines of the files that it is told of, each once.

    A file that was renamed when its log was rotated is the one that it was: what is left of it is read, and it is not
    read again under its new name. What a rotation has compressed was read before.
    """

    def __init__(self, selection: Selection, *, levels: bool) -> None:
        self._selection = selection
        self._levels = levels
        self._follower: Follower[Path] = Follower()
        self._files: dict[Path, LogFile] = {}
        self._selectors: dict[Path, Selector] = {}
        self._seen: set[int] = set()  # files by their inodes
        self._moved: dict[Path, Place] = {}
        self._awaited: dict[Path, Place] = {}  # copies that are not as long yet as what was read of the originals

    def wake_for(self, path: Path) -> None:
        """Return from `wait` for changes of this file too."""
        self._follower.wake_for(path)

    def wait(self, timeout: float, *inputs: int) -> None:
        """Until there may be something to read, a descriptor has input, or so many seconds have passed."""
        self._follower.wait(timeout, *inputs)

    def add(self, file: LogFile, place: Place | None = None, correction: Correction | None = None) -> None:
        """Follow a file, which need not exist yet, from a place on, or from its beginning.

        Of one that is followed already, learn its name, and what is known of it, anew.
        """
        path, number = file.path, file_id(file.path)
        is_new = path not in self._files
        self._files[path] = file
        if is_new and (place is not None or not (number in self._seen or path.suffix in _PACKED)):
            self._selectors[path] = Selector(self._selection, levels=self._levels, midway=place is not None)
            self._moved[path] = place or Place(0, number)
            if place is not None and _is_shorter(path, place.offset):
                self._awaited[path] = place
            else:
                self._follower.add(path, path, 0 if place is None else place.offset)
        if number:
            self._seen.add(number)
        if path in self._selectors:
            self._selectors[path].correction = correction

    def read(self, now: float) -> list[tuple[LogFile, Lines]]:
        """What is new and wanted. A line of a log without times has the time `now`."""
        for path, place in list(self._awaited.items()):
            if not _is_shorter(path, place.offset):
                del self._awaited[path]
                self._follower.add(path, path, place.offset)
        return list(self._wanted(self._follower.read(), now))

    def finish(self, now: float, of: Collection[LogFile] | None = None) -> Iterator[tuple[LogFile, Lines]]:
        """What is left when nobody writes any more, of these files or of all; then follow these no more."""
        paths = None if of is None else {file.path for file in of}
        return self._wanted(self._follower.finish(paths), now)

    def moved(self) -> dict[str, Place]:
        """How far the files, by their names, have been read for which that has changed since the last time."""
        moved = {self._files[path].name: place for path, place in self._moved.items()}
        self._moved.clear()
        return moved

    def close(self) -> None:
        self._follower.close()

    def _wanted(self, found: Iterable[tuple[Path, Sequence[bytes]]], now: float) -> Iterator[tuple[LogFile, Lines]]:
        for path, texts in found:
            block = b"\n".join(texts) + b"\n"
            place = self._moved[path] = self._follower.place(path)
            self._seen.add(place.file_id)
            selector = self._selectors[path]
            selector.pace = Pace(now, now, 0)
            lines = selector.lines(max(place.offset - len(block), 0), block)
            if lines.keys:
                yield self._files[path], lines


def _is_shorter(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size < size
    except OSError:
        return size > 0
