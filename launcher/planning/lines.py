"""Lines for a person: wrapped between words, and nothing in them that drives a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

_WIDTH: Final = 80


def wrapped(first: str, indent: str, words: Iterable[str]) -> Iterator[str]:
    """The words behind `first`, and on further lines behind `indent`. Longer words than a line are not broken."""
    line = first
    is_empty = True
    for word in words:
        if not is_empty and len(line) + 1 + len(word) > _WIDTH:
            yield line
            line, is_empty = indent, True
        line += word if is_empty else f" {word}"
        is_empty = False
    yield line


def printable(line: str) -> str:
    """Control characters as escapes: a value of a recipe must not drive the terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)
