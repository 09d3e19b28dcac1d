"""The first error of each log: where to begin to read."""

from __future__ import annotations

from dataclasses import replace

from launcher.logs.lines import Lines
from launcher.logs.record import Level, LogFile
from launcher.logs.selection import Selection
from launcher.logs.stamps import keys_of
from launcher.logs.whole import Log, read_lines

_MOST = 20  # lines of one error


def first_error(log: Log, selection: Selection, size: int, *, levels: bool = False) -> tuple[LogFile, Lines] | None:
    """The first line of a log that is wanted and at least an error, and those that continue it; None: there is none.

    `size` is how much is read at a time.
    """
    wanted = replace(selection, level=max(selection.level or Level.ERROR, Level.ERROR))
    found = next(iter(read_lines(log, wanted, size, levels=levels)), None)
    if found is None:
        return None
    file, lines = found
    last = 1
    while last < min(len(lines.keys), _MOST) and _continues(lines, last):
        last += 1
    return file, lines.between(0, last)


def _continues(lines: Lines, index: int) -> bool:
    """Whether a line follows the one before it at once, and is no message of its own."""
    before = lines.offsets[index - 1] + len(lines.texts[index - 1])
    return lines.offsets[index] == before and keys_of(lines.texts[index]) == [""]
