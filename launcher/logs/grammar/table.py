"""The table of grammars: which are tried on a line, by its first character."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from launcher.logs.grammar import (
    ascend,
    glog,
    launcher_events,
    mindspore,
    python_errors,
    python_logging,
    system,
    torch_npu,
)
from launcher.logs.grammar.clock import Clock
from launcher.logs.grammar.header import Block, Grammar, Header

_MESSAGES = (*ascend.GRAMMARS[:1], *torch_npu.GRAMMARS, *glog.GRAMMARS, *ascend.GRAMMARS[1:])
_LOGGERS = (*system.GRAMMARS, *python_logging.GRAMMARS)
_WORDS = (*python_errors.GRAMMARS, *mindspore.GRAMMARS, *launcher_events.GRAMMARS)

# A logger passes on what others said: a message of these kinds inside one of its own tells more than the logger does.
_PASSED_ON = (*_MESSAGES, *_WORDS)


class _Entry(NamedTuple):
    """A grammar, ready to be tried on a line."""

    marker: str
    match: Callable[[str], re.Match[str] | None]
    read: Callable[[re.Match[str], Clock], Header | None]
    by_logger: bool


def _by_first(grammars: tuple[Grammar, ...]) -> dict[str, tuple[_Entry, ...]]:
    return {
        first: tuple(
            _Entry(grammar.marker, grammar.pattern.match, grammar.read, grammar in _LOGGERS)
            for grammar in grammars
            if first in grammar.first
        )
        for first in {character for grammar in grammars for character in grammar.first}
    }


_TABLE = _by_first((*_MESSAGES, *_LOGGERS, *_WORDS))
_INNER = _by_first(_PASSED_ON)

# No header is longer, in characters; of the longest lines the rest is not looked at.
_HEAD = 1024


def header_of(text: str, clock: Clock) -> Header | None:
    """What the beginning of a line (without prefixes and control characters) says; None when it begins no message."""
    if len(text) > _HEAD:
        header = header_of(text[:_HEAD], clock)
        return header if header is None else header._replace(text=header.text + text[_HEAD:])
    if text[:1] == " " and (inside := text.lstrip(" "))[:1] == "[":  # of others, moved to the right in a report
        header = header_of(inside, clock)
        if header is not None and (header.time is not None or header.block is Block.MORE):
            return header
    for marker, match_at_begin, read, by_logger in _TABLE.get(text[:1], ()):
        if (
            marker in text
            and (match := match_at_begin(text)) is not None
            and (header := read(match, clock)) is not None
        ):
            return _logged(text, header, clock) if by_logger else header
    return None


def _logged(text: str, outer: Header, clock: Clock) -> Header:
    """The message of a logger, or the one that it passed on with what only the logger says of it."""
    logged = text[: len(text) - len(outer.text)]
    text = outer.text
    for marker, match_at_begin, read, _by_logger in _INNER.get(text[:1], ()):
        if marker in text and (match := match_at_begin(text)) is not None and (inner := read(match, clock)) is not None:
            return inner._replace(
                time=outer.time if inner.time is None else inner.time,
                level=outer.level if inner.level is None else inner.level,
                module=inner.module or outer.module,
                pid=outer.pid if inner.pid is None else inner.pid,
                rank=outer.rank if inner.rank is None else inner.rank,
                place=inner.place or outer.place,
                logged=logged,
            )
    return outer._replace(logged=logged)
