"""Brings files of another host here piece by piece, within a cap, from wherever it was interrupted.

It decides which bytes are wanted next and writes those that come; whoever drives it asks the host for them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from glob import escape
from pathlib import Path

from launcher.logs.cutting import SUFFIX, Gap, Part, Span, cut, cut_size, note, room_for_errors
from launcher.logs.packed import text_size
from launcher.supervise.gather.outcome import CutFile, FromHost, Missing
from launcher.supervise.gather.sources import Bytes, Found, Wanted
from launcher.supervise.mirror.news import Piece, fair_shares, write_piece

PARTIAL = ".partial"  # of a file's name, before all of it is here
_GROWING = frozenset((".log", ".jsonl"))  # others may be written anew: they are replaced whole


@dataclass
class _Item:
    """One file on its way: `at` bytes of what it will be are here."""

    source: str
    place: str
    parts: tuple[Part, ...]
    target: Path
    partial: Path
    size: int
    at: int = 0
    problem: str = ""

    @property
    def is_whole(self) -> bool:
        return not any(isinstance(part, Gap) for part in self.parts)

    def rest(self) -> Iterator[tuple[int, Span | bytes]]:
        """What is missing, with the place where it belongs: bytes of the source, or a note."""
        begin = 0
        for part in self.parts:
            text = b"" if isinstance(part, Span) else note(part, self.place)
            length = part.length if isinstance(part, Span) else len(text)
            done = min(max(self.at - begin, 0), length)
            if done < length:
                yield begin + done, Span(part.offset + done, length - done) if isinstance(part, Span) else text[done:]
            begin += length


@dataclass
class Transfer:
    """The files of one host. `root` there is `target` here; `cap` is how many bytes all may take here together.

    Call `cut_at` with the places of errors in the files of `too_long`, then `wanted` and `take` in turn until nothing
    is wanted. Raises OSError when it cannot be written here.
    """

    host: str
    root: Path
    target: Path
    files: Sequence[Found]
    cap: int
    missing: list[Missing] = field(default_factory=list)
    cut: list[CutFile] = field(default_factory=list)
    done: int = 0  # files that are here now, whenever they came ...
    came: int = 0  # ... and their bytes

    def __post_init__(self) -> None:
        self.files = [found for found in self.files if self._belongs(found)]
        self._here = {found.path for found in self.files if self._is_here(found)}
        self._shares = fair_shares([found.size for found in self.files], self.cap)
        self._items: list[_Item] = []
        self._asked: list[tuple[_Item, int, Span | bytes]] = []

    @property
    def too_long(self) -> list[tuple[Found, int]]:
        """The files that have to be cut, and how many bytes of errors each has room for."""
        both = zip(self.files, self._shares, strict=True)
        return [(found, room_for_errors(share)) for found, share in both if self._has_to_be_cut(found, share)]

    def cut_at(self, errors: Sequence[Sequence[tuple[int, int]]]) -> None:
        """Decide what is kept of each file; `errors` are those of `too_long`, in its order."""
        places = iter(errors)
        for found, share in zip(self.files, self._shares, strict=True):
            if found.path in self._here:
                _cut_of(self._target(found)).unlink(missing_ok=True)
                self._count(found.size)
                continue
            place = f"{self.host}:{found.path}"
            is_cut = self._has_to_be_cut(found, share)
            parts = cut(found.size, share, next(places) if is_cut else (), place)
            size = cut_size(parts, place)
            if is_cut:
                self.cut.append(CutFile(path=found.path, size=found.size, kept=size))
            if size or not found.size:
                self._add(found, place, parts, size, share)
        self._close_those_done()

    def wanted(self, most: int) -> list[Wanted]:
        """What is to be asked of the host now, so many bytes at most; nothing when all is here."""
        self._asked, room = [], most
        for item in self._items:
            for position, missing in item.rest():
                if isinstance(missing, Span):
                    missing = Span(missing.offset, min(missing.length, room))
                    room -= missing.length
                self._asked.append((item, position, missing))
                if not room:
                    break
            if not room:
                break
        return [Wanted(item.source, *span) for item, _, span in self._asked if isinstance(span, Span)]

    def take(self, answer: Bytes) -> None:
        """Write what came in answer to what was wanted last."""
        content, begin = zlib.decompress(answer.compressed), 0
        lengths = iter(answer.lengths)
        for item, position, missing in self._asked:
            data = missing
            if isinstance(missing, Span):
                length = next(lengths)
                data = content[begin : begin + length]
                begin += length
                if length < missing.length and not item.problem:
                    item.problem = "it became shorter on its host, or cannot be read there"
            assert isinstance(data, bytes)
            if not item.problem:
                write_piece(Piece(str(item.partial), position, data, item.size))
                item.at = position + len(data)
        self._close_those_done()

    def outcome(self) -> FromHost:
        """What came so far."""
        return FromHost(
            host=self.host, files=self.done, bytes=self.came, cut=tuple(self.cut), missing=tuple(self.missing)
        )

    def _add(self, found: Found, place: str, parts: tuple[Part, ...], size: int, share: int) -> None:
        target = self._target(found)
        is_whole = not any(isinstance(part, Gap) for part in parts)
        if not is_whole:
            target = _cut_of(target)
        partial = target
        if not is_whole or target.suffix not in _GROWING:
            partial = target.with_name(f"{target.name}.{found.size}-{share}{PARTIAL}")
        if not is_whole and _size(target) == size:
            self._count(size)
            return
        item = _Item(found.path, place, parts, target, partial, size, min(_size(partial) or 0, size))
        if not size:
            write_piece(Piece(str(partial), 0, b"", 0))
        self._items.append(item)

    def _close_those_done(self) -> None:
        for item in self._items:
            if item.problem:
                self.missing.append(Missing(what=item.source, why=item.problem))
            elif item.at >= item.size:
                self._count(item.size)
                if item.partial != item.target:
                    item.partial.replace(item.target)
                    for older in item.target.parent.glob(f"{escape(item.target.name)}.*{PARTIAL}"):
                        older.unlink(missing_ok=True)
                if item.is_whole:
                    _cut_of(item.target).unlink(missing_ok=True)
        self._items = [item for item in self._items if not item.problem and item.at < item.size]

    def _count(self, size: int) -> None:
        self.done += 1
        self.came += size

    def _is_here(self, found: Found) -> bool:
        """Whether a file is here whole, as it is there now."""
        target = self._target(found)
        size = _size(target)
        return has_all(target, text_size(target) if size is None else size, found.size)  # it may be compressed by now

    def _has_to_be_cut(self, found: Found, share: int) -> bool:
        return share < found.size and found.path not in self._here

    def _target(self, found: Found) -> Path:
        return self.target / Path(found.path).relative_to(self.root)

    def _belongs(self, found: Found) -> bool:
        """Whether a file lies where the host was asked to look; a host that says otherwise is not believed."""
        path = Path(found.path)
        return path.is_relative_to(self.root) and ".." not in path.parts and found.size >= 0


def has_all(copy: Path, size: int | None, wanted: int) -> bool:
    """Whether a copy of so many bytes (None: there is none) has all of a file that has as many as `wanted`."""
    return size is not None and (size >= wanted if copy.suffix in _GROWING else size == wanted)


def _cut_of(target: Path) -> Path:
    return target.with_name(target.name + SUFFIX)


def _size(path: Path) -> int | None:
    try:
        return path.lstat().st_size
    except OSError:
        return None
