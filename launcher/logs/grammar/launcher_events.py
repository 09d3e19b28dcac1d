"""`events.jsonl` of npu-launch itself: one event a line, its time first, and the rank that it is about."""

from __future__ import annotations

import re

from launcher.logs.grammar.clock import Clock
from launcher.logs.grammar.header import Grammar, Header

_EVENT = re.compile(r'\{"time": ?(\d{9,11}(?:\.\d{1,9})?)[,}]', re.ASCII)
_RANK = re.compile(r'"rank": ?(\d{1,9})[,}]', re.ASCII)


def _event(match: re.Match[str], _clock: Clock) -> Header:
    rank = _RANK.search(match.string)
    return Header(match.string, float(match[1]), rank=None if rank is None else int(rank[1]))


GRAMMARS = (Grammar("{", '{"time":', _EVENT, _event),)
