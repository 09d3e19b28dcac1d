"""Copies the logs that ranks and services write on other hosts to the same paths here, while they grow."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from launcher.errors import NpuLaunchError
from launcher.logs.tail import last_lines
from launcher.logs.trimming import trim
from launcher.runs.events import Note
from launcher.runs.state import Reach, RunState
from launcher.runs.store import RunDirectory
from launcher.supervise import on_host
from launcher.supervise.link import HostLink, LinkLost
from launcher.supervise.mirror.copies import Copy, copies_of, has_ended, is_over, shortfall
from launcher.supervise.mirror.news import Piece, read_news, write_piece
from launcher.supervise.patience import within

_log = logging.getLogger(__name__)
_PERIOD = 0.5  # seconds between two calls while something is new
_PER_PERIOD = 1 << 19  # bytes of one host: 1 MiB a second
_SHORTEST_POLL = 0.5  # seconds that a host waits for something new before it answers; twice as long every time ...
_LONGEST_POLL = 4.0  # ... up to this
_RETRY = 2.0  # seconds between two calls to a host that does not answer
_ANSWER = 5.0  # seconds for a host to answer
_HURRY_CALL = 1 << 20  # bytes; what 64 hosts send at once has room in Ray's object store (80 MiB)
_HURRY_MOST = 64 << 20  # bytes of one log that are copied at no pace when its writer has ended
_PATIENCE = 5.0  # seconds for the logs of an attempt that is over, or the one of a rank that has failed


class LogMirror:
    """The logs of one run's other hosts.

    `state` is what the record says now, `link_of` the way to a host (None: none is known), and `tell` writes events
    down. Hosts that share the run's folder with its home cost one call.
    """

    def __init__(
        self,
        run: RunDirectory,
        state: Callable[[], RunState],
        link_of: Callable[[str], HostLink | None],
        tell: Callable[[Note], None],
    ) -> None:
        self._run = run
        self._state = state
        self._link_of = link_of
        self._tell = tell
        self._copies: dict[str, list[Copy]] = {}  # by host, those that are not done
        self._shares: dict[str, bool] = {}  # whether a host has the run's folder from the same file system
        self._newest = 0  # attempt whose logs are among the copies
        self._looking = asyncio.Lock()
        self._settled = 0  # attempt

    async def follow(self, host: str) -> None:
        """Copy what this host's ranks write, for ever; cancel it. To be called for each host that is not home."""
        poll, told = _SHORTEST_POLL, ""
        while True:
            try:
                copies = await self._copies_on(host)
                if copies and not await self._pull(host, copies, _PER_PERIOD, poll):
                    poll = min(2 * poll, _LONGEST_POLL)
                    continue
                poll = _SHORTEST_POLL
                ended = [copy for copy in copies if copy.is_behind and has_ended(copy, self._state())]
                await self._hurry(host, ended)
            except (LinkLost, NpuLaunchError, OSError, asyncio.TimeoutError) as error:
                if repr(error) != told:
                    told = repr(error)
                    _log.info("logs of %s are not copied for now: %s", host, told)
                await asyncio.sleep(_RETRY)
            except Exception:  # whatever is wrong with a log, the run goes on
                _log.exception("logs of %s are not copied for now", host)
                await asyncio.sleep(_RETRY)
            await asyncio.sleep(_PERIOD)

    async def last_lines(self, rank: int, count: int) -> list[bytes]:
        """The last lines of a rank's log, now that it has ended.

        The log is first copied to its end, or else its end is looked at where it is. From a host that does not answer
        within some seconds there is what had been copied before.
        """
        known = self._state().ranks[rank]
        path = self._run.rank_log(known.attempt, rank)
        host = known.host or ""
        copies = [copy for copy in await self._copies_on(host) if copy.path == str(path)]
        if copies and await self._problem_with(host, self._hurry(host, copies)) is None and copies[0].is_behind:
            lines: list[bytes] = []

            async def look_there() -> None:
                lines.extend(await self._link_to(host).there(last_lines, path, count))

            if await self._problem_with(host, look_there()) is None:
                return lines
        return last_lines(path, count)

    async def settle(self) -> None:
        """When an attempt is over: have its logs copied to their ends, and tell of those that cannot be.

        To be awaited before anything is decided. Returns within some seconds, and at any other time at once.
        """
        attempt = self._state().attempt
        if attempt is None or attempt.busy_hosts or attempt.number == self._settled:
            return
        self._settled = attempt.number
        await self._look_up()
        await asyncio.gather(*(self._finish(host) for host in list(self._copies)))

    async def _finish(self, host: str) -> None:
        copies = list(self._copies[host])
        if not copies:
            return
        problem = await self._problem_with(host, self._hurry(host, copies))
        left = [copy for copy in copies if not copy.is_done and not copy.is_told]
        if left:
            for copy in left:
                copy.is_told = True
            self._note(shortfall(left, problem or f"the rest is on {host}"))

    def _note(self, text: str) -> None:
        """Tell people, unless whoever supervised the run before has."""
        if all(note.text != text for note in self._state().notes):
            self._tell(Note(time=time.time(), text=text))

    # -- copying -------------------------------------------------------------------------------------------------------

    async def _problem_with(self, host: str, work: Coroutine[Any, Any, None]) -> str | None:
        """Why something that needs a host did not come to its end in time, in words; None when it did."""
        unwell = self._state().unwell_hosts.get(host)
        if unwell is not None and unwell.reach is Reach.UNREACHABLE:
            work.close()
            return f"host {host} was lost"
        try:
            await within(work, _PATIENCE)
        except asyncio.TimeoutError:
            return f"host {host} did not send the rest within {_PATIENCE:g} s"
        except LinkLost:
            return f"host {host} cannot be reached"
        except OSError as error:
            return error.strerror or str(error)
        except NpuLaunchError as error:
            return str(error)
        except Exception as error:  # whatever is wrong with a log, the run goes on
            _log.exception("logs of %s cannot be copied", host)
            return repr(error)
        return None

    async def _hurry(self, host: str, copies: Sequence[Copy]) -> None:
        """Copy these logs to their ends, faster than usual. Stops at those that are too long, or cannot be read."""
        while copies:
            before = {copy.path: copy.size for copy in copies}
            await self._pull(host, copies, _HURRY_CALL)
            for copy in copies:
                copy.hurried += copy.size - before[copy.path]
            copies = [
                copy
                for copy in copies
                if copy.is_behind and copy.size > before[copy.path] and copy.hurried < _HURRY_MOST
            ]

    async def _pull(self, host: str, copies: Sequence[Copy], budget: int, poll: float = 0.0) -> bool:
        """Copy what these logs have that is not here, or the first of it; whether there was anything.

        Raises LinkLost, NpuLaunchError, OSError and asyncio.TimeoutError.
        """
        link = self._link_to(host)
        if await self._shares_home(host, link):
            for copy in copies:
                copy.is_done = True
            self._forget_done(host)
            return False
        state = self._state()
        over = [copy for copy in copies if is_over(copy, state)]
        wants = [copy.want for copy in copies]
        news = await within(link.there(read_news, wants, budget, poll), poll + _ANSWER)
        if news:
            await asyncio.to_thread(_write, news, {copy.path: copy.limit for copy in copies})
            self._take(host, copies, news)
        for copy in over:
            copy.is_done |= not copy.is_behind
        if over:
            self._forget_done(host)
        return bool(news)

    def _take(self, host: str, copies: Sequence[Copy], news: Sequence[Piece]) -> None:
        by_path = {copy.path: copy for copy in copies}
        for piece in news:
            copy = by_path[piece.path]
            copy.take(piece)
            if piece.size < piece.offset:
                copy.is_done = True
                self._note(f"the log of {copy.name} was cut short on {host}: here is what had been copied before")
        self._forget_done(host)

    def _forget_done(self, host: str) -> None:
        self._copies[host] = [copy for copy in self._copies[host] if not copy.is_done]

    async def _shares_home(self, host: str, link: HostLink) -> bool:
        if host not in self._shares:
            mark = on_host.home_mark(self._run)
            self._shares[host] = await within(link.there(on_host.is_shared, self._run, mark), _ANSWER)
        return self._shares[host]

    def _link_to(self, host: str) -> HostLink:
        link = self._link_of(host)
        if link is None:
            raise LinkLost(host)
        return link

    # -- which logs there are ------------------------------------------------------------------------------------------

    async def _copies_on(self, host: str) -> list[Copy]:
        await self._look_up()
        return self._copies.get(host, [])

    async def _look_up(self) -> None:
        """Learn from the plans which logs are written elsewhere by attempts that run, or ran last."""
        async with self._looking:
            attempts = self._state().attempts
            if not attempts or attempts[-1].number == self._newest:
                return
            fresh = [a for a in attempts if a.number > self._newest and (a.ended is None or a is attempts[-1])]
            for attempt in fresh:
                hosts = [host for host in attempt.hosts if self._is_elsewhere(host)]
                plan = self._run.layout.attempt(attempt.number).plan
                found = await asyncio.to_thread(copies_of, plan, attempt.number, hosts) if hosts else []
                for copy in found:
                    self._copies.setdefault(copy.host, []).append(copy)
            self._newest = attempts[-1].number

    def _is_elsewhere(self, host: str) -> bool:
        link = self._link_of(host)
        return link is not None and not link.is_home


def _write(pieces: Sequence[Piece], limits: Mapping[str, int | None]) -> None:
    for piece in pieces:
        if piece.data:
            write_piece(piece)
            if (limit := limits[piece.path]) is not None:
                with suppress(OSError):  # a file system that cannot: its host has told of that
                    trim(Path(piece.path), limit)
