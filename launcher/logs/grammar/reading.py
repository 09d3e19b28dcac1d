"""The records of a log on disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from launcher.logs.grammar.clock import THIS_MACHINE, Clock
from launcher.logs.grammar.lines import lines_of
from launcher.logs.grammar.reader import Reader
from launcher.logs.record import Record

# Logs of CANN and MindSpore, whose every message has a header (facts/logs.md, section 1).
_HEADED = re.compile(
    r"(?:plog|device|device-os|event)[-_]\d.*\.log|mindspore\..*\.log\..*|mindspore\.log\.\d+", re.ASCII
)


def read_records(
    path: Path, clock: Clock = THIS_MACHINE, begin: int = 0, end: int | None = None, *, line: int = 1
) -> Iterator[Record]:
    """The records of the lines that begin in a log at `begin` or later and before `end`.

    `begin` must be where a line begins, and `line` is the number of that line. Raises OSError.
    """
    reader = Reader(clock, offset=begin, line=line, headed=_HEADED.match(path.name) is not None)
    for offset, content in lines_of(path, begin, end):
        yield from reader.feed(content, offset)
    yield from reader.finish()
