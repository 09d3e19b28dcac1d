"""Relative changes of numbers, and a batch cut in other pieces."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_RELATIVE: Final = re.compile(r"(?P<operation>[*/+])(?P<number>[0-9]+(?:\.[0-9]+)?)")


class Amount(NamedTuple):
    """A change relative to what a value was: times, divided by, or more by a number."""

    operation: str
    number: float

    @classmethod
    def read(cls, text: str) -> Amount | None:
        """What "*2", "/2" or "+60" says; None for a text that says something else."""
        match = _RELATIVE.fullmatch(text.strip())
        if match is None or (match["operation"] == "/" and float(match["number"]) == 0):
            return None
        return cls(match["operation"], float(match["number"]))

    def of(self, value: float) -> float:
        """What a number becomes."""
        match self.operation:
            case "*":
                return value * self.number
            case "/":
                return value / self.number
        return value + self.number


def changed(before: object, amount: Amount) -> int | float | None:
    """What a number, or a text that is one, becomes; whole numbers stay whole, and at least 1. None for no number."""
    if isinstance(before, bool) or not isinstance(before, (int, float, str)):
        return None
    try:
        value = float(before)
    except ValueError:
        return None
    after = amount.of(value)
    is_whole = isinstance(before, int) or (isinstance(before, str) and before.strip().isdecimal())
    return max(int(after), 1) if is_whole else after


def regrouped(micro: int, times: int, amount: Amount | None) -> tuple[int, int] | None:
    """A micro batch of at most that size and how often it is accumulated, with the same product as before.

    Of 6 samples once become 3 twice, of 3 once 1 three times. None where it would not become smaller.
    """
    if amount is None:
        return None
    total = micro * times
    most = min(int(amount.of(micro)), micro - 1)
    found = next((size for size in range(max(most, 1), 0, -1) if total % size == 0), micro)
    return (found, total // found) if found < micro else None
