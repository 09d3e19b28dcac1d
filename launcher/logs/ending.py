"""The last lines of many logs together, read from their ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from launcher.logs.blocks import LONGEST_LINE, blocks
from launcher.logs.lines import NO_LINES, Lines
from launcher.logs.record import LogFile
from launcher.logs.selection import Selection, Selector
from launcher.logs.stamps import keys_of
from launcher.logs.whole import Log, Part, only_forwards

_FIRST: Final = 1 << 16  # bytes that are looked at of each log to begin with; then twice as many each time ...
_LARGEST: Final = 1 << 22  # ... up to this

Piece = tuple[LogFile, Lines]


def last_lines(logs: Sequence[Log], selection: Selection, count: int, *, levels: bool = False) -> list[list[Piece]]:
    """Of each log the lines that are wanted and may be among the last `count` of all, in their order.

    Of a log without any times in its end, the times are those of its pace. What cannot be read is left out.
    """
    latest: list[str] = []  # keys of the last lines that were found so far
    found = []
    for log in logs:
        pieces = _last_of(log, selection, count, latest, levels=levels) if count > 0 else []
        latest = sorted([*latest, *(key for _, lines in pieces for key in lines.keys)])[-count:]
        found.append(pieces)
    return found


def _last_of(log: Log, selection: Selection, count: int, latest: Sequence[str], *, levels: bool) -> list[Piece]:
    pieces: list[Piece] = []
    missing = count
    for part in reversed(log.parts):
        try:
            read = _from_the_beginning if only_forwards(part) else _from_the_end
            for lines, earliest in read(log, part, selection, missing, levels):
                kept = lines.between(max(len(lines.keys) - missing, 0), len(lines.keys))
                missing -= len(kept.keys)
                if kept.keys:
                    pieces.insert(0, (part.file, kept))
                if not missing or (earliest and len(latest) == count and earliest < latest[0]):
                    return pieces
        except OSError:
            continue
    return pieces


_Read = Iterator[tuple[Lines, str]]
"""What is wanted of some lines, and the key of the first of these lines, "" when it is not known."""


def _from_the_end(log: Log, part: Part, selection: Selection, _count: int, levels: bool) -> _Read:
    end, size = part.size, _FIRST
    while end > 0:
        pieces = _whole_lines(part, max(end - size, 0), end, size)
        if pieces:
            begin, block = pieces[0]
            earliest = keys_of(block[: block.find(b"\n") + 1], log.correction)[0] or _key_before(log, part, begin)
            selector = Selector(selection, log.correction, levels=levels, midway=begin > 0, key=earliest)
            selector.pace = log.pace_of(part)
            found = NO_LINES
            for offset, block in pieces:
                found = found.and_then(selector.lines(offset, block))
            yield found, earliest
            end, size = begin, min(2 * size, _LARGEST)
        else:  # one line, or a gap
            end, size = (end if size < LONGEST_LINE else max(end - size, 0)), min(4 * size, LONGEST_LINE)


def _whole_lines(part: Part, begin: int, end: int, size: int) -> list[tuple[int, bytes]]:
    """The lines that begin between these offsets, in blocks with their offsets."""
    found = []
    for offset, block in blocks(part.file.path, begin, end, size):
        first = block.find(b"\n") + 1 if offset == begin > 0 else 0  # what comes before begins before `begin`
        if first < len(block) and (first or offset != begin or not begin):
            found.append((offset + first, block[first:]))
    return found


def _key_before(log: Log, part: Part, end: int) -> str:
    """The key of the nearest line above this offset that has one, "" when there is none near it."""
    size = _FIRST
    while end > 0 and size <= _LARGEST:
        pieces = _whole_lines(part, max(end - size, 0), end, size)
        for _, block in reversed(pieces):
            if key := next(filter(None, reversed(keys_of(block, log.correction))), ""):
                return key
        end, size = pieces[0][0] if pieces else end, 4 * size
    return ""


def _from_the_beginning(log: Log, part: Part, selection: Selection, count: int, levels: bool) -> _Read:
    """For what can only be unpacked from there."""
    selector = Selector(selection, log.correction, levels=levels)
    selector.pace = log.pace_of(part)
    found = NO_LINES
    for offset, block in blocks(part.file.path, 0, part.size):
        found = found.and_then(selector.lines(offset, block))
        found = found.between(max(len(found.keys) - count, 0), len(found.keys))
    yield found, ""
