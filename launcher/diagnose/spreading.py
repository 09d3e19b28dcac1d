"""Reads many logs at once: findings and facts of each, in several processes where that pays."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from launcher.diagnose.context import Context
from launcher.diagnose.finding import Finding
from launcher.diagnose.matching import find
from launcher.diagnose.root import FactReader
from launcher.diagnose.root.facts import Fact
from launcher.diagnose.rulebook import Rulebook
from launcher.logs.record import LogFile

if TYPE_CHECKING:
    from launcher.logs.grammar import Clock

_WORTHWHILE: Final = 48 << 20  # bytes, below which another process costs more than it saves
_MOST: Final = 4  # processes: each has the rules, some 40 MiB


class Reading(NamedTuple):
    """What one log came to; `trouble` is why it could not be read."""

    findings: list[Finding]
    facts: list[Fact]
    size: int = 0
    trouble: str = ""


def ready(rules: Rulebook) -> None:
    """Have what it takes to read logs by these rules, which is half the work of reading small ones."""
    find([], rules, watch=FactReader())


class _Reader:
    """Reads logs by these rules."""

    def __init__(self, rules: Rulebook, context: Context, clock: Clock | None) -> None:
        self._rules, self._context, self._clock = rules, context, clock
        ready(rules)

    def read(self, log: LogFile) -> Reading:
        reader = FactReader(self._clock)
        try:
            found = find([log], self._rules, self._context, self._clock, reader)
            return Reading(found, reader.facts, log.path.stat().st_size)
        except OSError as error:
            return Reading([], [], trouble=f"{log.name} could not be read: {error.strerror or error}")


def read_logs(logs: Sequence[LogFile], rules: Rulebook, context: Context, clock: Clock | None) -> Iterator[Reading]:
    """What each of these logs says, in their order; `size` is in bytes on disk.

    Processes are forked, after the rules have been made ready: only where this one has no other thread.
    """
    reader = _Reader(rules, context, clock)
    sizes = [_size(log) for log in logs]
    workers = min(len(os.sched_getaffinity(0)), _MOST, len(logs))
    if workers < 2 or sum(sizes) < _WORTHWHILE or threading.active_count() > 1:
        yield from map(reader.read, logs)
        return
    order = sorted(range(len(logs)), key=lambda index: -sizes[index])  # the longest first, so that none is left over
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), _begin, (reader,)) as pool:
        readings = {index: pool.submit(_read, logs[index]) for index in order}
        for index in range(len(logs)):
            yield readings.pop(index).result()


_reader: _Reader | None = None  # of a process that was forked for it


def _begin(reader: _Reader) -> None:
    global _reader  # what a forked process inherits, without a copy of all rules on the way
    _reader = reader


def _read(log: LogFile) -> Reading:
    assert _reader is not None
    return _reader.read(log)


def _size(log: LogFile) -> int:
    with suppress(OSError):
        return log.path.stat().st_size
    return 0
