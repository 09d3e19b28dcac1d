"""Follows the hosts of a run, writes its record, and carries out what the policy decides."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Literal

from launcher.errors import NpuLaunchError
from launcher.runs.events import (
    Classified,
    Decided,
    Diagnosed,
    Event,
    Note,
    RestartFailed,
    RunEnded,
    StopRequested,
    SupervisorChanged,
)
from launcher.runs.fold import fold
from launcher.runs.record import RecordReader
from launcher.runs.state import RunState
from launcher.runs.store import RunDirectory
from launcher.supervise.claims import without_taken
from launcher.supervise.classify import LINES, classify
from launcher.supervise.control import serve_control
from launcher.supervise.diagnosing import Diagnoses
from launcher.supervise.gather.evidence import Evidence
from launcher.supervise.gather.outcome import Limits
from launcher.supervise.link import HostLink
from launcher.supervise.mirror import LogMirror, RecordMirror
from launcher.supervise.next_attempt import is_alone, prepare_next
from launcher.supervise.patience import within
from launcher.supervise.policy import (
    AwaitDiagnosis,
    Classify,
    Decision,
    EndRun,
    Fence,
    Go,
    Restart,
    StopAttempt,
    Wait,
    decide,
)
from launcher.supervise.preparation import attempt_started, read_specs
from launcher.supervise.recorder import Recorder
from launcher.supervise.run_hosts import RunHosts
from launcher.supervise.spread import home_host, is_spread
from launcher.supervise.watch import Watch

_LOOK_AGAIN = 5.0  # seconds until other hosts are asked again whether they are there
_TELL_AFTER = 2  # times of asking in vain
_ALONE = (
    "no other host of the cluster answers: nothing is started again before one does, "
    "because this host may be the one that is cut off, and the others may go on with the run"
)
_SETTLING = 30.0  # seconds that hosts which were lost before have to come back to a supervisor that begins


class Supervisor:
    """One run's decisions, in whichever process holds the run's lock.

    The record is the only state: a supervisor that dies is replaced by one that reads the record and goes on. One that
    `reaches_others` has a link to every host; one that does not keeps what runs, and leaves it to another to start
    ranks again, or to find that there is no place for them.
    """

    def __init__(
        self,
        run: RunDirectory,
        link_to: Callable[[str], HostLink],
        by: Literal["keeper", "ray"],
        *,
        reaches_others: bool = True,
    ) -> None:
        self._run = run
        self._by = by
        self._reaches_others = reaches_others
        self._settled = time.time() + _SETTLING
        self._asked_in_vain = 0  # times that no other host answered
        self._recorder = Recorder(run)
        self._state = fold(RecordReader(run.layout.events).read())
        self._recipe, self._cluster = read_specs(run)
        self._is_spread = is_spread(self._cluster)
        now = (lambda: self._state, lambda: self._recipe)
        self._hosts = hosts = RunHosts(run, self._cluster, link_to, *now, self._tell, self._begin)
        self._watch = Watch(run, *now, hosts.link_of, self._tell)
        self._logs = LogMirror(run, now[0], hosts.link_of, self._tell)
        self._record_copy = RecordMirror(run, home_host(self._cluster).name, now[0], hosts.links)
        self._evidence = Evidence(run, hosts.links, self.note)
        self._diagnoses = Diagnoses(run, self._tell, self._evidence.gathered)
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()
        self._over: asyncio.Future[None] = asyncio.get_running_loop().create_future()  # raises what went wrong

    async def supervise(self) -> RunState:
        """Until the run has ended; the caller holds the run's lock. Cancel it to hand the run over."""
        self._record(SupervisorChanged(time=time.time(), by=self._by, pid=os.getpid()))
        control = await serve_control(self._run.control_socket(), self._on_stop, self._on_gather)
        try:
            self._attend()
            self._hosts.take_up()
            self._begin(self._decide_on_change())
            self._begin(self._watch.watch())
            if self._is_spread:
                self._begin(self._record_copy.follow())
            await self._over
            await self._evidence.finish()
            await self.write_down()
            await self._record_copy.finish()
            return self._state
        finally:
            self._over.cancel()  # nobody is told "ok" from now on
            for task in self._tasks:
                task.cancel()
            self._evidence.cancel()
            self._diagnoses.cancel()
            control.close()
            self._run.control_socket().unlink(missing_ok=True)
            self._recorder.close()

    def note(self, text: str) -> None:
        """Write down a warning that people should see."""
        self._record(Note(time=time.time(), text=text))

    async def write_down(self) -> None:
        """Return when the record is on disk, which on a full one means: when there is room again."""
        await self._recorder.write_down()

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
        """Attend to the run's hosts, and have the logs of the others come here."""
        for host in self._hosts.attend():
            if not self._hosts.links()[host].is_home:
                self._begin(self._logs.follow(host))

    def _tell(self, *events: Event) -> None:
        """Write down what happened, and have it considered."""
        self._record(*events)
        self._changed.set()

    def _record(self, *events: Event) -> None:
        if not events:
            return
        self._state = fold(events, self._state)
        self._recorder.record(events)

    # -- what is done about it -------------------------------------------------------------------------------------

    async def _decide_on_change(self) -> None:
        while not self._over.done():
            self._changed.clear()
            if self._reaches_others:
                await self._logs.settle()
            self._record(*self._watch.catch_up())
            if self._is_spread:
                self._evidence.see_to(self._state.attempt)
            self._diagnoses.see_to(self._state.attempt)
            decision = decide(self._state, self._recipe, self._cluster)
            due = self._due_later(decision)
            if due is None and isinstance(decision, Restart):  # a spare may be another run's by now
                elsewhere = await self._hosts.taken_elsewhere()
                if self._is_spread and is_alone(self._cluster, elsewhere):
                    due = self._wait_for_company()
                else:
                    decision = decide(self._state, self._recipe, without_taken(self._cluster, self._run.id, elsewhere))
            due = due or await self._act(decision)
            await asyncio.sleep(0)  # whoever stays in touch with hosts comes first
            if due is not None:
                with suppress(asyncio.TimeoutError):
                    await within(self._changed.wait(), None if due == math.inf else due - time.time())

    def _wait_for_company(self) -> float:
        """Tell why nothing is started again; when to look again."""
        self._asked_in_vain += 1
        if self._asked_in_vain == _TELL_AFTER:
            self.note(_ALONE)
        return time.time() + _LOOK_AGAIN

    def _due_later(self, decision: Decision) -> float | None:
        """When to decide anew instead, because hosts that may come to be reached by then would change the decision."""
        match decision:
            case Restart() | Fence() | EndRun("failed" | "gave_up" | "lost"):
                pass
            case StopAttempt(due=due) if due > 0:
                pass
            case Classify() if not self._reaches_others:  # its log may be short here
                pass
            case Wait() if self._state.pending is not None:
                pass
            case _:
                return None
        if not self._reaches_others:
            return math.inf
        return self._settled if time.time() < self._settled and self._hosts.may_come_back() else None

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
                self._record(await self._classified(rank))
            case AwaitDiagnosis(number, due):
                if now < due:
                    return due
                self._record(Diagnosed(time=now, attempt=number, words="the diagnosis took too long"))
            case Go(reason):
                self._record(Decided(time=now, decision="go", reason=reason))
                self._hosts.tell_to_go()
            case StopAttempt(reason, due):
                if now < due:
                    return due
                self._record(Decided(time=now, decision="stop", reason=reason))
                self._hosts.tell_to_stop(reason)
            case Fence(host, due):
                if now < due:
                    return due
                await self._hosts.fence(host)
            case Restart():
                self._record(decision.decided(now))
            case EndRun(outcome, reason):
                self._record(
                    Decided(time=now, decision=f"end_{outcome}", reason=reason),
                    RunEnded(time=now, outcome=outcome, reason=reason),
                )
                self._over.set_result(None)
        return None

    async def _classified(self, number: int) -> Classified:
        """What kind of failure a rank's was, by its exit and its log."""
        rank = self._state.ranks[number]
        assert rank.exit is not None
        lines = await self._logs.last_lines(number, LINES)
        found = classify(rank.exit, lines, trained=any(a.first_step is not None for a in self._state.attempts))
        return Classified(
            time=time.time(),
            attempt=rank.attempt,
            rank=number,
            cause=found.cause,
            startup=found.startup,
            evidence=found.evidence,
        )

    async def _restart(self, decided: Decided) -> None:
        """Begin the next attempt. What stands in the way ends the run: at once, or when the other ranks have ended."""
        elsewhere = await self._hosts.taken_elsewhere()
        known = (self._run, self._state, decided, self._recipe, self._cluster, elsewhere)
        try:
            recipe, plan = await asyncio.to_thread(prepare_next, *known)
        except (NpuLaunchError, OSError) as error:
            self._record(RestartFailed(time=time.time(), reason=f"cannot restart: {error}"))
            return
        if self._state.pending is not decided:  # it has been called off meanwhile
            return
        self._recipe = recipe
        self._record(attempt_started(plan, recipe, time.time()))
        self._attend()
        self._hosts.take_up()

    def _on_stop(self, by: str) -> bool:
        """Somebody asks for the run to end; whether there is still something to end."""
        if self._over.done():
            return False
        self._tell(StopRequested(time=time.time(), by=by))
        return True

    async def _on_gather(self, number: int, limit: int) -> str:
        """Somebody asks for the evidence of an attempt; what came of it. Raises ValueError when it is not for us."""
        attempt = next((each for each in self._state.attempts if each.number == number), None)
        if attempt is None or self._over.done():  # who supervises a run that has ended waits for nothing new
            raise ValueError(number)
        return (await self._evidence.on_request(attempt, Limits(host_bytes=limit))).model_dump_json()
