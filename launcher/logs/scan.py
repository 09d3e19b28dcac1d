"""Which of many patterns stand in the lines of a log: hyperscan looks for all of them at once, `re` decides.

Hyperscan is there for speed alone. It points at lines, and what it says of regular expressions is confirmed by Python's
`re`, line by line; so the answers are the same on a machine where it is not installed, which only waits longer for
them. Measured on 48 MB of plog with 159 literals, on one core: 2.4 GB/s from Python, where pyahocorasick does 0.02.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from launcher.logs.blocks import views
from launcher.logs.pattern import Pattern, Report, compiled, database, simplest

Hit = tuple[int, int]  # a pattern's index, and the offset at which a match ends


class Match(NamedTuple):
    """A line in which some patterns (by index) were found; `offset` in its file, `number` from 1 where the scan began.

    The line is without the newline that ends it.
    """

    offset: int
    line: bytes
    patterns: frozenset[int]
    number: int


class Scanner:
    """Looks for patterns in blocks of whole lines. Raises `re.error` for a pattern that is none.

    `quick=False` leaves hyperscan out, as on a machine without it.
    """

    def __init__(self, patterns: Sequence[Pattern], *, quick: bool = True) -> None:
        self._patterns = tuple(map(simplest, patterns))
        self._searches = [compiled(pattern) for pattern in self._patterns]
        self._literal = [pattern.literal for pattern in self._patterns]
        self._database, left = database(self._searches, self._patterns) if quick else (None, range(len(self._patterns)))
        self._slow = [(index, self._searches[index].search) for index in left if not self._literal[index]]
        texts = [self._searches[index] for index in left if self._literal[index]]
        self._texts = [index for index in left if self._literal[index]]
        self._any_text = re.compile(b"|".join(map(_grouped, texts))) if texts else None

    def hits(self, block: bytes | memoryview) -> list[Hit]:
        """For each line of the block and each pattern in it, once: the pattern and where its first match there ends.

        In the order of these places. A match lies within one line, and ends at the latest before its newline.
        """
        found: list[Hit] = []
        if self._database is not None:
            reports = self._database.reports(block)
            if reports is None:
                return self._without_hyperscan.hits(block)
            found = self._confirmed(bytes(block), reports) if reports else []
        block = bytes(block) if self._slow or self._any_text is not None else b""
        if self._slow or self._any_text is not None:
            found += self._slow_hits(block)
        found.sort(key=lambda hit: (hit[1], hit[0]))
        return found

    @cached_property
    def _without_hyperscan(self) -> Scanner:
        return Scanner(self._patterns, quick=False)

    def _confirmed(self, block: bytes, reports: Sequence[Report]) -> list[Hit]:
        """The hits among what hyperscan reports."""
        found: list[Hit] = []
        begin, line_end = 0, -1
        seen: set[int] = set()
        for end, index in reports:
            if end - 1 > line_end or line_end < 0:
                begin = block.rfind(b"\n", 0, end - 1) + 1
                line_end = _line_end(block, end - 1)
                seen.clear()
            if index in seen:
                continue
            seen.add(index)
            if self._literal[index]:
                found.append((index, end))
            elif match := self._searches[index].search(block[begin:line_end]):
                found.append((index, begin + match.end()))
        return found

    def _slow_hits(self, block: bytes) -> Iterator[Hit]:
        """The same for the patterns that hyperscan does not know."""
        if self._slow:
            begin = 0
            lines = block.split(b"\n")
            for line in lines if lines[-1] else lines[:-1]:
                for index, search in self._slow:
                    if match := search(line):
                        yield index, begin + match.end()
                begin += len(line) + 1
        position = 0
        while self._any_text is not None and (somewhere := self._any_text.search(block, position)):
            begin = block.rfind(b"\n", 0, somewhere.start()) + 1
            position = _line_end(block, somewhere.start())
            line = block[begin:position]
            for index in self._texts:
                if match := self._searches[index].search(line):
                    yield index, begin + match.end()


def matching_lines(path: Path, scanner: Scanner, begin: int = 0, end: int | None = None) -> Iterator[Match]:
    """The lines of a log in which any pattern is found, from the offset `begin`, where a line begins, up to `end`.

    Offsets are those of the text, also in a log that is kept compressed. Memory does not grow with the log, unless its
    lines do. Raises OSError.
    """
    number = 1
    for offset, view in views(path, begin, end):
        counted = 0
        block = bytes(view)
        for match in _lines_of(block, scanner.hits(view)):
            number += block.count(b"\n", counted, match.offset)
            counted = match.offset
            yield match._replace(offset=offset + match.offset, number=number)
        number += block.count(b"\n", counted)


def _lines_of(block: bytes, hits: Sequence[Hit]) -> Iterator[Match]:
    ends = [end for _, end in hits]
    turn = 0
    while turn < len(hits):
        begin, line_end = line_around(block, hits[turn])
        after = bisect_left(ends, line_end + 1, turn)
        yield Match(begin, block[begin:line_end], frozenset(index for index, _ in hits[turn:after]), 0)
        turn = after


def line_around(block: bytes, hit: Hit) -> tuple[int, int]:
    """Where the line of a hit begins, and where it ends, without its newline."""
    return block.rfind(b"\n", 0, hit[1]) + 1, _line_end(block, hit[1])


def _line_end(block: bytes, position: int) -> int:
    end = block.find(b"\n", position)
    return len(block) if end < 0 else end


def _grouped(search: re.Pattern[bytes]) -> bytes:
    return b"(?%s:%s)" % (b"i" if search.flags & re.IGNORECASE else b"", search.pattern)
