"""The new lines of a run's logs, of which any may be rotated, and the places that somebody has come to in them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from launcher.logs.blocks import blocks
from launcher.logs.cutting import SUFFIX as CUT
from launcher.logs.follow import Follower
from launcher.logs.lines import Lines
from launcher.logs.packed import COMPRESSED, existing
from launcher.logs.record import LogFile
from launcher.logs.selection import Pace, Selection, Selector
from launcher.logs.stamps import Correction
from launcher.logs.tail import Place, file_id

_PACKED = (COMPRESSED, ".gz")
_AT_ONCE = 4  # blocks with wanted lines of a log that was compressed


class FollowedLogs:
    """The new lines of the files that it is told of, each once.

    A file that was renamed when its log was rotated is the one that it was: what is left of it is read, and it is not
    read again under its new name. What a rotation has compressed was read before, and so was what of a log was fetched
    from its host, cut, after its failure. A log that was compressed since its place was noted is read on from there.
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
        self._rests: dict[Path, Iterator[tuple[LogFile, Lines]]] = {}  # of logs that were compressed

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
        if is_new and (place is not None or not (number in self._seen or self._was_read(path))):
            self._selectors[path] = Selector(self._selection, levels=self._levels, midway=place is not None)
            self._moved[path] = place or Place(0, number)
            if place is not None and not _is_so_long(path, place.offset):
                self._awaited[path] = place
            else:
                self._follower.add(path, path, 0 if place is None else place.offset)
        if number:
            self._seen.add(number)
        if path in self._selectors:
            self._selectors[path].correction = correction

    def read(self, now: float) -> list[tuple[LogFile, Lines]]:
        """What is new and wanted, some of it at least. A line of a log without times has the time `now`."""
        for path, place in list(self._awaited.items()):
            if _is_so_long(path, place.offset):
                del self._awaited[path]
                self._follower.add(path, path, place.offset)
            elif existing(path) not in (None, path):
                del self._awaited[path]
                self._rests[path] = self._rest_of(path, place, now)
        found = list(self._wanted(self._follower.read(), now))
        for path, rest in list(self._rests.items()):
            pieces = list(islice(rest, _AT_ONCE))
            found += pieces
            if len(pieces) < _AT_ONCE:
                del self._rests[path]
        return found

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

    def _was_read(self, path: Path) -> bool:
        """Whether this is another form of what was read, or will be, under its own name."""
        plain = path.with_suffix("")
        return path.suffix in _PACKED or (path.suffix == CUT and plain in self._files and plain.exists())

    def _wanted(self, found: Iterable[tuple[Path, Sequence[bytes]]], now: float) -> Iterator[tuple[LogFile, Lines]]:
        for path, texts in found:
            block = b"\n".join(texts) + b"\n"
            place = self._moved[path] = self._follower.place(path)
            self._seen.add(place.file_id)
            yield from self._chosen(path, max(place.offset - len(block), 0), block, now)

    def _rest_of(self, path: Path, place: Place, now: float) -> Iterator[tuple[LogFile, Lines]]:
        """What a log that is compressed has behind this place."""
        with suppress(OSError):
            for offset, block in blocks(path, place.offset):
                self._moved[path] = Place(offset + len(block), place.file_id)
                yield from self._chosen(path, offset, block, now)

    def _chosen(self, path: Path, offset: int, block: bytes, now: float) -> Iterator[tuple[LogFile, Lines]]:
        selector = self._selectors[path]
        selector.pace = Pace(now, now, 0)
        lines = selector.lines(offset, block)
        if lines.keys:
            yield self._files[path], lines


def _is_so_long(path: Path, size: int) -> bool:
    """Whether a file is there, as it was written, and has so many bytes."""
    try:
        return path.suffix not in _PACKED and path.stat().st_size >= size
    except OSError:
        return False
