"""The state of a run: a fold over its events, and nothing else."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from immutables import Map

from launcher.errors import ExitCode
from launcher.runs.events import (
    AttemptStarted,
    Cause,
    Classified,
    Decided,
    Event,
    GangStopping,
    HangFound,
    HostBack,
    HostFenced,
    HostIdle,
    HostSuspected,
    HostUnreachable,
    Note,
    ProcessExited,
    ProcessStarted,
    Progressed,
    RunCreated,
    RunEnded,
    ShimLost,
    Slot,
    StopRequested,
    StragglerFound,
    SupervisorChanged,
)


class RunPhase(str, Enum):
    """Where a run stands; the last five are final until a rerun."""

    CREATED = "created"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    GAVE_UP = "gave_up"
    LOST = "lost"

    @property
    def ended(self) -> bool:
        return self not in (RunPhase.CREATED, RunPhase.RUNNING, RunPhase.STOPPING)

    @property
    def exit_code(self) -> ExitCode:
        """The exit status of the command that waited for the run."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    RunPhase.CREATED: ExitCode.INFRASTRUCTURE,
    RunPhase.RUNNING: ExitCode.INFRASTRUCTURE,
    RunPhase.STOPPING: ExitCode.INFRASTRUCTURE,
    RunPhase.SUCCEEDED: ExitCode.OK,
    RunPhase.FAILED: ExitCode.JOB_FAILED,
    RunPhase.STOPPED: ExitCode.INTERRUPTED,
    RunPhase.GAVE_UP: ExitCode.GAVE_UP,
    RunPhase.LOST: ExitCode.INFRASTRUCTURE,
}


