"""`events.jsonl` of npu-launch itself: one event a line, its time first."""

from __future__ import annotations

import re

from launcher.logs.grammar.clock import Clock
from launcher.logs.grammar.header import Grammar, Header

_EVENT = re.compile(r'\{"time": ?(\d{9,11}(?:\.\d{1,9})?)[,}]', re.ASCII)


def _event(match: re.Match[str], _clock: Clock) -> Header:
    return Header(match.string, float(match[1]))


GRAMMARS = (Grammar("{", '{"time":', _EVENT, _event),)
