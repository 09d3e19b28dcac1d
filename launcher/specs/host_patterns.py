"""Host lists as Slurm writes them: `node[001-064]`, `node[001-003,007],gpu1`, `10.0.0.[11-74]`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Final

MOST_NAMES: Final = 65536

_BRACKET = re.compile(r"\[([^][]*)\]")
_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?", re.ASCII)


class BadPattern(ValueError):
    """A pattern that stands for no list of names; the message goes on from `is '...', which `."""


@dataclass(frozen=True)
class _Range:
    """Numbers with at least `width` digits."""

    low: int
    high: int
    width: int

    @property
    def count(self) -> int:
        return self.high - self.low + 1

    def __iter__(self) -> Iterator[str]:
        return (f"{number:0{self.width}}" for number in range(self.low, self.high + 1))


def is_pattern(text: str) -> bool:
    """Whether a text stands for several names, or would if it were sound."""
    return any(character in text for character in "[],")


def expand(pattern: str) -> tuple[str, ...]:
    """The names that a pattern stands for, in the order written; of several brackets the last one counts fastest.

    Raises BadPattern, also for more than 65536 names, before any of them is made.
    """
    items = list(_items(pattern))
    total = sum(prod(_counts(item)) for item in items)
    if total > MOST_NAMES:
        raise BadPattern(f"stands for {total} names, more than the {MOST_NAMES} that a cluster may have")
    return tuple(name for item in items for name in _names(item))


def inner_count(pattern: str) -> int | None:
    """How many values the last of several brackets has; None for a pattern of another form. Raises BadPattern."""
    items = list(_items(pattern))
    numbers = _counts(items[0])
    return numbers[-1] if len(items) == 1 and len(numbers) > 1 else None


def _counts(item: str) -> tuple[int, ...]:
    return tuple(sum(part.count for part in ranges) for ranges in _brackets(item))


def _names(item: str) -> Iterator[str]:
    literals = _BRACKET.split(item)[::2]
    for values in product(*(tuple(text for part in ranges for text in part) for ranges in _brackets(item))):
        yield "".join(part for pair in zip(literals, (*values, ""), strict=True) for part in pair)


def _items(pattern: str) -> Iterator[str]:
    """The parts between the commas that are in no bracket."""
    depth, start = 0, 0
    for position, character in enumerate(pattern):
        depth += {"[": 1, "]": -1}.get(character, 0)
        if depth not in (0, 1):
            raise BadPattern("has a bracket in a bracket" if depth > 0 else "closes a bracket that is not open")
        if character == "," and depth == 0:
            yield _item(pattern[start:position])
            start = position + 1
    if depth:
        raise BadPattern("has a bracket that is not closed")
    yield _item(pattern[start:])


def _item(text: str) -> str:
    if not text.strip():
        raise BadPattern("has a comma with no name beside it" if text == "" else "has a name of nothing but spaces")
    return text.strip()


def _brackets(item: str) -> list[tuple[_Range, ...]]:
    return [tuple(_range(text) for text in inside.split(",")) for inside in _BRACKET.findall(item)]


def _range(text: str) -> _Range:
    match = _RANGE.fullmatch(text)
    if match is None:
        what = f"has {text!r} in its brackets" if text else "has nothing where a number should be"
        raise BadPattern(f"{what}: a number, or a range such as 001-064, is wanted")
    low, high = match.group(1), match.group(2) or match.group(1)
    padded = any(len(bound) > 1 and bound.startswith("0") for bound in (low, high))
    if padded and len(low) != len(high):
        raise BadPattern(f"has the range {text}: write both numbers with as many digits")
    if int(high) < int(low):
        raise BadPattern(f"has the range {text}, which runs backwards: write {high}-{low}")
    return _Range(int(low), int(high), len(low) if padded else 1)
