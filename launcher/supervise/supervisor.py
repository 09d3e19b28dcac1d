"""Follows the hosts of a run, writes its record, and carries out what the policy decides."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Literal

from launcher.errors import NpuLaunchError
from launcher.runs.events import (
    AttemptStarted,
    Decided,
    Event,
    Note,
    RunEnded,
    ShimLost,
    StopRequested,
    SupervisorChanged,
    decode,
)
from launcher.runs.record import RecordReader, RecordWriter, is_held
from launcher.runs.state import RunState, fold
from launcher.runs.store import RunDirectory, make_runtime_directory
from launcher.specs import Recipe
from launcher.supervise.link import HostLink, LinkLost
from launcher.supervise.policy import EndRun, RestartGroup, StopAttempt, Wait, decide
from launcher.supervise.preparation import prepare_attempt, read_specs

_log = logging.getLogger(__name__)
_DISK_PAUSE = 1.0  # seconds between attempts to write to a disk that is full
_RECONNECT_PAUSE = 0.2  # seconds between attempts to reach a shim that lives but does not answer
_BIND_TRIES = 10


class Supervisor:
    """One run's decisions, in whichever process holds the run's lock.

    The record is the only state: a supervisor that dies is replaced by one that reads the record and goes on.
    """

    def __init__(self, run: RunDirectory, links: Mapping[str, HostLink], by: Literal["keeper", "ray"]) -> None:
        self._run = run
        self._links = links
        self._by = by
        self._writer = RecordWriter(run.layout.events)
        self._state = fold(RecordReader(run.layout.events).read())
        self._recipe: Recipe = read_specs(run)[0]
        self._is_over = False
        self._ended = asyncio.Event()
        self._changed = asyncio.Event()

    async def supervise(self) -> RunState:
        """Until the run has ended; the caller holds the run's lock. Cancel it to hand the run over."""
        self._record(SupervisorChanged(time=time.time(), by=self._by, pid=os.getpid()))
        control = await self._serve_control()
        tasks = [asyncio.create_task(self._follow(host, link)) for host, link in self._links.items()]
        tasks.append(asyncio.create_task(self._decide_on_change()))
        ended = asyncio.create_task(self._ended.wait())
        try:
            await self._launch_current()
            self._changed.set()
            done, _ = await asyncio.wait([*tasks, ended], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {ended}:
                task.result()  # none of them ends by itself: this raises what went wrong
            await self.write_down()
            return self._state
        finally:
            for task in [*tasks, ended]:
                task.cancel()
            control.close()
            self._run.control_socket().unlink(missing_ok=True)
            self._is_over = True
            self._writer.close()

    def note(self, text: str) -> None:
        """Write down a warning that people should see."""
        self._record(Note(time=time.time(), text=text))

    async def write_down(self) -> None:
        """Return when the record is on disk, which on a full one means: when there is room again."""
        while (error := self._writer.append(())) is not None:
            _log.warning("the record cannot be written: %s", error)
            await asyncio.sleep(_DISK_PAUSE)

    # -- what happens ----------------------------------------------------------------------------------------------

    async def _follow(self, host: str, link: HostLink) -> None:
        """Take over every event of one host into the record, once."""
        while True:
            try:
                lines = await link.events(self._state.seen.get(host, 0))
            except LinkLost as lost:
                await self._on_link_lost(host, lost)
                continue
            self._record(*(event for line in lines if (event := decode(line)) is not None))
            self._changed.set()

    async def _on_link_lost(self, host: str, lost: LinkLost) -> None:
        """A shim that lives will answer again; one that has died took its ranks with it."""
        await asyncio.sleep(_RECONNECT_PAUSE)
        if is_held(self._run.shim_lock(host)):
            return
        self._record(*self._unread_journal(host))
        attempt = self._state.attempt
        if attempt is not None and host in attempt.busy_hosts:
            _log.warning("the shim of %s is gone: %s", host, lost)
            self._record(ShimLost(time=time.time(), host=host, attempt=attempt.number))
        self._changed.set()

    def _unread_journal(self, host: str) -> list[Event]:
        """Events that the shim of a host wrote down before it died and nobody has taken over."""
        events = RecordReader(self._run.shim_journal(host)).read()
        seen = self._state.seen.get(host, 0)
        return [event for event in events if event.host_seq is not None and event.host_seq > seen]

    def _record(self, *events: Event) -> None:
        if not events:
            return
        self._state = fold(events, self._state)
        error = self._writer.append(events)
        if error is not None:
            _log.warning("the record cannot be written, %d events wait in memory: %s", len(events), error)

    # -- what is done about it -------------------------------------------------------------------------------------

    async def _decide_on_change(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            decision = decide(self._state, self._recipe.restart, self._recipe.gang)
            match decision:
                case Wait():
                    continue
                case StopAttempt(reason):
                    self._record(Decided(time=time.time(), decision="stop", reason=reason))
                    await self._tell_hosts({"op": "stop", "reason": reason})
                case RestartGroup(reason):
                    self._record(Decided(time=time.time(), decision="restart_group", reason=reason))
                    await self._restart()
                case EndRun(outcome, reason):
                    self._record(Decided(time=time.time(), decision=f"end_{outcome}", reason=reason))
                    self._record(RunEnded(time=time.time(), outcome=outcome, reason=reason))
                    self._ended.set()
                    return

    async def _restart(self) -> None:
        assert self._state.attempt is not None
        number, ranks = self._state.attempt.number + 1, self._state.attempt.ranks
        try:
            plan = prepare_attempt(self._run, number, ranks if len(ranks) < self._state.world_size else None)
        except NpuLaunchError as error:
            self._record(RunEnded(time=time.time(), outcome="failed", reason=f"cannot restart: {error}"))
            self._ended.set()
            return
        self._record(
            AttemptStarted(
                time=time.time(),
                attempt=number,
                ranks=tuple(process.rank for process in plan.ranks),
                resume_from=plan.resume_from,
            )
        )
        await self._launch_current()

    async def _launch_current(self) -> None:
        """Hand the current attempt's plan to the hosts; those that have it leave it at that.

        A supervisor that takes a run over cannot know whether the one before it came to this.
        """
        attempt = self._state.attempt
        if attempt is not None and attempt.busy_hosts:
            await self._tell_hosts({"op": "launch", "plan": str(self._run.layout.attempt(attempt.number).plan)})

    async def _tell_hosts(self, message: Mapping[str, str]) -> None:
        """Tell every shim, for as long as it takes; one that is gone shows as lost where its events are followed."""
        for host, link in self._links.items():
            while True:
                try:
                    await link.send(message)
                    break
                except LinkLost as lost:
                    _log.warning("%s cannot be told to %s: %s", host, message["op"], lost)
                await asyncio.sleep(_RECONNECT_PAUSE)
                if not is_held(self._run.shim_lock(host)):
                    break

    # -- what people ask for ---------------------------------------------------------------------------------------

    async def _serve_control(self) -> asyncio.Server:
        path = self._run.control_socket()
        for _ in range(_BIND_TRIES):  # the folder goes with the last socket of another run, at any moment
            make_runtime_directory()
            path.unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                return await asyncio.start_unix_server(self._on_control, str(path))
        raise FileNotFoundError(str(path))

    async def _on_control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection: `{"op": "stop", "by": WHO}`; answered with `ok`."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            message = json.loads(await reader.readline())
            if message["op"] == "stop" and not self._is_over:
                self._record(StopRequested(time=time.time(), by=str(message["by"])))
                self._changed.set()
                writer.write(b"ok\n")
                await writer.drain()
        writer.close()
