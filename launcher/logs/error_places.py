"""Where a log speaks of errors, found by the words that every logger has for them."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterator

_SIGNS = (b"ERROR", b"CRITICAL", b"FATAL", b"Traceback", b"Error:", b"Exception:")
_ERROR = re.compile(b"|".join(_SIGNS))
_LINES_BEFORE, _LINES_AFTER = 3, 6  # that are kept around an error ...
_MOST_AROUND = 1 << 14  # ... and bytes to either side, for lines may have no end
_BLOCK = 1 << 20


def error_places(file: io.BufferedReader, size: int, most: int, deadline: float) -> Iterator[tuple[int, int]]:
    """Where the first errors of a log are, (from, to) in bytes, with the lines around them; `most` bytes or so of them.

    Looks at the first `size` bytes, and not beyond the `deadline` (monotonic seconds). Raises OSError.
    """
    kept = 0
    while kept < most and time.monotonic() < deadline:
        block = file.read1(_BLOCK)  # which spans no gap
        at = file.tell() - len(block)
        if not block or at >= size:
            return
        if not block.endswith(b"\n"):
            block += file.readline(_MOST_AROUND)
        for begin, end in _around_errors(block):
            yield at + begin, at + end
            kept += end - begin
            if kept >= most:
                return


def _around_errors(block: bytes) -> Iterator[tuple[int, int]]:
    """Where errors are in whole lines, with the lines around them; those that touch are one."""
    if not any(sign in block for sign in _SIGNS):  # much faster than to search for any of them
        return
    last = (0, 0)
    for match in _ERROR.finditer(block):
        begin, end = match.span()
        for _ in range(_LINES_BEFORE + 1):
            begin = max(block.rfind(b"\n", 0, begin), 0)
        for _ in range(_LINES_AFTER + 1):
            end = block.find(b"\n", end) + 1 or len(block)
        begin = max(begin + (block[begin : begin + 1] == b"\n"), match.start() - _MOST_AROUND)
        end = min(end, match.end() + _MOST_AROUND)
        if begin <= last[1]:
            last = (last[0], max(end, last[1]))
        else:
            if last[1]:
                yield last
            last = (begin, end)
    if last[1]:
        yield last
