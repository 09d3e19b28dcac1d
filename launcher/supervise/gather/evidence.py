"""Sees to it that what the hosts of a failed attempt have to tell comes to the run's home, beside all else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from launcher.runs.state import AttemptState
from launcher.runs.store import RunDirectory
from launcher.supervise.gather import Limits, gather, gathered_file
from launcher.supervise.link import HostLink

_log = logging.getLogger(__name__)
_PATIENCE = 30.0  # seconds that the end of a run waits for the evidence of its last attempt


class Evidence:
    """Of one run. `links` leads to its hosts; `note` writes down what has come, in a sentence."""

    def __init__(
        self, run: RunDirectory, links: Callable[[], Mapping[str, HostLink]], note: Callable[[str], None]
    ) -> None:
        self._run = run
        self._links = links
        self._note = note
        self._gathering: dict[int, asyncio.Task[None]] = {}

    def see_to(self, attempt: AttemptState | None) -> None:
        """Begin to gather, once, when an attempt that failed has ended everywhere: then its logs are whole."""
        if attempt is None or attempt.ended is None or (attempt.failed is None and attempt.lost_host is None):
            return
        if attempt.number not in self._gathering and not gathered_file(self._run, attempt.number).exists():
            links = {host: link for host, link in self._links().items() if host in attempt.hosts}
            self._gathering[attempt.number] = asyncio.create_task(self._gather(attempt.number, links))

    async def finish(self) -> None:
        """Wait for what is on its way, but not for ever."""
        if self._gathering:
            await asyncio.wait(self._gathering.values(), timeout=_PATIENCE)

    def cancel(self) -> None:
        """Leave off; the next supervisor begins where this one came to."""
        for task in self._gathering.values():
            task.cancel()

    async def _gather(self, attempt: int, links: Mapping[str, HostLink]) -> None:
        try:
            self._note(str(await gather(self._run, attempt, links, Limits(), _log.info)))
        except Exception:  # whatever lies on a host, the run goes on
            _log.exception("the evidence of attempt %d could not be gathered", attempt)
