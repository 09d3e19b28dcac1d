"""When a line was written and how grave it is, without the rest of its record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from launcher.logs.grammar.clock import SECONDS_KEPT, THIS_MACHINE, Clock, iso_time
from launcher.logs.grammar.header import Header, level_named
from launcher.logs.grammar.pieces import messages_in
from launcher.logs.grammar.prefixes import split_prefix
from launcher.logs.grammar.table import header_of
from launcher.logs.record import Level

# So much of a line is looked at, in bytes: more than any header takes, prefixes included.
_HEAD = 4096

# What most lines of the largest logs begin with, read without a detour: CANN's, and MindSpore's from C++. `header_of`
# would read the same from them, more slowly.
_COMMON = re.compile(
    rb"\[(DEBUG|INFO|WARNING|ERROR|EVENT|TRACE)\] ?(?!KERNEL)\w+\([^()\[\r\x1b]{0,99}\): ?"
    rb"(\d{4}-\d\d-\d\d-\d\d:\d\d:\d\d)\.(\d{3})\.(\d{3})"
)


def stamp_of(line: bytes, clock: Clock = THIS_MACHINE) -> float | None:
    """The time that a line carries, in seconds since the epoch; None for a line without a stamp.

    Of messages that share the line the first that has a stamp counts.
    """
    common = _COMMON.match(line)
    if common is not None:
        second = _second(common[2], clock)
        return None if second is None else second + int(common[3] + common[4]) / 1_000_000
    for header, time in _headers(line, clock):
        if header is not None and header.time is not None:
            return header.time
        if time is not None:
            return time
    return None


def level_of(line: bytes) -> Level | None:
    """How grave a line says its message is, the gravest of those that share the line; None when it does not say."""
    common = _COMMON.match(line)
    if common is not None and line.find(b"):2", common.end()) < 0 and line.find(b"(PID:", common.end()) < 0:
        return level_named(common[1].decode())
    levels = [header.level for header, _time in _headers(line, THIS_MACHINE) if header and header.level]
    return max(levels, default=None)


def _headers(line: bytes, clock: Clock) -> Iterator[tuple[Header | None, float | None]]:
    for text in messages_in(line[:_HEAD]):
        prefix = split_prefix(text, clock)
        if prefix is None:
            yield header_of(text, clock), None
        else:
            yield header_of(prefix.text, clock), prefix.time


@lru_cache(maxsize=SECONDS_KEPT)
def _second(stamp: bytes, clock: Clock) -> float | None:
    return iso_time(stamp.decode(), clock)
