"""Copies a run's record, and what it takes to go on with the run, to a second host as it grows."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from launcher.errors import NpuLaunchError
from launcher.runs.state import Reach, RunState
from launcher.runs.store import RunDirectory
from launcher.supervise import on_host
from launcher.supervise.link import HostLink, LinkLost
from launcher.supervise.mirror.keeping import Growth, digest_of, held, keep
from launcher.supervise.mirror.news import size_of
from launcher.supervise.patience import within

_log = logging.getLogger(__name__)
_PERIOD = 0.5  # seconds between two looks at the record
_PIECE = 1 << 20  # bytes of the record, and of other files, in one call
_ANSWER = 5.0  # seconds for a host to answer
_RETRY = 2.0  # seconds until another host is tried
_LAST_PATIENCE = 2.0  # seconds for the end of a record

Signature: TypeAlias = tuple[int, int]  # of a file: when it was written, and its bytes


class RecordMirror:
    """One run's record on the first of its other hosts that answers; when that is lost, on another, from the beginning.

    `home` is the name of the host that the run is at home on, `state` what the record says now, and `links` are the
    ways to all hosts that are known.
    """

    def __init__(
        self,
        run: RunDirectory,
        home: str,
        state: Callable[[], RunState],
        links: Callable[[], Mapping[str, HostLink]],
    ) -> None:
        self._run = run
        self._home = home
        self._state = state
        self._links = links
        self._second: str | None = None
        self._size = 0  # bytes of the record that the second host has
        self._kept: dict[Path, Signature] = {}  # files that the second host has
        self._sharing: set[str] = set()  # hosts that have the run's folder from the same file system
        self._failed: dict[str, float] = {}  # hosts that did not answer, and when
        self._advancing = asyncio.Lock()

    async def follow(self) -> None:
        """For ever; cancel it."""
        while True:
            try:
                await self._advance()
            except Exception as error:  # the run goes on whatever becomes of the copy
                _log.info("the record is not copied to %s for now: %r", self._second, error)
                self._give_up()
                await asyncio.sleep(_RETRY)
            await asyncio.sleep(_PERIOD)

    async def finish(self) -> None:
        """Copy the end of the record, as far as the second host takes it within a moment."""
        with suppress(LinkLost, NpuLaunchError, OSError, asyncio.TimeoutError):
            await within(self._advance(), _LAST_PATIENCE)

    def _give_up(self) -> None:
        if self._second is not None:
            self._failed[self._second] = time.monotonic()
        self._second = None

    async def _advance(self) -> None:
        """Copy what the second host does not have. Raises whatever a HostLink does, and asyncio.TimeoutError."""
        async with self._advancing:
            link = await self._second_link()
            while link is not None:
                fresh = self._fresh_files()
                if not fresh and size_of(str(self._run.layout.events)) in (None, self._size):
                    return
                growth = await asyncio.to_thread(self._growth, tuple(fresh))
                keeping = link.there(keep, self._run, on_host.home_mark(self._run), self._home, growth)
                self._size = await within(keeping, _ANSWER)
                self._kept |= fresh

    def _growth(self, paths: Iterable[Path]) -> Growth:
        """These files, and what follows in the record."""
        files = {str(path.relative_to(self._run.path)): path.read_bytes() for path in paths}
        with self._run.layout.events.open("rb") as file:
            file.seek(self._size)
            return Growth(files, self._size, file.read(_PIECE))

    def _fresh_files(self) -> dict[Path, Signature]:
        """What else there is of the run that the second host does not have as it is now; not all if it is much."""
        fresh: dict[Path, Signature] = {}
        size = 0
        for path, may_change in self._files():
            signature = _signature(path) if may_change or path not in self._kept else None
            if signature is None or signature == self._kept.get(path):
                continue
            size += signature[1]
            if fresh and size > _PIECE:
                break
            fresh[path] = signature
        return fresh

    def _files(self) -> Iterator[tuple[Path, bool]]:
        """What it takes to go on with the run beside its record, and whether it may be written again."""
        layout = self._run.layout
        for path in (layout.run, layout.recipe, layout.cluster, layout.sights):
            yield path, True
        for attempt in self._state().attempts:
            yield layout.attempt(attempt.number).plan, False
            yield layout.attempt(attempt.number).rank_table, False

    async def _second_link(self) -> HostLink | None:
        """The way to the host that has the copy, which begins to have it now if it did not before; None: there is none.

        What a host has from before, because another supervised the run or because it was lost for a while, counts if it
        is the beginning of the record.
        """
        while self._second is None and (candidate := self._candidate()) is not None:
            self._second, link = candidate
            if await self._shares_home(link):
                self._sharing.add(self._second)
                self._second = None
                continue
            there = await within(link.there(held, self._run), _ANSWER)
            here = await asyncio.to_thread(digest_of, self._run.layout.events, there.size)
            self._size = there.size if there == here else 0
            self._kept = {}
        return None if self._second is None else self._links().get(self._second)

    async def _shares_home(self, link: HostLink) -> bool:
        mark = on_host.home_mark(self._run)
        return await within(link.there(on_host.is_shared, self._run, mark), _ANSWER)

    def _candidate(self) -> tuple[str, HostLink] | None:
        """The first of the run's hosts that has not failed yet, or else the one whose failure is longest ago."""
        unwell = self._state().unwell_hosts.items()
        unable = self._sharing | {host for host, known in unwell if known.reach is Reach.UNREACHABLE}
        able = [(host, link) for host, link in self._links().items() if host not in unable and not link.is_home]
        return min(able, key=lambda found: self._failed.get(found[0], -math.inf), default=None)


def _signature(path: Path) -> Signature | None:
    """What changes when a file is written anew; None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
