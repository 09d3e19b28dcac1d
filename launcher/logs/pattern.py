"""What is looked for in logs, as hyperscan understands it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, NamedTuple, cast

# What `re` and hyperscan read differently: the ends of the text, `{,3}`, `[:alpha:]`, flags turned off, conditions, and
# letters of more than one byte.
_ONLY_FOR_RE: Final = re.compile(r"\\[AZ]|\{,|\[:|\(\?[a-zA-Z]*-|\(\?\(|[^\x00-\x7f]")
# An expression that stands for one text: no characters that mean anything but themselves, unless they are escaped.
_PLAIN: Final = re.compile(r"(?:[\x20-\x7e](?<![\\.^$*+?{}\[\]|()])|\\[!-/:-@\[-`{-~ ])+")
_ESCAPED: Final = re.compile(r"\\(.)")

_TO_THE_END: Final = rb"(?:%b)[^\n]*\n"
_WHOLE_LINE: Final = rb"^[^\n]*(?:%b)[^\n]*\n"

OnMatch = Callable[[int, int, int, int, Any], bool | None]  # pattern, begin, end, flags, context; whether to stop
Scan = Callable[[bytes | memoryview, OnMatch], bool]  # whether it came to the block's end


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
        return re.compile(pattern.text.encode(), flags)
    if "\n" in pattern.text or not pattern.text:
        raise re.error("a text to look for is part of one line", pattern.text)
    return re.compile(b"|".join(map(re.escape, _encodings(pattern.text))), flags)


def _encodings(text: str) -> list[bytes]:
    if text.isascii():
        return [text.encode()]
    return [text.encode(), *([gbk] if (gbk := text.encode("gbk", "ignore")) else [])]


def is_quick() -> bool:
    """Whether this machine has hyperscan, without which thousands of patterns take ten thousand times as long."""
    return find_spec("hyperscan") is not None


def database(
    searches: Sequence[re.Pattern[bytes]], patterns: Sequence[Pattern], *, lines: bool = False
) -> tuple[Scan | None, Sequence[int]]:
    """Hyperscan's scan for these patterns, and the indices of those that it cannot look for.

    Where whole `lines` are wanted, a match goes on to the end of its line, the newline included; and it begins where
    the line does when there are only texts to look for. Otherwise, nothing is known of where a match begins.
    """
    everything = range(len(patterns))
    from_begin = lines and all(pattern.literal for pattern in patterns)
    form = _WHOLE_LINE if from_begin else _TO_THE_END if lines else b"%b"
    try:
        import hyperscan
    except ImportError:
        return None, everything

    def scan_for(indices: Sequence[int]) -> Scan:
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        database.compile(
            expressions=[form % searches[index].pattern for index in indices],
            ids=list(indices),
            flags=[
                hyperscan.HS_FLAG_MULTILINE
                | (hyperscan.HS_FLAG_SOM_LEFTMOST if from_begin else 0)
                | (0 if patterns[index].literal else hyperscan.HS_FLAG_PREFILTER)
                | (hyperscan.HS_FLAG_CASELESS if patterns[index].ignore_case else 0)
                for index in indices
            ],
        )

        def scan(block: bytes | memoryview, on_match: OnMatch) -> bool:
            try:
                database.scan(cast(bytes, block), match_event_handler=on_match)  # any buffer will do
            except hyperscan.ScanTerminated:
                return False
            return True

        return scan

    def is_known(index: int) -> bool:
        try:
            scan_for([index])
        except hyperscan.error:
            return False
        return True

    known = [index for index in everything if patterns[index].literal or _is_read_alike(searches[index])]
    if not known:
        return None, everything
    try:
        return scan_for(known), sorted(set(everything).difference(known))
    except hyperscan.error:
        known = [index for index in known if is_known(index)]
    return scan_for(known) if known else None, sorted(set(everything).difference(known))


def _is_read_alike(search: re.Pattern[bytes]) -> bool:
    """Whether hyperscan finds an expression wherever `re` does, and in the same line.

    It tells where a match ends: of one that has no characters this is the end of one line and the beginning of another.
    """
    return not _ONLY_FOR_RE.search(search.pattern.decode()) and _least_width(search) > 0


def _least_width(search: re.Pattern[bytes]) -> int:
    """Bytes that a match has at least; what only looks around has none. Nothing public tells that."""
    parser = import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")
    return int(parser.parse(search.pattern, search.flags & re.IGNORECASE).getwidth()[0])
