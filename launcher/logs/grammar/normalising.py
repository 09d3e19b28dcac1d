"""What lines that say the same of different things have in common."""

from __future__ import annotations

import re

# Hexadecimal, also without 0x where it is long and holds a digit (thread ids, hashes); numbers, IP addresses, versions.
_VARYING = re.compile(
    r"0[xX][0-9a-fA-F]+"
    r"|\b(?=[a-f]*\d)[0-9a-f]{8,}(?:(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?\b"
    r"|\d+(?:\.\d+)*(?:[eE][-+]?\d+)?",
    re.ASCII,
)
_BAR = re.compile(r"(?<=%\|)[^|]*(?=\|)")


def normalised(text: str) -> str:
    """A text with `#` for each of its numbers, addresses and hexadecimal ids, and for the length of a progress bar.

    Ranks, devices, process ids, times, sizes and the numbers in paths are numbers too: lines that differ only in these
    are equal afterwards. What is no number any more ("nan", "inf") stays.
    """
    if "%|" in text:
        text = _BAR.sub("#", text)
    return _VARYING.sub("#", text)
