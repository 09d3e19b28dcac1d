"""Keeps the Ray of a cluster up on this host: starts it again whenever it ends."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from launcher.errors import InfrastructureError
from launcher.runs.clusters import Membership
from launcher.supervise.on_ray.ports_taken import PortTaken
from launcher.supervise.on_ray.ray_process import OtherVersion, RayProcess, Refused
from launcher.supervise.on_ray.retries import delays
from launcher.supervise.on_ray.terms import Terms, cluster_terms, own_membership
from launcher.supervise.on_ray.trust import Untrusted
from launcher.supervise.patience import within

_log = logging.getLogger(__name__)
_SOUND = 30.0  # seconds that Ray has to live for its next end to count as the first
_ENOUGH = 3  # failures to start after which somebody should look


class HeadAway(InfrastructureError):
    """The head of the cluster does not answer, which says nothing about this host."""


class Upkeep:
    """One host's part in a cluster's Ray. `ready` is the address of its head, once this host's part is up.

    Before each start, `before` may wait for what has to be there.
    """

    def __init__(self, ray: RayProcess, directory: Path, cluster: str, before: Callable[[Terms], Awaitable[None]]):
        self._ray = ray
        self._directory = directory
        self._cluster = cluster
        self._before = before
        self._changed = asyncio.Event()
        self._trouble: InfrastructureError | None = None
        self._failures = 0  # to start, one after the other
        self.ready: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def status(self) -> dict[str, object]:
        """Whether Ray is up now, why not, and whether somebody has to do something for it to come up."""
        return {
            "up": self.ready.done() and not self.ready.exception(),
            "trouble": str(self._trouble or ""),
            "hopeless": isinstance(self._trouble, PortTaken | OtherVersion | Untrusted) or self._failures >= _ENOUGH,
        }

    @property
    def is_refused(self) -> bool:
        """Whether it has last come to a Ray that is not its cluster's."""
        return isinstance(self._trouble, Refused)

    def reread(self) -> Membership:
        """Do as this host's membership says now, and at once; what it says. Raises InfrastructureError."""
        membership = own_membership(self._cluster)
        self._changed.set()
        return membership

    async def keep(self) -> None:
        """Does not return."""
        waits = delays()
        while True:
            started = time.monotonic()
            self._changed.clear()
            try:
                await self._live(self._terms())
                _log.info("Ray has ended")
            except (InfrastructureError, OSError) as error:
                self._fail(error if isinstance(error, InfrastructureError) else InfrastructureError(str(error)))
            await self._ray.end()
            self.ready = asyncio.get_running_loop().create_future()
            if time.monotonic() - started > _SOUND:
                waits = delays()
            with suppress(asyncio.TimeoutError):
                await within(self._changed.wait(), next(waits))

    async def _live(self, terms: Terms) -> None:
        """Start Ray, and return when it has ended or its terms have changed."""
        await self._ray.end()  # what is left of one whose keeper was killed
        await self._before(terms)
        self.ready.set_result(await self._ray.start(terms))
        self._trouble, self._failures = None, 0
        _log.info("Ray is up: %s", self.ready.result())
        ended = asyncio.create_task(self._ray.ended())
        try:
            while not ended.done() and self._terms() == terms:
                self._changed.clear()
                changed = asyncio.create_task(self._changed.wait())
                await asyncio.wait({ended, changed}, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
        finally:
            ended.cancel()

    def _fail(self, trouble: InfrastructureError) -> None:
        if str(trouble) != str(self._trouble):  # the log of a host that waits for long stays short
            _log.error("%s", trouble)
        self._trouble = trouble
        self._failures += not isinstance(trouble, HeadAway)
        if not self.ready.done():
            self.ready.set_exception(trouble)
            self.ready.exception()  # nobody may be waiting for it

    def _terms(self) -> Terms:
        return cluster_terms(own_membership(self._cluster), self._directory)
