"""Reads lists of whole numbers as the kernel writes them: `0-23,48-71`."""

from __future__ import annotations

from launcher.hosts.reading.text import whole

MOST = 65535


def read_ranges(text: str) -> tuple[tuple[int, int], ...] | None:
    """(first, last) of each range, both of them part of it; None for a text that is no such list."""
    found = []
    for part in text.strip().split(",") if text.strip() else ():
        first, _, last = part.partition("-")
        low, high = whole(first), whole(last or first)
        if low is None or high is None or not low <= high <= MOST:
            return None
        found.append((low, high))
    return tuple(found)
