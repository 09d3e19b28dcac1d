"""The lines in which any of some patterns is found, and nothing else about them: for this there is a quicker way.

Hyperscan is given patterns that go on to the end of the line, so that it reports each line once, however often they are
in it, and nobody has to look for its end. It could say where the line begins, too: that takes five sixths of the time
where every third line is found, three times as long where one of a thousand is, and for some texts seconds to prepare.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from launcher.logs.blocks import underlying
from launcher.logs.pattern import Pattern, Report, Reported, compiled, database, simplest
from launcher.logs.scan import Scanner, line_around

Span = tuple[int, int]  # bytes of its block at which a line begins, and at which it ends with its newline


class Search:
    """Looks for any of some patterns in blocks of whole lines. Raises `re.error` for a pattern that is none.

    As with a `Scanner`, hyperscan is there for speed alone: what it says of expressions is confirmed by `re`.
    """

    def __init__(self, patterns: Sequence[Pattern], *, quick: bool = True) -> None:
        self._patterns = tuple(map(simplest, patterns))
        self._searches = [compiled(pattern) for pattern in self._patterns]
        self._is_quick = quick
        known, left = database(self._searches, self._patterns, Reported.NEXT_LINE) if quick else (None, ())
        self._database = None if left else known

    def spans(self, block: bytes | memoryview) -> list[Span]:
        """The lines of a block in which any pattern is found, in their order."""
        reports = None if self._database is None else self._database.reports(block)
        if reports is None:
            hits = self._scanner.hits(block)
            return _lines_around(bytes(block), hits) if hits else []
        content, size = underlying(block), len(block)
        found = self._confirmed(content, reports)
        ended = content.rfind(b"\n", 0, size) + 1
        if ended < size and any(search.search(content[ended:size]) for search in self._searches):
            found.append((ended, size))
        return found

    @cached_property
    def _scanner(self) -> Scanner:
        """What finds patterns that do not go on to the end of a line for hyperscan, and those in nearly every line."""
        return Scanner(self._patterns, quick=self._is_quick)

    def _confirmed(self, content: bytes | bytearray, reports: Sequence[Report]) -> list[Span]:
        """The lines that end where hyperscan reports one, as far as `re` agrees."""
        found: list[Span] = []
        after = 0  # where the line ends that was found last
        for end, index in reports:
            if end > after:
                begin = content.rfind(b"\n", 0, end - 1) + 1
                if self._patterns[index].literal or self._searches[index].search(content[begin : end - 1]):
                    found.append((begin, end))
                    after = end
        return found


def _lines_around(block: bytes, hits: Sequence[tuple[int, int]]) -> list[Span]:
    """The lines of these hits, each once."""
    found: list[Span] = []
    line_end = -1
    for hit in hits:
        if hit[1] > line_end:
            begin, line_end = line_around(block, hit)
            found.append((begin, min(line_end + 1, len(block))))
    return found
