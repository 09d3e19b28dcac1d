"""The parts of a report of MindSpore: titles between dashes, below an exception or an error of its C++ side.

facts/logs.md, section 3. The lines themselves are in `ascend`: they have the form of CANN's.
"""

from __future__ import annotations

import re

from launcher.logs.grammar.clock import Clock
from launcher.logs.grammar.header import Block, Grammar, Header
from launcher.logs.record import Level

_TITLE = re.compile(
    r"- ?(?:Ascend (?:Error|Warning) Message|Framework (?:Error|Unexpected Exception) \w+|C\+\+ Call Stack"
    r"|Python Call Stack|The Traceback of|Device load error message|Kernel Select)"
)


def _title(match: re.Match[str], _clock: Clock) -> Header:
    return Header(match.string, None, Level.ERROR, block=Block.SECTION)


GRAMMARS = (Grammar("-", "", _TITLE, _title),)
