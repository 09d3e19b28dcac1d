"""The state of a run: a fold over its events, and nothing else."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from launcher.errors import ExitCode
from launcher.runs.events import (
    AttemptStarted,
    Event,
    GangStopping,
    HostIdle,
    Note,
    ProcessExited,
    ProcessStarted,
    RunCreated,
    RunEnded,
    ShimLost,
    StopRequested,
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
    """How a process ended: its code, or minus a signal's number; `error` when it never executed."""

    code: int
    time: float
    error: str | None = None

    def __str__(self) -> str:
        if self.error:
            return self.error
        if self.code >= 0:
            return f"exit code {self.code}"
        try:
            return f"killed by {signal.Signals(-self.code).name}"
        except ValueError:
            return f"killed by signal {-self.code}"


@dataclass(frozen=True)
class RankState:
    """One rank: `attempt` is the one that ran it last."""

    rank: int
    phase: RankPhase = RankPhase.WAITING
    attempt: int = 0
    host: str | None = None
    pid: int | None = None
    started: float | None = None
    exit: Exit | None = None
    max_rss_kib: int | None = None


@dataclass(frozen=True)
class AttemptState:
    """One attempt; `busy_hosts` still hold processes of it, `first_failure` failed before any other rank.

    `restarts` counts those before it since somebody last started the run, or started it again.
    """

    number: int
    ranks: tuple[int, ...]
    started: float
    resume_from: str | None = None
    restarts: int = 0
    busy_hosts: frozenset[str] = frozenset()
    first_failure: int | None = None
    stopping: str | None = None
    ended: float | None = None


@dataclass(frozen=True)
class RunState:
    """A whole run. `seen` is the number of the last event taken from each host."""

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
    ranks: Mapping[int, RankState] = field(default_factory=dict)
    stop_requested_by: str | None = None
    supervisor: SupervisorChanged | None = None
    notes: tuple[Note, ...] = ()
    seen: Mapping[str, int] = field(default_factory=dict)

    @property
    def attempt(self) -> AttemptState | None:
        """The current attempt, or the last one."""
        return self.attempts[-1] if self.attempts else None

    def ranks_in(self, phase: RankPhase) -> tuple[int, ...]:
        """The ranks in this phase, in order."""
        return tuple(r for r in sorted(self.ranks) if self.ranks[r].phase is phase)

    @property
    def first_failure(self) -> RankState | None:
        """The rank that failed first in the last attempt in which one did, or None."""
        for attempt in reversed(self.attempts):
            if attempt.first_failure is not None:
                return self.ranks[attempt.first_failure]
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
        state = replace(state, seen={**state.seen, event.host: event.host_seq})

    match event:
        case RunCreated():
            ranks = {r: RankState(r) for r in range(event.world_size)}
            return replace(
                state,
                run=event.run,
                name=event.name,
                framework=event.framework,
                target=event.target,
                world_size=event.world_size,
                hosts=event.hosts,
                created=event.time,
                ranks=ranks,
            )
        case AttemptStarted():
            return _attempt_started(state, event)
        case ProcessStarted():
            return _process_started(state, event)
        case ProcessExited():
            return _process_exited(state, event)
        case GangStopping():
            return _change_attempt(state, event.attempt, stopping=event.reason)
        case HostIdle():
            return _host_idle(state, event)
        case ShimLost():
            return _shim_lost(state, event)
        case StopRequested():
            phase = state.phase if state.phase.ended else RunPhase.STOPPING
            return replace(state, stop_requested_by=event.by, phase=phase)
        case SupervisorChanged():
            return replace(state, supervisor=event)
        case RunEnded():
            return replace(state, phase=RunPhase(event.outcome), reason=event.reason, ended=event.time)
        case Note():
            return replace(state, notes=(*state.notes, event))
        case _:
            return state


def _attempt_started(state: RunState, event: AttemptStarted) -> RunState:
    before = state.attempt
    attempt = AttemptState(
        number=event.attempt,
        ranks=event.ranks,
        started=event.time,
        resume_from=event.resume_from,
        restarts=before.restarts + 1 if before is not None and not state.phase.ended else 0,
        busy_hosts=frozenset(state.hosts),
    )
    waiting = {r: RankState(r, attempt=event.attempt) for r in event.ranks}
    return replace(
        state,
        phase=RunPhase.RUNNING,
        reason="",
        ended=None,
        stop_requested_by=None,
        attempts=(*state.attempts, attempt),
        ranks={**state.ranks, **waiting},
    )


def _process_started(state: RunState, event: ProcessStarted) -> RunState:
    rank = _rank_of(state, event)
    if rank is None or rank.phase is not RankPhase.WAITING:
        return state
    return _set_rank(state, replace(rank, phase=RankPhase.RUNNING, host=event.host, pid=event.pid, started=event.time))


def _process_exited(state: RunState, event: ProcessExited) -> RunState:
    rank = _rank_of(state, event)
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
        exit=Exit(event.code, event.time, event.error),
        max_rss_kib=event.max_rss_kib,
    )
    state = _set_rank(state, ended)
    if phase is RankPhase.FAILED:
        attempt = state.attempts[-1]
        if attempt.first_failure is None:
            state = _change_attempt(state, attempt.number, first_failure=rank.rank)
    return state


def _host_idle(state: RunState, event: HostIdle) -> RunState:
    attempt = state.attempt
    if attempt is None or attempt.number != event.attempt or event.host is None:
        return state
    busy = attempt.busy_hosts - {event.host}
    return _change_attempt(state, attempt.number, busy_hosts=busy, ended=None if busy else event.time)


def _shim_lost(state: RunState, event: ShimLost) -> RunState:
    for rank in state.ranks.values():
        if rank.attempt == event.attempt and rank.host == event.host and rank.phase is RankPhase.RUNNING:
            state = _set_rank(state, replace(rank, phase=RankPhase.LOST))
    attempt = state.attempt
    if attempt is None or attempt.number != event.attempt or event.host is None:
        return state
    busy = attempt.busy_hosts - {event.host}
    return _change_attempt(state, attempt.number, busy_hosts=busy, ended=None if busy else event.time)


def _rank_of(state: RunState, event: ProcessStarted | ProcessExited) -> RankState | None:
    """The rank an event speaks of, unless it is a service or an attempt that is over."""
    rank = state.ranks.get(event.rank) if event.rank is not None else None
    return rank if rank is not None and rank.attempt == event.attempt else None


def _set_rank(state: RunState, rank: RankState) -> RunState:
    return replace(state, ranks={**state.ranks, rank.rank: rank})


def _change_attempt(state: RunState, number: int, **changes: object) -> RunState:
    attempts = tuple(
        replace(a, **changes) if a.number == number else a  # type: ignore[arg-type]
        for a in state.attempts
    )
    return replace(state, attempts=attempts)
