"""Follows the hosts of a run, writes its record, and carries out what the policy decides."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import signal
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from launcher.errors import NpuLaunchError
from launcher.hosts.tagged import tagged_processes
from launcher.logs.tail import last_lines
from launcher.runs.events import (
    Classified,
    Decided,
    Event,
    HostBack,
    HostFenced,
    Note,
    ProcessStarted,
    RunEnded,
    ShimLost,
    Slot,
    StopRequested,
    SupervisorChanged,
    decode,
)
from launcher.runs.record import RecordReader, RecordWriter, is_held
from launcher.runs.state import Reach, RunState, fold
from launcher.runs.store import RunDirectory, make_runtime_directory
from launcher.supervise.classify import LINES, classify
from launcher.supervise.detached import start_shim
from launcher.supervise.heartbeat import keep_in_touch
from launcher.supervise.link import HostLink, LinkLost
from launcher.supervise.policy import Classify, Decision, EndRun, Fence, Restart, StopAttempt, Wait, decide
from launcher.supervise.preparation import attempt_started, change_recipe, prepare_attempt, read_specs

_log = logging.getLogger(__name__)
_DISK_PAUSE = 1.0  # seconds between attempts to write to a disk that is full
_RECONNECT_PAUSE = 0.2  # seconds between attempts to reach a shim that lives but does not answer
_SEND_TIMEOUT = 5.0  # seconds for a shim, or the agent before it, to take a message
_KILL_PAUSE = 0.02  # seconds until those that appeared during a kill are killed too
_BIND_TRIES = 10


class Supervisor:
    """One run's decisions, in whichever process holds the run's lock.

    The record is the only state: a supervisor that dies is replaced by one that reads the record and goes on.
    """

    def __init__(self, run: RunDirectory, link_to: Callable[[str], HostLink], by: Literal["keeper", "ray"]) -> None:
        self._run = run
        self._link_to = link_to
        self._by = by
        self._writer = RecordWriter(run.layout.events)
        self._state = fold(RecordReader(run.layout.events).read())
        self._recipe, self._cluster = read_specs(run)
        self._links: dict[str, HostLink] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()  # raises what went wrong

    async def supervise(self) -> RunState:
        """Until the run has ended; the caller holds the run's lock. Cancel it to hand the run over."""
        self._record(SupervisorChanged(time=time.time(), by=self._by, pid=os.getpid()))
        control = await self._serve_control()
        try:
            self._attend()
            await self._take_up()
            self._begin(self._decide_on_change())
            await self._over
            await self.write_down()
            return self._state
        finally:
            for task in self._tasks:
                task.cancel()
            control.close()
            self._run.control_socket().unlink(missing_ok=True)
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

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Have something done beside; an error in it ends the supervision."""

        def on_done(task: asyncio.Task[None]) -> None:
            error = None if task.cancelled() else task.exception()
            if error is not None and not self._over.done():
                self._over.set_exception(error)

        task = asyncio.create_task(work)
        task.add_done_callback(on_done)
        self._tasks.append(task)

    def _attend(self) -> None:
        """Follow the run's hosts, and stay in touch with them; those of an attempt on other hosts too."""
        for host in self._state.hosts:
            if host not in self._links:
                link = self._links[host] = self._link_to(host)
                self._begin(self._follow(host, link))
                self._begin(keep_in_touch(host, link, lambda: self._state, self._tell))

    async def _follow(self, host: str, link: HostLink) -> None:
        """Take over every event of one host into the record, once."""
        while True:
            try:
                lines = await link.events(self._state.seen.get(host, 0))
            except LinkLost as lost:
                await self._on_link_lost(host, lost)
                continue
            self._tell(*(event for line in lines if (event := decode(line)) is not None))

    async def _on_link_lost(self, host: str, lost: LinkLost) -> None:
        """A shim that lives will answer again; one that has died took its ranks with it."""
        await asyncio.sleep(_RECONNECT_PAUSE)
        if is_held(self._run.shim_lock(host)):
            return
        self._record(*self._unread_journal(host))
        attempt = self._state.attempt
        if attempt is not None and host in attempt.busy_hosts:
            _log.warning("the shim of %s is gone: %s", host, lost)
            await self._end_what_is_left()
            self._record(ShimLost(time=time.time(), host=host, attempt=attempt.number))
        self._changed.set()

    async def _end_what_is_left(self) -> None:
        """Kill what ranks of this run had detached from them: with the shim nobody is left who is its parent."""
        while pids := [process.pid for process in tagged_processes() if process.run == self._run.id]:
            for pid in pids:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(_KILL_PAUSE)

    def _unread_journal(self, host: str) -> list[Event]:
        """Events that the shim of a host wrote down before it died and nobody has taken over."""
        events = RecordReader(self._run.shim_journal(host)).read()
        seen = self._state.seen.get(host, 0)
        return [event for event in events if event.host_seq is not None and event.host_seq > seen]

    def _tell(self, *events: Event) -> None:
        """Write down what happened, and have it considered."""
        self._record(*events)
        self._changed.set()

    def _record(self, *events: Event) -> None:
        if not events:
            return
        self._state = fold(events, self._state)
        error = self._writer.append(events)
        if error is not None:
            _log.warning("the record cannot be written, %d events wait in memory: %s", len(events), error)

    # -- what is done about it -------------------------------------------------------------------------------------

    async def _decide_on_change(self) -> None:
        while not self._over.done():
            self._changed.clear()
            due = await self._act(decide(self._state, self._recipe, self._cluster))
            if due is not None:
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), None if due == math.inf else due - time.time())

    async def _act(self, decision: Decision) -> float | None:
        """Do what was decided; None to decide anew at once, or when to do so if nothing happens before."""
        now = time.time()
        match decision:
            case Wait():
                pending = self._state.pending
                if pending is None or pending.due is None:
                    return math.inf
                if now < pending.due:
                    return pending.due
                await self._restart(pending)
            case Classify(rank):
                self._record(self._classified(rank))
            case StopAttempt(reason):
                self._record(Decided(time=now, decision="stop", reason=reason))
                await self._tell_hosts({"op": "stop", "reason": reason})
            case Fence(host, due):
                if now < due:
                    return due
                await self._fence(host)
            case Restart():
                self._record(_as_decided(decision, now))
            case EndRun(outcome, reason):
                self._record(
                    Decided(time=now, decision=f"end_{outcome}", reason=reason),
                    RunEnded(time=now, outcome=outcome, reason=reason),
                )
                self._over.set_result(None)
        return None

    def _classified(self, number: int) -> Classified:
        """What kind of failure a rank's was, by its exit and its log."""
        rank = self._state.ranks[number]
        attempt = next(a for a in self._state.attempts if a.number == rank.attempt)
        assert rank.exit is not None
        lines = last_lines(self._run.rank_log(rank.attempt, number), LINES)
        found = classify(rank.exit, lines, trained=attempt.first_step is not None)
        return Classified(
            time=time.time(),
            attempt=rank.attempt,
            rank=number,
            cause=found.cause,
            startup=found.startup,
            evidence=found.evidence,
        )

    async def _fence(self, host: str) -> None:
        """The lease of an unreachable host has run out: its shim has ended its ranks.

        On this machine the shim itself was stuck: it is ended with all that it kept, and the host can be used again.
        """
        attempt = self._state.attempt
        assert attempt is not None
        fenced = HostFenced(time=time.time(), host=host, attempt=attempt.number)
        if not is_held(self._run.shim_lock(host)):
            self._record(fenced)
            return
        _kill_holder(self._run.shim_lock(host))
        await self._end_what_is_left()
        self._record(fenced, HostBack(time=time.time(), host=host))

    async def _restart(self, decided: Decided) -> None:
        assert self._state.attempt is not None
        number = self._state.attempt.number + 1
        try:
            if decided.overrides:
                change_recipe(self._run, decided.overrides)
                self._recipe, self._cluster = read_specs(self._run)
            plan = prepare_attempt(self._run, number, self._ranks_of(decided), self._unavailable())
        except NpuLaunchError as error:
            reason = f"cannot restart: {error}"
            self._record(RunEnded(time=time.time(), outcome="failed", reason=reason))
            self._over.set_result(None)
            return
        self._record(attempt_started(plan, time.time()))
        self._attend()
        await self._take_up()

    def _ranks_of(self, decided: Decided) -> tuple[int, ...] | None:
        """Which ranks start again; None for all of them."""
        assert self._state.attempt is not None
        ranks = decided.ranks or self._state.attempt.ranks
        return ranks if decided.world_size is None and len(ranks) < self._state.world_size else None

    def _unavailable(self) -> frozenset[Slot]:
        """The slots that may not be used: excluded ones, and those of hosts that cannot be reached."""
        unreachable = {Slot(host=h) for h, s in self._state.unwell_hosts.items() if s.reach is Reach.UNREACHABLE}
        return self._state.excluded | unreachable

    async def _take_up(self) -> None:
        """Hand the current attempt's plan to the hosts; those that have it leave it at that.

        A supervisor that takes a run over cannot know how far the one before it came.
        """
        attempt = self._state.attempt
        if attempt is None or not attempt.busy_hosts:
            return
        for host in attempt.busy_hosts:
            if not is_held(self._run.shim_lock(host)) and not self._has_begun(host):
                start_shim(self._run, host, attempt.number, self._state.seen.get(host, 0))
        await self._tell_hosts({"op": "launch", "plan": str(self._run.layout.attempt(attempt.number).plan)})
        if attempt.told_to_stop:
            await self._tell_hosts({"op": "stop", "reason": attempt.stopping or "told to before"})

    def _has_begun(self, host: str) -> bool:
        """Whether a shim of this host has started something of the current attempt, and so has died since."""
        attempt = self._state.attempt
        assert attempt is not None
        events = [*self._unread_journal(host)]
        return any(isinstance(event, ProcessStarted) and event.attempt == attempt.number for event in events) or any(
            rank.host == host and rank.attempt == attempt.number for rank in self._state.ranks.values()
        )

    async def _tell_hosts(self, message: Mapping[str, str]) -> None:
        """Tell every busy host, for as long as it takes; of one that is gone its follower tells."""
        attempt = self._state.attempt
        hosts = attempt.busy_hosts if attempt is not None else frozenset[str]()
        await asyncio.gather(*(self._tell_host(host, message) for host in hosts))

    async def _tell_host(self, host: str, message: Mapping[str, str]) -> None:
        while True:
            try:
                await asyncio.wait_for(self._links[host].send(message), _SEND_TIMEOUT)
                return
            except (LinkLost, asyncio.TimeoutError) as lost:
                _log.warning("%s cannot be told to %s: %s", host, message["op"], lost)
            await asyncio.sleep(_RECONNECT_PAUSE)
            attempt = self._state.attempt
            if not is_held(self._run.shim_lock(host)) or attempt is None or host not in attempt.busy_hosts:
                return

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
            if message["op"] == "stop" and not self._over.done():
                self._record(StopRequested(time=time.time(), by=str(message["by"])))
                self._changed.set()
                writer.write(b"ok\n")
                await writer.drain()
        writer.close()


def _as_decided(restart: Restart, now: float) -> Decided:
    return Decided(
        time=now,
        decision="restart_ranks" if restart.ranks is not None else "restart_group",
        reason=restart.reason,
        cause=restart.cause,
        due=restart.due,
        ranks=restart.ranks,
        world_size=restart.shrunk.ranks if restart.shrunk is not None else None,
        overrides=restart.shrunk.overrides if restart.shrunk is not None else (),
        excluded=restart.excluded,
    )


def _kill_holder(lock: Path) -> None:
    """Kill the process that wrote its id into the lock that it holds."""
    with suppress(OSError, ValueError):
        os.kill(int(lock.read_text()), signal.SIGKILL)
