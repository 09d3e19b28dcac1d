"""A stretch of a log around lines that a scanner pointed at: its lines, and the records that they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from launcher.logs.record import Record

if TYPE_CHECKING:
    from launcher.logs.grammar import Clock
    from launcher.logs.scan import Match

Read = Callable[[int, int], bytes]
"""Of a log, the bytes from an offset to another."""


@dataclass(frozen=True)
class Region:
    """Whole lines of a log, the first of which has the number `first`, and the records in them."""

    first: int
    lines: Sequence[str]
    records: Sequence[Record]

    @classmethod
    def around(cls, matches: Sequence[Match], reach: int, read: Read, clock: Clock) -> Region:
        """What stands within `reach` bytes of these lines, from the first whole line on to the end of a line."""
        from launcher.logs.grammar import Reader, decoded

        first, last = matches[0], matches[-1]
        begin = max(first.offset - reach, 0)
        before = read(begin, first.offset)
        if begin:
            cut = before.find(b"\n") + 1 or len(before)
            begin, before = begin + cut, before[cut:]
        end = last.offset + len(last.line) + 1 + reach
        after = read(first.offset, end)
        if len(after) == end - first.offset:
            after = after[: after.rfind(b"\n")]
        lines = (before + after).split(b"\n")
        number = first.number - before.count(b"\n")
        reader = Reader(clock, offset=begin, line=number)
        records = [record for line in lines for record in reader.feed(line)]
        return cls(number, [decoded(line) for line in lines], [*records, *reader.finish()])

    def line_of(self, record: Record, place: int) -> int:
        """The number of the line with this place of a record's text; a record's lines may lie between others'."""
        before = record.text.count("\n", 0, place)
        begin = record.text.rfind("\n", 0, place) + 1
        said = record.text[begin:].partition("\n")[0].strip()
        start = record.line + before - self.first
        for position in range(start, len(self.lines)):
            if said in self.lines[position]:
                return self.first + position
        return record.line + before

    def near(self, line: int, within: int) -> Iterator[tuple[int, str]]:
        """The lines, with their numbers, that are so many lines or fewer from a line."""
        begin = max(line - within - self.first, 0)
        for position in range(begin, min(line + within + 1 - self.first, len(self.lines))):
            yield self.first + position, self.lines[position]
