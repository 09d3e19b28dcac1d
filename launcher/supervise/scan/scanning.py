"""One host's logs, from the first rank that runs to the last."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from launcher.diagnose.context import Context
from launcher.diagnose.finding import Finding
from launcher.diagnose.live import LiveScan
from launcher.diagnose.loading import rulebook
from launcher.diagnose.rulebook import Rulebook
from launcher.diagnose.run_context import context_of, recipe_of
from launcher.logs.pattern import Pattern, database
from launcher.logs.record import LogFile
from launcher.logs.safe import safe_line
from launcher.logs.sources.own import files_of_rank
from launcher.runs.store import RunDirectory
from launcher.supervise.scan.ranks import HostRanks
from launcher.supervise.scan.shim_events import ShimEvents

_PERIOD: Final = 1.0  # seconds between looks: ranks that train would wake somebody who waits for them all the time
_LIST_PERIOD: Final = 5.0  # seconds between looks at which files there are
_CALM: Final = 0.5  # seconds without an event after which the end of the last rank has been told
_WIDTH: Final = 300  # characters of a line


def scan(run: RunDirectory, host: str, goes_on: Callable[[], None]) -> None:
    """Look through the logs of the ranks of this host until none is left; `goes_on` is called before each step.

    Where hyperscan is installed and does not work nobody looks, as where it is not. Raises ShimGone, SpecError.
    """
    if not _hyperscan_works():
        return
    shim = ShimEvents(run.shim_socket(host))
    try:
        _Scan(run, shim, rulebook(), goes_on).go_on()
    finally:
        shim.close()


def _hyperscan_works() -> bool:
    scan, _ = database([re.compile(b"a text")], [Pattern("a text")])
    return scan is not None


class _Scan:
    """The logs of the ranks that run now, and when they were looked at."""

    def __init__(self, run: RunDirectory, shim: ShimEvents, rules: Rulebook, goes_on: Callable[[], None]) -> None:
        self._run = run
        self._shim = shim
        self._goes_on = goes_on
        self._rules = rules
        self._logs = LiveScan(rules)
        self._ranks = HostRanks()
        self._files: list[LogFile] = []
        self._of: dict[int, int] = {}
        self._context = Context()
        self._listed = 0.0  # monotonic seconds

    def go_on(self) -> None:
        """Until nothing runs any more. Raises ShimGone."""
        due = time.monotonic()
        while not self._is_over():
            self._goes_on()
            if (left := due - time.monotonic()) > 0:
                self._ranks.take_in(self._shim.take(left))
                continue
            self._look()
            due = time.monotonic() + _PERIOD

    def _is_over(self) -> bool:
        """Whether nothing runs, and no more is told: what has come may end with an attempt that others came after."""
        while self._ranks.is_over:
            events = self._shim.take(_CALM)
            if not events:
                return True
            self._ranks.take_in(events)
        return False

    def _look(self) -> None:
        self._see_which()
        for finding in self._logs.look(self._step_by_step(self._files), self._context, self._ranks.is_told):
            if self._ranks.are_to_tell(finding):
                self._shim.report(_fault(finding, self._rules))

    def _step_by_step(self, files: Iterable[LogFile]) -> Iterator[LogFile]:
        for file in files:
            self._goes_on()
            yield file

    def _see_which(self) -> None:
        """Which files the ranks have now, after some time or when other ranks run."""
        now, running = time.monotonic(), self._ranks.running
        if running == self._of and now - self._listed < _LIST_PERIOD:
            return
        if running and running != self._of:
            self._context = context_of(self._run, max(running.values()), recipe_of(self._run))
        self._of, self._listed = dict(running), now
        self._files = [file for rank, attempt in running.items() for file in files_of_rank(self._run, attempt, rank)]


def _fault(finding: Finding, rules: Rulebook) -> dict[str, Any]:
    """What the record is told."""
    shown = finding.evidence[0]
    return {
        "attempt": finding.file.attempt,
        "rank": finding.file.rank,
        "cause": finding.cause,
        "category": finding.category.value,
        "words": rules.causes[finding.cause].title.en,
        "file": shown.file,
        "line": shown.line,
        "text": safe_line(shown.text, _WIDTH),
    }
