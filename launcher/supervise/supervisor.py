"""Follows the hosts of a run, writes its record, and carries out what the policy decides."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Literal

from launcher.errors import NpuLaunchError
from launcher.logs.tail import last_lines
from launcher.runs.events import (
    Classified,
    Decided,
    Event,
    Note,
    RestartFailed,
    RunEnded,
    ShimLost,
    StopRequested,
    SupervisorChanged,
)
from launcher.runs.fold import fold
from launcher.runs.record import RecordReader, RecordWriter
from launcher.runs.state import RunState
from launcher.runs.store import RunDirectory
from launcher.specs import load_recipe
from launcher.supervise.attendant import Attendant
from launcher.supervise.capacity import seats_beside, unavailable_slots
from launcher.supervise.claims import foresee, without_taken
from launcher.supervise.classify import LINES, classify
from launcher.supervise.control import serve_control
from launcher.supervise.link import HostLink
from launcher.supervise.policy import Classify, Decision, EndRun, Fence, Restart, StopAttempt, Wait, decide
from launcher.supervise.preparation import attempt_started, prepare_attempt, read_specs
from launcher.supervise.watch import Watch
from launcher.supervise.watch.watch import asks_for_stacks

_log = logging.getLogger(__name__)
_DISK_PAUSE = 1.0  # seconds between attempts to write to a disk that is full


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
        self._watch = Watch(run, lambda: self._state, lambda: self._recipe, self._tell)
        self._attendants: dict[str, Attendant] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()  # raises what went wrong

    async def supervise(self) -> RunState:
        """Until the run has ended; the caller holds the run's lock. Cancel it to hand the run over."""
        self._record(SupervisorChanged(time=time.time(), by=self._by, pid=os.getpid()))
        control = await serve_control(self._run.control_socket(), self._on_stop)
        try:
            self._attend()
            self._take_up()
            self._begin(self._decide_on_change())
            self._begin(self._watch.watch())
            await self._over
            await self.write_down()
            return self._state
        finally:
            self._over.cancel()  # nobody is told "ok" from now on
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
        """Attend to the run's hosts; an attempt may use others than the one before."""
        for host in self._state.hosts:
            if host not in self._attendants:
                attendant = Attendant(self._run, host, self._link_to(host), lambda: self._state, self._tell)
                self._attendants[host] = attendant
                self._begin(attendant.attend())

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
            self._record(*self._watch.catch_up())
            decision = decide(self._state, self._recipe, self._cluster)
            if isinstance(decision, Restart):  # a spare may be another run's by now
                decision = decide(self._state, self._recipe, without_taken(self._cluster, self._run.id))
            due = await self._act(decision)
            await asyncio.sleep(0)  # whoever stays in touch with hosts comes first
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
                self._restart(pending)
            case Classify(rank):
                self._record(self._classified(rank))
            case StopAttempt(reason):
                self._record(Decided(time=now, decision="stop", reason=reason))
                self._tell_hosts_to_stop(reason)
            case Fence(host, due):
                if now < due:
                    return due
                assert self._state.attempt is not None
                await self._attendants[host].fence(self._state.attempt)
            case Restart():
                self._record(decision.decided(now))
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
        assert rank.exit is not None
        lines = last_lines(self._run.rank_log(rank.attempt, number), LINES)
        found = classify(rank.exit, lines, trained=any(a.first_step is not None for a in self._state.attempts))
        return Classified(
            time=time.time(),
            attempt=rank.attempt,
            rank=number,
            cause=found.cause,
            startup=found.startup,
            evidence=found.evidence,
        )

    def _restart(self, decided: Decided) -> None:
        """Begin the next attempt. What stands in the way ends the run: at once, or when the other ranks have ended."""
        assert self._state.attempt is not None
        number = self._state.attempt.number + 1
        try:
            recipe = self._recipe
            if decided.overrides:
                recipe = load_recipe(self._run.layout.recipe, decided.overrides)
            gone = unavailable_slots(self._state)
            ranks = decided.ranks
            if ranks is None and decided.world_size is None and len(self._state.attempt.ranks) < self._state.world_size:
                ranks = self._state.attempt.ranks
            seats = seats_beside(self._state, self._cluster, decided.ranks, gone) if decided.ranks is not None else None
            allotment = foresee(recipe, self._cluster, self._run.id, gone if seats is None else frozenset())
            plan = prepare_attempt(self._run, recipe, self._cluster, number, allotment, ranks, seats)
        except (NpuLaunchError, OSError) as error:
            self._record(RestartFailed(time=time.time(), reason=f"cannot restart: {error}"))
            return
        self._recipe = recipe
        self._record(attempt_started(plan, recipe, time.time()))
        self._attend()
        self._take_up()

    def _take_up(self) -> None:
        """Hand the current attempt's plan to the hosts; those that have it leave it at that.

        A supervisor that takes a run over cannot know how far the one before it came.
        """
        attempt = self._state.attempt
        if attempt is None:
            return
        plan = str(self._run.layout.attempt(attempt.number).plan)
        for host in attempt.busy_hosts:
            try:
                self._attendants[host].see_to_shim(attempt)
            except NpuLaunchError as error:
                self.note(str(error))
                self._tell(ShimLost(time=time.time(), host=host, attempt=attempt.number))
                continue
            self._attendants[host].send({"op": "launch", "attempt": attempt.number, "plan": plan})
        if attempt.told_to_stop:
            self._tell_hosts_to_stop(attempt.stopping or "told to before")

    def _tell_hosts_to_stop(self, reason: str) -> None:
        attempt = self._state.attempt
        assert attempt is not None
        stacks = self._recipe.runs_python and asks_for_stacks(attempt)
        for host in attempt.busy_hosts:
            message = {"op": "stop", "attempt": attempt.number, "reason": reason, "stacks": stacks}
            self._attendants[host].send(message)

    def _on_stop(self, by: str) -> bool:
        """Somebody asks for the run to end; whether there is still something to end."""
        if self._over.done():
            return False
        self._tell(StopRequested(time=time.time(), by=by))
        return True
