"""What a log that is there already says about progress, at a bounded cost."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from launcher.logs.metrics import LineReader
from launcher.logs.packed import open_log
from launcher.logs.progress import RankProgress, advance
from launcher.logs.trouble import Health

# The head of a log says how long training is and what the first loss was, its tail where it stands.
_HEAD_SHARE = 8
TOTAL_BUDGET = 16 << 20
_LEAST_BUDGET = 1 << 16
_BYTES_A_LINE = 1 << 10  # of the budget: to understand a line takes longer than to look for one in so many bytes


@dataclass(frozen=True)
class Survey:
    """What a log says, and the offset up to which it was looked at: follow it from there."""

    progress: RankProgress = field(default_factory=RankProgress)
    health: Health = field(default_factory=Health)
    offset: int = 0


def survey(path: Path, reader: LineReader, budget: int = TOTAL_BUDGET) -> Survey:
    """Read a log, or the head and the tail of one larger than `budget` bytes; a missing file says nothing."""
    try:
        with open_log(path) as log:
            parts = list(_parts(log, budget))
    except OSError:
        return Survey()
    progress, health, offset = RankProgress(), Health(), 0
    for start, data in parts:
        whole = whole_lines(data)
        for place, line in _chosen(list(reader.marked_lines(data[:whole])), budget // _BYTES_A_LINE):
            if (seen := reader.observe(line)) is not None:
                progress = advance(progress, seen)
                health = health.after(seen, start + place, line, progress.steps_done)
        offset = start + whole
    return Survey(progress, health, offset)


def share_of(ranks: int) -> int:
    """The budget for one of so many ranks' logs."""
    return max(TOTAL_BUDGET // max(ranks, 1), _LEAST_BUDGET)


def whole_lines(data: bytes) -> int:
    """How many bytes of a piece of log are lines that have their ends; a state of a progress bar is one."""
    return max(data.rfind(b"\n"), data.rfind(b"\r")) + 1


def _chosen(lines: Sequence[tuple[int, bytes]], most: int) -> Iterable[tuple[int, bytes]]:
    """At most so many of these lines: the first, the last, and in between every so manieth, for the shape of curves."""
    if len(lines) <= most:
        return lines
    head, tail = most // _HEAD_SHARE, most // 2
    every = (len(lines) - head - tail) // (most - head - tail) + 1
    return (*lines[:head], *lines[head:-tail:every], *lines[-tail:])


def _parts(log: BinaryIO, budget: int) -> Iterator[tuple[int, bytes]]:
    """The whole log, or its head and its tail, each piece with its offset and none with half a line at a cut."""
    size = log.seek(0, os.SEEK_END)
    if size <= budget:
        yield from _pieces(log, 0, size)
        return
    head = budget // _HEAD_SHARE
    for offset, data in _pieces(log, 0, head):
        yield offset, data[: whole_lines(data)]
    start = size - (budget - head)
    for offset, data in _pieces(log, start, size):
        begin = data.find(b"\n") + 1 if offset == start else 0
        yield offset + begin, data[begin:]


def _pieces(log: BinaryIO, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """What lies between two offsets; more than one piece where the middle of a log was given back."""
    log.seek(start)
    parts: list[bytes] = []
    offset = at = start
    while at < end and (data := log.read(end - at)):
        begin = log.tell() - len(data)
        if begin != at and parts:
            yield offset, b"".join(parts)
            parts = []
        offset = offset if parts else begin
        parts.append(data)
        at = begin + len(data)
    if parts:
        yield offset, b"".join(parts)
