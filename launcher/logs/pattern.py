"""What is looked for in logs: as a person says it, as `re` has it, and as hyperscan looks for it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, NamedTuple, cast

# What `re` and hyperscan read differently: the ends of the text, `\v`, `{,3}`, `[:alpha:]`, flags turned off, or on
# after the beginning, conditions, and letters of more than one byte.
_ONLY_FOR_RE: Final = re.compile(r"\\[AZv]|\{,|\[:|\(\?[a-zA-Z]*-|.\(\?[a-zA-Z]+\)|\(\?\(|[^\x00-\x7f]", re.DOTALL)
# An expression that stands for one text: no characters that mean anything but themselves, unless they are escaped.
_PLAIN: Final = re.compile(r"(?:[^\x00-\x1f\x7f\\.^$*+?{}\[\]|()]|\\[!-/:-@\[-`{-~ ])+")
_ESCAPED: Final = re.compile(r"\\(.)")

_WORTHWHILE: Final = 32  # bytes a report and pattern, below which hyperscan costs more than it saves

Report = tuple[int, int]  # where a match ends, in bytes from the block's beginning, and the pattern's index
_OnMatch = Callable[[int, int, int, int, Any], bool]  # pattern, begin, end, flags, context; whether to stop


class Reported(Enum):
    """Which place hyperscan is to report of a match; the value makes its expression of one."""

    END = b"%b"
    NEXT_LINE = rb"(?:%b)[^\n]*\n"  # where the line behind it begins: once a line, but not of one without a newline


class Pattern(NamedTuple):
    """What is looked for in a line: a text as it stands, or a regular expression of Python's `re` on bytes."""

    text: str
    literal: bool = True
    ignore_case: bool = False


def simplest(pattern: Pattern) -> Pattern:
    """The same as a text where an expression is no more than that: what hyperscan says of a text is the answer."""
    if pattern.literal or _PLAIN.fullmatch(pattern.text) is None:
        return pattern
    return pattern._replace(text=_ESCAPED.sub(r"\1", pattern.text), literal=True)


def compiled(pattern: Pattern) -> re.Pattern[bytes]:
    """A pattern as `re` has it; raises its error. A text that is not ASCII is looked for in UTF-8 and in GBK."""
    flags = re.IGNORECASE if pattern.ignore_case else re.RegexFlag(0)
    if not pattern.literal:
        return re.compile(_bytes_of(pattern.text), flags)
    if "\n" in pattern.text or not pattern.text:
        raise re.error("a text to look for is part of one line", pattern.text)
    return re.compile(b"|".join(map(re.escape, _encodings(pattern.text))), flags)


def _encodings(text: str) -> list[bytes]:
    if text.isascii():
        return [text.encode()]
    return [_bytes_of(text), *([gbk] if (gbk := text.encode("gbk", "ignore")) else [])]


def _bytes_of(text: str) -> bytes:
    """A text of the command line: what was no UTF-8 there is the bytes that it was."""
    return text.encode(errors="surrogateescape")


def is_quick() -> bool:
    """Whether this machine has hyperscan, without which thousands of patterns take ten thousand times as long."""
    return find_spec("hyperscan") is not None


class Database:
    """Patterns made ready for hyperscan, each with its index. Raises hyperscan.error for what it cannot look for."""

    def __init__(
        self, searches: Mapping[int, re.Pattern[bytes]], patterns: Sequence[Pattern], reported: Reported
    ) -> None:
        import hyperscan

        self._size = len(searches)
        self._stopped = hyperscan.ScanTerminated
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        self._database.compile(
            expressions=[reported.value % search.pattern for search in searches.values()],
            ids=list(searches),
            flags=[
                hyperscan.HS_FLAG_MULTILINE
                | (0 if patterns[index].literal else hyperscan.HS_FLAG_PREFILTER)
                | (hyperscan.HS_FLAG_CASELESS if patterns[index].ignore_case else 0)
                for index in searches
            ],
        )

    def reports(self, block: bytes | memoryview) -> list[Report] | None:
        """What it says of a block, in the order of places; None when that is more than `re` needs time to find."""
        reports: list[Report] = []
        add = reports.append
        most = len(block) // _WORTHWHILE * self._size + 1000

        def on_match(index: int, _begin: int, end: int, _flags: int, _context: object) -> bool:
            add((end, index))
            return len(reports) > most

        try:
            self._database.scan(cast(bytes, block), match_event_handler=on_match)  # any buffer will do
        except self._stopped:
            return None
        reports.sort()  # it promises no order
        return reports


def database(
    searches: Sequence[re.Pattern[bytes]], patterns: Sequence[Pattern], reported: Reported = Reported.END
) -> tuple[Database | None, Sequence[int]]:
    """These patterns ready for hyperscan, and the indices of those that it cannot look for."""
    everything = range(len(patterns))
    try:
        import hyperscan
    except ImportError:
        return None, everything

    def of(indices: Sequence[int]) -> Database:
        return Database({index: searches[index] for index in indices}, patterns, reported)

    def is_known(index: int) -> bool:
        try:
            of([index])
        except hyperscan.error:
            return False
        return True

    known = [index for index in everything if patterns[index].literal or _is_read_alike(searches[index])]
    if not known:
        return None, everything
    try:
        return of(known), sorted(set(everything).difference(known))
    except hyperscan.error:
        known = [index for index in known if is_known(index)]
    return of(known) if known else None, sorted(set(everything).difference(known))


def _is_read_alike(search: re.Pattern[bytes]) -> bool:
    """Whether hyperscan finds an expression wherever `re` does, and in the same line.

    It tells where a match ends: of one that has no characters this is the end of one line and the beginning of another.
    """
    return not _ONLY_FOR_RE.search(search.pattern.decode(errors="replace")) and _least_width(search) > 0


def _least_width(search: re.Pattern[bytes]) -> int:
    """Bytes that a match has at least; what only looks around has none. Nothing public tells that."""
    parser = import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")
    return int(parser.parse(search.pattern, search.flags & re.IGNORECASE).getwidth()[0])
