"""What the value of an environment variable may be: a test, and the words for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from launcher.planning.ranktable.addresses import parse_ip


@dataclass(frozen=True)
class Values:
    """The values that a variable may have; `words` completes "expected ..."."""

    words: str
    accepts: Callable[[str], bool]


ANYTHING: Final = Values("any text", lambda _: True)
SWITCH: Final = Values("0 or 1", lambda text: text in ("0", "1"))
SECONDS: Final = Values("a whole number of seconds", lambda text: is_whole(text.removeprefix("-")))
ADDRESS: Final = Values("an IPv4 or IPv6 address", lambda text: parse_ip(text.partition("%")[0]) is not None)


def is_whole(text: str) -> bool:
    """Whether a text is a whole number from 0 up, of a length that no counter exceeds."""
    return text.isascii() and text.isdigit() and len(text) <= 19


def whole(low: int, high: int, what: str = "a whole number") -> Values:
    """A whole number in a range that includes both ends."""
    return Values(f"{what} from {low} to {high}", lambda text: is_whole(text) and low <= int(text) <= high)


def one_of(*choices: str) -> Values:
    """One of these words, spelt exactly so."""
    words = choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"
    return Values(words, lambda text: text in choices)


def matching(pattern: str, words: str) -> Values:
    """A text that a pattern matches as a whole."""
    compiled = re.compile(pattern, re.ASCII)
    return Values(words, lambda text: compiled.fullmatch(text) is not None)


def ranges(low: int, high: int, words: str) -> Values:
    """Numbers and ranges of numbers with commas between, such as `61000-61050,62000`."""

    def accepts(text: str) -> bool:
        for part in text.split(","):
            first, dash, last = part.partition("-")
            ends = [first, last] if dash else [first, first]
            if not all(is_whole(end) and low <= int(end) <= high for end in ends) or int(ends[0]) > int(ends[1]):
                return False
        return True

    return Values(words, accepts)
