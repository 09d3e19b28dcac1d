"""Has the logs of attempts that failed looked into, by a process that neither the run nor its end waits for."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from subprocess import Popen

from launcher.diagnose.kept import kept
from launcher.diagnose.verdict import Verdict
from launcher.errors import NpuLaunchError
from launcher.runs.events import Diagnosed, Event, Proposal
from launcher.runs.state import AttemptState
from launcher.runs.store import RunDirectory
from launcher.supervise.detached import start_diagnosis
from launcher.supervise.patience import within

_log = logging.getLogger(__name__)
_LOOK = 0.05  # seconds between looks at whether the process has ended
_FOR_EVIDENCE = 10.0  # seconds that the logs of other hosts have to come before a diagnosis begins


class Diagnoses:
    """Of one run. `tell` writes an event down; `gathered` returns when an attempt's logs of other hosts are here."""

    def __init__(
        self, run: RunDirectory, tell: Callable[[Event], None], gathered: Callable[[int], Awaitable[None]]
    ) -> None:
        self._run = run
        self._tell = tell
        self._gathered = gathered
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def see_to(self, attempt: AttemptState | None) -> None:
        """Begin, once, when an attempt that failed has ended everywhere: then its logs are whole."""
        if attempt is None or attempt.ended is None or (attempt.failed is None and attempt.lost_host is None):
            return
        if attempt.diagnosed is None and attempt.number not in self._tasks:
            self._tasks[attempt.number] = asyncio.create_task(self._diagnose(attempt.number))

    def cancel(self) -> None:
        """Wait for nothing more. What has begun goes on, so that it is done when somebody asks."""
        for task in self._tasks.values():
            task.cancel()

    async def _diagnose(self, attempt: int) -> None:
        try:
            await self._wait_for_evidence(attempt)
        finally:  # a run that ends meanwhile is all the more to be diagnosed
            process = self._start(attempt)
        while process is not None and process.poll() is None:
            await asyncio.sleep(_LOOK)
        self._tell(_event(attempt, kept(self._run, attempt)))

    async def _wait_for_evidence(self, attempt: int) -> None:
        try:
            await within(self._gathered(attempt), _FOR_EVIDENCE)
        except asyncio.TimeoutError:
            _log.info("attempt %d is diagnosed before all its logs are here", attempt)

    def _start(self, attempt: int) -> Popen[bytes] | None:
        try:
            return start_diagnosis(self._run, attempt)
        except NpuLaunchError as error:
            _log.warning("attempt %d is not diagnosed: %s", attempt, error)
            return None


def _event(attempt: int, found: Verdict | None) -> Diagnosed:
    """What the record keeps of a diagnosis."""
    if found is None:
        return Diagnosed(time=time.time(), attempt=attempt, words="the diagnosis failed: see supervisor.log")
    return Diagnosed(
        time=time.time(),
        attempt=attempt,
        cause=found.cause,
        confidence=found.confidence,
        rank=found.root.rank if found.root is not None else None,
        words=found.title,
        proposals=tuple(
            Proposal(id=each.id, overrides=each.overrides, words=each.words)
            for each in found.suggestions
            if each.overrides
        ),
    )
