"""Pieces that words are put together from, as far as they follow from the source alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from launcher.writing.shell.parsing import parse, source

if TYPE_CHECKING:
    from tree_sitter import Node

# A piece of a word: its text, and whether quotes keep it in one. None is where one word ends and the next begins.
Piece = tuple[str, bool] | None

_IN_QUOTES: Final = re.compile(r'\\(\n|["\\$`])')
_BARE: Final = re.compile(r"\\(\n|.)", re.DOTALL)
_RANGE: Final = re.compile(r"\{(-?[0-9]{1,18})\.\.(-?[0-9]{1,18})(?:\.\.(-?[0-9]{1,18}))?\}")
_ESCAPES: Final = {"n": "\n", "t": "\t", "\\": "\\", "'": "'", '"': '"'}
MOST_WORDS: Final = 4096  # that braces stand for


def several(items: tuple[str, ...], quoted: bool) -> Iterator[Piece]:
    """Each item as a word of its own."""
    for position, item in enumerate(items):
        if position:
            yield None
        yield item, quoted


def bare(text: str) -> str:
    """A text without quotes, its backslashes resolved."""
    return _BARE.sub(lambda match: match.group(1).strip("\n"), text)


def quoted_text(text: bytes) -> str:
    """A text from within double quotes, where a backslash is one before few characters only."""
    return _IN_QUOTES.sub(lambda match: match.group(1).strip("\n"), text.decode("utf-8", "surrogateescape"))


def escaped_text(text: str) -> str:
    """What is in `$'...'`."""
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match.group(1), match.group()), text)


def ranged(text: str) -> range | None:
    """The numbers of `{0..7}`; None for other braces."""
    match = _RANGE.fullmatch(text)
    if match is None:
        return None
    first, last, step = int(match[1]), int(match[2]), abs(int(match[3] or 1)) or 1
    return range(first, last + 1, step) if first <= last else range(first, last - 1, -step)


def sum_in(node: Node) -> Node | None:
    """A `$((...))` that the grammar, within `for ((...))`, takes for a `$(...)`."""
    if not source(node).startswith("$(("):
        return None
    value = parse(f"x={source(node)}").named_children[0].child_by_field_name("value")
    return value if value is not None and value.type == "arithmetic_expansion" else None


def named(subject: Node) -> tuple[str, str | None]:
    """The variable of a `${...}`, and the index as it is written."""
    if subject.type != "subscript":
        return source(subject), None
    name, index = subject.child_by_field_name("name"), subject.child_by_field_name("index")
    return source(name) if name else "", source(index) if index else ""
