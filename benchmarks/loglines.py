"""Counts the numbered lines that ranks wrote and that arrived whole."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from payload import PADDING
from peers import RANKS

# A launcher may put a prefix, such as `[default3]:` or `rank 3 | `, before a line.
_WHOLE = re.compile(
    rb"^(?:.{0,80}?[\]:>|)] ?)?(?:\x1b\[[0-9;]*m)*rank (\d) line (\d{7}) " + PADDING.encode() + rb"\r?$"
)


def count_lines(files: Iterable[Path], lines: int) -> int:
    """How many of the `lines` of every rank stand whole in the files, each counted once."""
    seen = bytearray(RANKS * lines)
    for path in files:
        with path.open("rb") as file:
            for line in file:
                found = _WHOLE.match(line.rstrip(b"\n"))
                if found is not None:
                    seen[int(found[1]) * lines + int(found[2])] = 1
    return sum(seen)
