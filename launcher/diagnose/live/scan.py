"""Looks through logs as they grow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from launcher.diagnose.context import Context
from launcher.diagnose.finding import Finding
from launcher.diagnose.live.appended import Appended
from launcher.diagnose.live.worth import worth_telling
from launcher.diagnose.matching import MOST_ALIKE, matcher_of, part_of_log
from launcher.diagnose.rulebook import Rulebook
from launcher.logs.record import LogFile

if TYPE_CHECKING:
    from launcher.logs.scan import Match

_AT_ONCE: Final = 4 << 20  # bytes of a log at a look: a log that is larger is caught up with at the next ones


@dataclass
class _Log:
    """What is known of one log; `waiting` are lines of the last look, of which the rest may not be written yet."""

    appended: Appended
    waiting: Sequence[Match] = ()
    alike: Counter[frozenset[int]] = field(default_factory=Counter)


class LiveScan:
    """The logs of some ranks, and what the rules find in them.

    A line is judged at the look after the one that read it, so that the rest of its message is there by then. Of lines
    with the same texts in them the first few of a log are looked at, as a diagnosis does, so that a storm of errors
    costs no more than the scan of it.
    """

    def __init__(self, rules: Rulebook) -> None:
        self._matcher = matcher_of(rules)
        self._logs: dict[Path, _Log] = {}

    def look(self, files: Iterable[LogFile], context: Context, is_told: Callable[[Finding], bool]) -> Iterator[Finding]:
        """What is found in the lines that the look before read, at most one finding a log; reads what has come since.

        `is_told` says which findings people have heard of. Logs that are not among `files` any more are forgotten.
        """
        looked: dict[Path, _Log] = {}
        for file in files:
            log = self._logs.get(file.path) or _Log(Appended(file.path, self._matcher.scanner))
            looked[file.path] = log
            finding = worth_telling(self._judged(file, log, context), is_told)
            log.waiting = [match for match in log.appended.look(_AT_ONCE) if _is_new(log, match)]
            if finding is not None:
                yield finding
        self._logs = looked

    def _judged(self, file: LogFile, log: _Log, context: Context) -> list[Finding]:
        if not log.waiting:
            return []
        with suppress(OSError):  # it is gone
            return self._matcher.findings(file, log.waiting, partial(part_of_log, file.path), context, None)
        return []


def _is_new(log: _Log, match: Match) -> bool:
    log.alike[match.patterns] += 1
    return log.alike[match.patterns] <= MOST_ALIKE
