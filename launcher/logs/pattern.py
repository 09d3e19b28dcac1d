"""What is looked for in logs, as hyperscan understands it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, cast

# What `re` and hyperscan read differently: the ends of the text, `{,3}`, `[:alpha:]`, flags turned off, and letters of
# more than one byte.
_ONLY_FOR_RE: Final = re.compile(r"\\[AZ]|\{,|\[:|\(\?[a-zA-Z]*-|[^\x00-\x7f]")

OnMatch = Callable[[int, int, int, int, Any], bool]  # pattern, begin, end, flags, context; whether to stop
Scan = Callable[[bytes | memoryview, OnMatch], bool]  # whether it came to the block's end


class Pattern(NamedTuple):
    """What is looked for in a line: a text as it stands, or a regular expression of Python's `re` on bytes."""

    text: str
    literal: bool = True
    ignore_case: bool = False


def database(searches: Sequence[re.Pattern[bytes]], patterns: Sequence[Pattern]) -> tuple[Scan | None, Sequence[int]]:
    """Hyperscan's scan for these patterns, and the indices of those that it cannot look for."""
    everything = range(len(patterns))
    try:
        import hyperscan
    except ImportError:
        return None, everything

    def scan_for(indices: Sequence[int]) -> Scan:
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        database.compile(
            expressions=[searches[index].pattern for index in indices],
            ids=list(indices),
            flags=[
                hyperscan.HS_FLAG_MULTILINE
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

    known = [index for index in everything if patterns[index].literal or not _ONLY_FOR_RE.search(patterns[index].text)]
    if not known:
        return None, everything
    try:
        return scan_for(known), sorted(set(everything).difference(known))
    except hyperscan.error:
        known = [index for index in known if is_known(index)]
    return scan_for(known) if known else None, sorted(set(everything).difference(known))