class RankPhase(str, Enum):
    """Where a rank stands in the attempt that ran it last."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"


@dataclass(frozen=True)
class Exit:
    """How a process ended: its code, or minus a signal's number; `error` when it never executed.

    `oom` is what the kernel said when it killed the process for want of memory.
    """

    code: int
    time: float
    error: str | None = None
    oom: str | None = None

    def __str__(self) -> str:
        if self.error:
            return self.error
        if self.oom:
            return f"killed by the kernel for want of memory ({self.oom})"
        if self.code >= 0:
            return f"exit code {self.code}"
        try:
            return f"killed by {signal.Signals(-self.code).name}"
        except ValueError:
            return f"killed by signal {-self.code}"


@dataclass(frozen=True)
class RankState:
    """One rank: `attempt` is the one that ran it last, `failure` what was found about its exit."""

    rank: int
    phase: RankPhase = RankPhase.WAITING
    attempt: int = 0
    host: str | None = None
    slot: int | None = None
    pid: int | None = None
    started: float | None = None
    exit: Exit | None = None
    failure: Classified | None = None
    max_rss_kib: int | None = None


@dataclass(frozen=True)
class AttemptState:
    """One attempt; `busy_hosts` still hold processes of it, `first_failure` failed before any other rank.

    `restarts` counts those before it since somebody last started the run, or started it again. `high_water` is the
    most steps that an attempt before it had done. The times are those at which the last rank had started, the first
    rank failed (or the ranks came to a standstill), the stop began, and nothing was left. `stopping_hosts` are stopping
    what they run, of themselves or because the supervisor has `told_to_stop` them all.
    """

    number: int
    ranks: tuple[int, ...]
    started: float
    resume_from: str | None = None
    restarts: int = 0
    high_water: int = 0
    busy_hosts: frozenset[str] = frozenset()
    launched: float | None = None
    first_step: Progressed | None = None
    caught_up: Progressed | None = None
    last_step: Progressed | None = None
    first_failure: int | None = None
    lost_host: str | None = None
    hang: HangFound | None = None
    failed: float | None = None
    stopping: str | None = None
    stopping_since: float | None = None
    stopping_hosts: frozenset[str] = frozenset()
    told_to_stop: bool = False
    ended: float | None = None

    @property
    def made_progress(self) -> bool:
        """Whether it did a step that no attempt before it had done."""
        return self.last_step is not None and self.last_step.step > self.high_water


class Reach(str, Enum):
    """Whether a host answers: "cannot reach" says nothing about what runs there."""

    SUSPECTED = "suspected"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class HostState:
    """A host that does not answer, since when it was last heard (None while it is only suspected)."""

    reach: Reach
    heard: float | None = None


@dataclass(frozen=True)
class RunState:
    """A whole run. `seen` is the number of the last event taken from each host.

    `pending` is a restart that was decided and has not begun. `spent` are the restarts used up per class of cause,
    `blamed` the failures per slot that may be the slot's own, `excluded` the slots that are not used any more: these
    three begin anew when somebody starts the run again. `counts` says how many ranks are in each phase.
    """

    run: str = ""
    name: str = ""
    framework: str = ""
    target: str = ""
    world_size: int = 0
    hosts: tuple[str, ...] = ()
    phase: RunPhase = RunPhase.CREATED
    reason: str = ""
    created: float = 0.0
    ended: float | None = None
    attempts: tuple[AttemptState, ...] = ()
    ranks: Map[int, RankState] = Map()  # noqa: RUF009 - immutable
    counts: Map[RankPhase, int] = Map()  # noqa: RUF009
    stop_requested_by: str | None = None
    pending: Decided | None = None
    spent: Map[Cause, int] = Map()  # noqa: RUF009
    blamed: Map[Slot, int] = Map()  # noqa: RUF009
    excluded: frozenset[Slot] = frozenset()
    unwell_hosts: Map[str, HostState] = Map()  # noqa: RUF009
    stragglers: tuple[StragglerFound, ...] = ()
    supervisor: SupervisorChanged | None = None
    notes: tuple[Note, ...] = ()
    seen: Map[str, int] = Map()  # noqa: RUF009

    @property
    def attempt(self) -> AttemptState | None:
        """The current attempt, or the last one."""
        return self.attempts[-1] if self.attempts else None

    def count(self, phase: RankPhase) -> int:
        """How many ranks are in this phase."""
        return self.counts.get(phase, 0)

    def ranks_in(self, phase: RankPhase) -> tuple[int, ...]:
        """The ranks in this phase, in order."""
        return tuple(sorted(r for r, rank in self.ranks.items() if rank.phase is phase)) if self.count(phase) else ()

    @property
    def first_failure(self) -> RankState | None:
        """The rank that failed first in the last attempt in which one did, or None."""
        for attempt in reversed(self.attempts):
            if attempt.first_failure is not None:
                return self.ranks.get(attempt.first_failure)
        return None


def fold(events: Iterable[Event], state: RunState | None = None) -> RunState:
    """The state after these events, from `state` on."""
    state = state or RunState()
    for event in events:
        state = apply(state, event)
    return state


def apply(state: RunState, event: Event) -> RunState:
    """The state after one more event; an event of a host that was seen already changes nothing."""
    if event.host is not None and event.host_seq is not None:
        if event.host_seq <= state.seen.get(event.host, 0):
            return state
        state = replace(state, seen=state.seen.set(event.host, event.host_seq))

    match event:
        case ProcessStarted():
            return _process_started(state, event)
        case ProcessExited():
            return _process_exited(state, event)
        case HostIdle():
            return _host_over(state, event.host, event.attempt, event.time)
        case RunCreated():
            return _run_created(state, event)
        case AttemptStarted():
            return _attempt_started(state, event)
        case GangStopping():
            return _gang_stopping(state, event)
        case ShimLost() | HostFenced():
            return _host_lost(state, event)
        case Classified():
            return _classified(state, event)
        case Progressed():
            return _progressed(state, event)
        case HangFound():
            return _hang_found(state, event)
        case StragglerFound():
            return replace(state, stragglers=(*state.stragglers, event))
        case HostSuspected() | HostUnreachable() | HostBack():
            return _host_reach(state, event)
        case Decided():
            return _decided(state, event)
        case StopRequested():
            if state.phase.ended:
                return state
            return replace(state, stop_requested_by=event.by, phase=RunPhase.STOPPING, pending=None)
        case SupervisorChanged():
            return replace(state, supervisor=event)
        case RunEnded():
            phase = RunPhase(event.outcome)
            return replace(state, phase=phase, reason=event.reason, ended=event.time, pending=None)
        case Note():
            return replace(state, notes=(*state.notes, event))


def _run_created(state: RunState, event: RunCreated) -> RunState:
    if state.run:
        return state
    return replace(
        state,
        run=event.run,
        name=event.name,
        framework=event.framework,
        target=event.target,
        world_size=event.world_size,
        hosts=event.hosts,
        created=event.time,
        ranks=Map({r: RankState(r) for r in range(event.world_size)}),
        counts=Map({RankPhase.WAITING: event.world_size}),
    )


def _attempt_started(state: RunState, event: AttemptStarted) -> RunState:
    before = state.attempt
    if before is not None and event.attempt <= before.number:
        return state
    by_a_person = before is None or state.phase.ended
    hosts = event.hosts or state.hosts
    attempt = AttemptState(
        number=event.attempt,
        ranks=event.ranks,
        started=event.time,
        resume_from=event.resume_from,
        restarts=0 if before is None or by_a_person else before.restarts + 1,
        high_water=_high_water(before),
        busy_hosts=frozenset(hosts),
    )
    if by_a_person:
        state = replace(state, spent=Map(), blamed=Map(), excluded=frozenset())
    state = replace(
        state,
        phase=RunPhase.STOPPING if state.stop_requested_by and not by_a_person else RunPhase.RUNNING,
        reason="",
        ended=None,
        hosts=hosts,
        stop_requested_by=None if by_a_person else state.stop_requested_by,
        pending=None,
        attempts=(*state.attempts, attempt),
    )
    if event.world_size is not None and event.world_size != state.world_size:
        state = _resized(state, event.world_size)
    for rank in event.ranks:
        state = _set_rank(state, RankState(rank, attempt=event.attempt))
    return state


def _high_water(attempt: AttemptState | None) -> int:
    """The most steps that this attempt or one before it had done."""
    if attempt is None:
        return 0
    return max(attempt.high_water, attempt.last_step.step if attempt.last_step else 0)


def _resized(state: RunState, world_size: int) -> RunState:
    """A job of another size: ranks beyond it are gone, and new ones wait."""
    ranks = {r: state.ranks.get(r, RankState(r)) for r in range(world_size)}
    counts: dict[RankPhase, int] = {}
    for rank in ranks.values():
        counts[rank.phase] = counts.get(rank.phase, 0) + 1
    return replace(state, world_size=world_size, ranks=Map(ranks), counts=Map(counts))


def _process_started(state: RunState, event: ProcessStarted) -> RunState:
    rank = _rank_of(state, event.rank, event.attempt)
    if rank is None or rank.phase is not RankPhase.WAITING:
        return state
    running = replace(
        rank, phase=RankPhase.RUNNING, host=event.host, slot=event.slot, pid=event.pid, started=event.time
    )
    return _launched(_set_rank(state, running), event.time)


def _launched(state: RunState, time: float) -> RunState:
    """Note when the last rank has started, or will never start."""
    if state.count(RankPhase.WAITING) == 0 and state.attempts and state.attempts[-1].launched is None:
        return _change_attempt(state, launched=time)
    return state


def _process_exited(state: RunState, event: ProcessExited) -> RunState:
    rank = _rank_of(state, event.rank, event.attempt)
    if rank is None or rank.exit is not None:
        return state
    if event.stopped:
        phase = RankPhase.STOPPED
    elif event.code == 0:
        phase = RankPhase.SUCCEEDED
    else:
        phase = RankPhase.FAILED
    ended = replace(
        rank,
        phase=phase,
        host=event.host,
        pid=event.pid,
        exit=Exit(event.code, event.time, event.error, event.oom),
        max_rss_kib=event.max_rss_kib,
    )
    state = _launched(_set_rank(state, ended), event.time)
    attempt = state.attempts[-1]
    if phase is RankPhase.FAILED and attempt.first_failure is None and attempt.number == event.attempt:
        failed = event.time if attempt.failed is None else attempt.failed
        state = _change_attempt(state, first_failure=rank.rank, failed=failed)
    return state


def _gang_stopping(state: RunState, event: GangStopping) -> RunState:
    attempt = state.attempt
    if attempt is None or attempt.number != event.attempt:
        return state
    if event.host is not None:
        state = _change_attempt(state, stopping_hosts=attempt.stopping_hosts | {event.host})
    if attempt.stopping is not None:
        return state
    return _change_attempt(state, stopping=event.reason, stopping_since=event.time)


def _classified(state: RunState, event: Classified) -> RunState:
    rank = _rank_of(state, event.rank, event.attempt)
    if rank is None or rank.failure is not None or rank.phase is not RankPhase.FAILED:
        return state
    state = _set_rank(state, replace(rank, failure=event))
    if rank.host is not None and event.cause in (Cause.DEVICE, Cause.INFRASTRUCTURE):
        state = _blame(state, Slot(host=rank.host, device=rank.slot))
    return state


def _blame(state: RunState, slot: Slot) -> RunState:
    return replace(state, blamed=state.blamed.set(slot, state.blamed.get(slot, 0) + 1))


def _progressed(state: RunState, event: Progressed) -> RunState:
    attempt = state.attempt
    if attempt is None or attempt.number != event.attempt:
        return state
    last = attempt.last_step
    if last is not None and (event.step < last.step or event.time < last.time):
        return state
    first = attempt.first_step or event
    caught_up = attempt.caught_up or (event if event.step >= attempt.high_water else None)
    return _change_attempt(state, first_step=first, caught_up=caught_up, last_step=event)


def _hang_found(state: RunState, event: HangFound) -> RunState:
    attempt = state.attempt
    if attempt is None or attempt.number != event.attempt:
        return state
    failed = event.since if event.fatal and attempt.failed is None else attempt.failed
    return _change_attempt(state, hang=event, failed=failed)


def _host_lost(state: RunState, event: ShimLost | HostFenced) -> RunState:
    """What ran on the host has ended, or is told to; nobody will ever report its exits."""
    attempt = state.attempt
    if attempt is None or attempt.number != event.attempt or event.host not in attempt.busy_hosts:
        return state
    if attempt.first_failure is None and attempt.lost_host is None:
        failed = event.time if attempt.failed is None else attempt.failed
        state = _change_attempt(state, lost_host=event.host, failed=failed)
    state = _blame(state, Slot(host=event.host))
    return _host_over(state, event.host, event.attempt, event.time)


def _host_over(state: RunState, host: str | None, number: int, time: float) -> RunState:
    """Nothing of the attempt is left on the host: a rank there whose end was never reported is lost."""
    attempt = state.attempt
    if attempt is None or attempt.number != number or host not in attempt.busy_hosts:
        return state
    if state.count(RankPhase.RUNNING):
        for rank in state.ranks.values():
            if rank.host == host and rank.phase is RankPhase.RUNNING:
                state = _set_rank(state, replace(rank, phase=RankPhase.LOST))
    busy = attempt.busy_hosts - {host}
    if busy:
        return _change_attempt(state, busy_hosts=busy)
    return replace(
        state,
        attempts=tuple(
            replace(a, busy_hosts=frozenset(), ended=time if a.ended is None else a.ended) for a in state.attempts
        ),
    )


def _host_reach(state: RunState, event: HostSuspected | HostUnreachable | HostBack) -> RunState:
    if event.host is None:
        return state
    match event:
        case HostSuspected():
            return replace(state, unwell_hosts=state.unwell_hosts.set(event.host, HostState(Reach.SUSPECTED)))
        case HostUnreachable():
            unwell = HostState(Reach.UNREACHABLE, event.heard)
            return replace(state, unwell_hosts=state.unwell_hosts.set(event.host, unwell))
        case HostBack():
            return replace(state, unwell_hosts=_without(state.unwell_hosts, event.host))


def _without(hosts: Map[str, HostState], host: str) -> Map[str, HostState]:
    return hosts.delete(host) if host in hosts else hosts


def _decided(state: RunState, event: Decided) -> RunState:
    if state.phase.ended:
        return state
    state = replace(state, excluded=state.excluded | set(event.excluded))
    if event.decision == "stop" and state.attempts:
        return _change_attempt(state, told_to_stop=True)
    if event.due is None:
        return state
    if event.cause is not None:
        state = replace(state, spent=state.spent.set(event.cause, state.spent.get(event.cause, 0) + 1))
    return replace(state, pending=event)


def _rank_of(state: RunState, rank: int | None, attempt: int) -> RankState | None:
    """The rank an event speaks of, unless it is a service or an attempt that is over for this rank."""
    known = state.ranks.get(rank) if rank is not None else None
    return known if known is not None and known.attempt == attempt else None


def _set_rank(state: RunState, rank: RankState) -> RunState:
    before = state.ranks.get(rank.rank)
    counts = state.counts
    if before is None or before.phase is not rank.phase:
        counts = counts.set(rank.phase, counts.get(rank.phase, 0) + 1)
        if before is not None:
            counts = counts.set(before.phase, counts[before.phase] - 1)
    return replace(state, ranks=state.ranks.set(rank.rank, rank), counts=counts)


def _change_attempt(state: RunState, **changes: object) -> RunState:
    """Change the current attempt."""
    return replace(state, attempts=(*state.attempts[:-1], replace(state.attempts[-1], **changes)))  # type: ignore[arg-type]
