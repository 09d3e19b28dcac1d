"""A log from its beginning, or from a time on, in the lines that are wanted."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple

from launcher.logs.blocks import BLOCK, LONGEST_LINE, SEARCHED, blocks, views
from launcher.logs.forwards import ForwardReader
from launcher.logs.lines import NO_LINES, Lines
from launcher.logs.packed import existing, open_log
from launcher.logs.record import LogFile
from launcher.logs.selection import Pace, Selection, Selector
from launcher.logs.stamps import Correction, keys_of

_IN_MEMORY: Final = 16 << 20  # bytes of all logs together that are read ahead
_SMALLEST: Final = 1 << 13  # bytes that are read at a time
_MANY: Final = 256  # lines that are worth going on with ...
_TOGETHER: Final = 16  # ... and blocks after which fewer are
_PROBE: Final = 1 << 16  # bytes that are looked at to learn what time it was
_NEAR: Final = 1 << 20  # bytes; a place is not looked for more closely


class Part(NamedTuple):
    """A file of a log, as far as it is to be read: `size` bytes of its text, the last of which were `written` then."""

    file: LogFile
    size: int
    written: float


@dataclass(frozen=True)
class Log:
    """What one program wrote in one go, in one file, or in several as it was rotated.

    `begun` is when it began (seconds since the epoch; None: nobody knows), `correction` makes our time of its times.
    """

    parts: tuple[Part, ...]
    begun: float | None = None
    correction: Correction | None = None

    @property
    def file(self) -> LogFile:
        """Its latest file."""
        return self.parts[-1].file

    def pace_of(self, part: Part) -> Pace:
        """How time passes in a part of it, as far as anybody knows without reading."""
        begun = part.written if self.begun is None else min(self.begun, part.written)
        return Pace(begun, part.written, part.size)


def part_of(file: LogFile) -> Part | None:
    """All that there is of a file now; None for one that cannot be read."""
    try:
        with open_log(file.path) as opened:
            size = opened.seek(0, os.SEEK_END)
        path = existing(file.path)
        return None if path is None else Part(file, size, path.stat().st_mtime)
    except OSError:
        return None


def without_torn_line(part: Part) -> Part:
    """A part up to the end of its last whole line, for somebody who waits for the rest. Raises OSError."""
    size = _PROBE
    while True:
        begin = max(part.size - size, 0)
        for offset, block in reversed(list(blocks(part.file.path, begin, part.size, size))):
            if end := block.rfind(b"\n") + 1:
                return part._replace(size=offset + end)
        if not begin or size >= LONGEST_LINE:
            return part._replace(size=0 if not begin else part.size)
        size = min(size * 16, LONGEST_LINE)


def read_lines(log: Log, selection: Selection, size: int, *, levels: bool = False) -> Iterator[tuple[LogFile, Lines]]:
    """The lines of a log that are wanted, with the file that they are in.

    They come as they are found in blocks of about `size` bytes, those of blocks with few of them together: whatever is
    done next costs a little each time. What cannot be read any more, because it was removed or is damaged, ends its
    part.
    """
    selector = Selector(selection, log.correction, levels=levels, midway=selection.since is not None)
    for part in log.parts:
        held, looked_at = NO_LINES, 0
        with suppress(OSError):
            selector.pace = log.pace_of(part)
            begin = 0 if selection.since is None else offset_at(part, selection.since_key, log.correction)
            for offset, view in views(part.file.path, begin, part.size, size):
                held = held.and_then(selector.lines(offset, view))
                looked_at += 1
                if len(held.keys) >= _MANY or (held.keys and looked_at >= _TOGETHER):
                    yield part.file, held
                    held, looked_at = NO_LINES, 0
                if selector.is_over:
                    break
        if held.keys:
            yield part.file, held
        if selector.is_over:
            return


def block_size(logs: Sequence[Log], selection: Selection) -> int:
    """How much to read of each log at a time, for the memory of all of them not to grow with their number."""
    most = BLOCK if selection.grep is None else SEARCHED
    return max(min(_IN_MEMORY // max(len(logs), 1), most), _SMALLEST)


def offset_at(part: Part, key: str, correction: Correction | None = None) -> int:
    """Where a line begins before which nothing was written at the time of `key` or later. Raises OSError.

    It is found by halving, which a log without any times, or one that has to be unpacked from its beginning, is spared.
    """
    low, high = 0, part.size
    if only_forwards(part):
        return 0
    while high - low > _NEAR:
        middle = (low + high) // 2
        found = next((found for found in _keys_from(part, middle, correction) if found[1]), None)
        if found is None or found[0] >= high or found[1] >= key:
            high = middle
        else:
            low = found[0]
    return low


def _keys_from(part: Part, position: int, correction: Correction | None) -> Iterator[tuple[int, str]]:
    """The lines that begin in the bytes from this position on, each with its key."""
    for offset, block in blocks(part.file.path, position, min(position + _PROBE, part.size)):
        begin = block.find(b"\n") + 1
        for key in keys_of(block[begin:], correction) if begin else ():
            yield offset + begin, key
            begin = block.find(b"\n", begin) + 1


def only_forwards(part: Part) -> bool:
    """Whether a file has to be unpacked from its beginning whatever is wanted of it. Raises OSError."""
    with open_log(part.file.path) as opened:
        return isinstance(opened.raw, ForwardReader)
