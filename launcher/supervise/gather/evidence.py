"""Sees to it that what the hosts of an attempt have to tell comes to the run's home: when it failed, or on request."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from launcher.runs.state import AttemptState
from launcher.runs.store import RunDirectory
from launcher.supervise.gather.gathering import gather, gathered_file
from launcher.supervise.gather.outcome import Gathered, Limits
from launcher.supervise.link import HostLink

_log = logging.getLogger(__name__)
_PATIENCE = 30.0  # seconds that the end of a run waits for the evidence of its last attempt ...
_TELLING = 5.0  # ... and after that for it to be written down what did not come


class Evidence:
    """Of one run. `links` leads to its hosts; `note` writes down what has come, in a sentence."""

    def __init__(
        self, run: RunDirectory, links: Callable[[], Mapping[str, HostLink]], note: Callable[[str], None]
    ) -> None:
        self._run = run
        self._links = links
        self._note = note
        self._gathering: dict[int, asyncio.Task[None]] = {}
        self._asked: set[asyncio.Task[Gathered]] = set()
        self._leave_off = asyncio.Event()

    def see_to(self, attempt: AttemptState | None) -> None:
        """Begin to gather, once, when an attempt that failed has ended everywhere: then its logs are whole."""
        if attempt is None or attempt.ended is None or (attempt.failed is None and attempt.lost_host is None):
            return
        if attempt.number not in self._gathering and not gathered_file(self._run, attempt.number).exists():
            self._gathering[attempt.number] = asyncio.create_task(self._gather(attempt))

    async def gathered(self, attempt: int) -> None:
        """Return when what is being gathered of an attempt because it failed is here; at once where nothing is."""
        under_way = self._gathering.get(attempt)
        if under_way is not None:
            await asyncio.wait([under_way])

    async def on_request(self, attempt: AttemptState, limits: Limits) -> Gathered:
        """Gather because somebody asks for it: what is there of an attempt that runs, or what is missing of another."""
        await self.gathered(attempt.number)
        asked = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) if attempt.ended is None else ""
        links = self._links_of(attempt)
        task = asyncio.create_task(gather(self._run, attempt.number, links, limits, _log.info, asked, self._leave_off))
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)
        return await task

    async def finish(self) -> None:
        """Wait for what is on its way, but not for ever: of a host that is not done, that is told."""
        if tasks := {*self._gathering.values(), *self._asked}:
            _, late = await asyncio.wait(tasks, timeout=_PATIENCE)
            if late:
                self._leave_off.set()
                await asyncio.wait(late, timeout=_TELLING)

    def cancel(self) -> None:
        """Leave off; the next supervisor begins where this one came to."""
        for task in (*self._gathering.values(), *self._asked):
            task.cancel()

    async def _gather(self, attempt: AttemptState) -> None:
        try:
            links = self._links_of(attempt)
            found = await gather(self._run, attempt.number, links, Limits(), _log.info, leave_off=self._leave_off)
            self._note(str(found))
        except Exception:  # whatever lies on a host, the run goes on
            _log.exception("the evidence of attempt %d could not be gathered", attempt.number)

    def _links_of(self, attempt: AttemptState) -> dict[str, HostLink]:
        return {host: link for host, link in self._links().items() if host in attempt.hosts}
