"""Which lines of a log are wanted, each with the time that it stands for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate
from typing import Final

from launcher.logs.blocks import underlying
from launcher.logs.grammar import level_of
from launcher.logs.grave import grave
from launcher.logs.lines import NO_LINES, Lines
from launcher.logs.record import Level
from launcher.logs.search import Search, Span
from launcher.logs.stamps import Correction, key_of, key_of_line, keys_of

_SPARSE: Final = 12  # as a power of two: bytes for each line that is found, from which on they are few
_REMEMBERED: Final = 1 << 14  # bytes of a block in which nothing was found: they may tell what time it was then


@dataclass(frozen=True)
class Selection:
    """The filters. A line has to pass all of them.

    `grep` finds one of its patterns in it. Its record is at least of this `level`. It was written not before `since`
    and not after `until`, seconds since the epoch.
    """

    grep: Search | None = None
    level: Level | None = None
    since: float | None = None
    until: float | None = None

    @property
    def since_key(self) -> str:
        """What no key of a line that is wanted is below."""
        if self.since is None:
            return ""
        key = key_of(self.since)
        return key[:14] + key[14:].rstrip("0")

    @property
    def until_key(self) -> str:
        """What no key of a line that is wanted is above."""
        return "~" if self.until is None else key_of(self.until) + "~"


@dataclass(frozen=True)
class Pace:
    """How time passes in a log that does not say: evenly, from when it was begun to when it was last written."""

    begun: float
    written: float
    size: int

    def key_at(self, offset: int) -> str:
        """The key of a line that begins there."""
        share = min(offset / self.size, 1.0) if self.size else 0.0
        return key_of(self.begun + (self.written - self.begun) * share)


class Selector:
    """Takes the lines of one log that are wanted, block after block.

    A line without a time has that of the line before it; at the beginning of a log, that of the first line that has
    one, unless the `pace` of the file comes to an earlier one. `midway` says that there are lines before the first
    block, the last of which had this `key`, if that is known.
    """

    def __init__(
        self,
        selection: Selection,
        correction: Correction | None = None,
        *,
        levels: bool = False,
        midway: bool = False,
        key: str = "",
    ) -> None:
        self._selection = selection
        self._since, self._until = selection.since_key, selection.until_key
        self.correction = correction
        self.pace = Pace(0.0, 0.0, 0)
        self._has_levels = levels or selection.level is not None
        self._grave = (
            grave() if not levels and selection.level is not None and selection.level >= Level.WARNING else None
        )
        self._midway = midway
        self._key = key
        self._level: Level | None = None
        self._passed_over: bytes = b""

    @property
    def is_over(self) -> bool:
        """Whether nothing more can come that is wanted."""
        return self._key > self._until

    def lines(self, offset: int, view: bytes | memoryview) -> Lines:
        """What is wanted of a block of whole lines that begins there."""
        grave_lines = None if self._grave is None else self._grave.spans(view)
        if grave_lines == [] and not self._wants(self._level):
            self._pass_over(view)
            return NO_LINES
        spans = None if self._selection.grep is None else self._selection.grep.spans(view)
        if not spans and spans is not None and not self._has_levels:
            self._pass_over(view)
            return NO_LINES
        if spans is not None and not self._has_levels:
            return self._found(offset, view, spans)
        block = bytes(view)
        self._catch_up()
        texts = BytesIO(block).readlines()
        offsets = list(accumulate(map(len, texts), initial=offset))[:-1] if self._has_levels else []
        stamps = keys_of(block, self.correction, texts)
        keys = self._filled(stamps, texts, offset)
        levels = self._leveled(texts, stamps, offsets, grave_lines, offset) if self._has_levels else []
        return self._chosen(Lines(keys, texts, offsets, levels), offset, spans)

    def _wants(self, level: Level | None) -> bool:
        return self._selection.level is None or (level or Level.DEBUG) >= self._selection.level

    def _chosen(self, lines: Lines, offset: int, spans: Sequence[Span] | None) -> Lines:
        """Those of all lines of a block that pass the filters."""
        first, last = bisect_left(lines.keys, self._since), bisect_right(lines.keys, self._until)
        if spans is None and self._selection.level is None:
            return lines if (first, last) == (0, len(lines.keys)) else lines.between(first, last)
        indices: Sequence[int] = range(first, last)
        if spans is not None:
            found = [bisect_left(lines.offsets, offset + begin) for begin, _ in spans]
            indices = found[bisect_left(found, first) : bisect_left(found, last)]
        if self._selection.level is not None:
            indices = [index for index in indices if self._wants(lines.levels[index])]
        return lines.at(indices)

    def _found(self, offset: int, view: bytes | memoryview, spans: Sequence[Span]) -> Lines:
        """The lines at these places: of the others only those are looked at that may say what time it was."""
        if len(spans) > len(view) >> _SPARSE:
            view = bytes(view)  # of which pieces are taken more quickly
        if isinstance(view, bytes):
            texts = [view[begin:end] for begin, end in spans]
        else:
            texts = [bytes(view[begin:end]) for begin, end in spans]
        keys = keys_of(b"".join(texts), self.correction, texts)
        block = underlying(view)
        if "" in keys:  # the line right above has one, mostly
            without = [index for index, key in enumerate(keys) if not key]
            above = [_line_above(block, spans[index][0]) for index in without]
            for index, key in zip(without, keys_of(b"".join(above), self.correction, above), strict=True):
                keys[index] = key
        if "" in keys:
            keys = self._timed(offset, block, spans, keys)
        else:
            keys = self._never_falling(keys)
            self._key = keys[-1]
        self._passed_over = bytes(view[max(spans[-1][1], len(view) - _REMEMBERED) :])
        lines = Lines(keys, texts, [], [])
        first, last = bisect_left(keys, self._since), bisect_right(keys, self._until)
        return lines if (first, last) == (0, len(keys)) else lines.between(first, last)

    def _timed(self, offset: int, block: bytes | bytearray, spans: Sequence[Span], keys: list[str]) -> list[str]:
        """The keys of all of these lines, of which those without a time have that of the nearest line above."""
        seen = 0
        for index, (begin, end) in enumerate(spans):
            key = keys[index] or self._key_above(block, begin, seen)
            if not seen and not key:
                self._catch_up()
            self._key = max(self._key, key)
            keys[index] = self._key or self.pace.key_at(offset + begin)
            seen = end
        return keys

    def _key_above(self, block: bytes | bytearray, end: int, since: int) -> str:
        """The key of the nearest line above this place that has one; "" when there is none from `since` on."""
        while end > since:
            begin = block.rfind(b"\n", 0, end - 1) + 1
            if key := key_of_line(bytes(block[begin:end]), self.correction):
                return key
            end = begin
        return ""

    def _pass_over(self, view: bytes | memoryview) -> None:
        """Take note of a block in which nothing was found."""
        end = bytes(view[-_REMEMBERED:])
        self._passed_over = end if len(end) == _REMEMBERED else (self._passed_over + end)[-_REMEMBERED:]

    def _catch_up(self) -> None:
        """Know what time it was at the end of what was passed over."""
        block, self._passed_over = self._passed_over, b""
        self._key = max(self._key, self._key_above(block, len(block), 0))

    def _filled(self, stamps: Sequence[str], texts: Sequence[bytes], offset: int) -> list[str]:
        """The keys of all lines: none is missing, and none below the one before it."""
        key = self._key
        filled = self._never_falling([key := (stamp or key) for stamp in stamps])
        unknown = bisect_right(filled, "")
        first = filled[unknown] if unknown < len(filled) else None
        for index in range(unknown):
            if first is not None and self._midway:
                filled[index] = first
            else:
                filled[index] = min(self.pace.key_at(offset), first or "~")
            offset += len(texts[index])
        if first is not None:
            self._key = filled[-1]
        return filled

    def _never_falling(self, keys: list[str]) -> list[str]:
        """These keys, none below the one before it."""
        if keys[0] >= self._key and sorted(keys) == keys:
            return keys
        return list(accumulate(keys, max, initial=self._key))[1:]

    def _leveled(
        self,
        texts: Sequence[bytes],
        stamps: Sequence[str],
        offsets: Sequence[int],
        grave_lines: Sequence[Span] | None,
        offset: int,
    ) -> list[Level | None]:
        """The level of each line's record: a line that has neither level nor time continues the one before.

        Where only `grave_lines` matter, others that begin a record are taken for INFO.
        """
        looked_at = None if grave_lines is None else {offset + begin for begin, _ in grave_lines}
        levels: list[Level | None] = []
        for text, stamp, place in zip(texts, stamps, offsets, strict=True):
            if looked_at is None or place in looked_at:
                level = level_of(text)
                if level is not None or stamp:
                    self._level = level
            elif stamp:
                self._level = Level.INFO
            levels.append(self._level)
        return levels


def _line_above(block: bytes | bytearray, end: int) -> bytes:
    """The line that ends there; an empty one above the first."""
    return bytes(block[block.rfind(b"\n", 0, end - 1) + 1 : end]) if end else b"\n"
