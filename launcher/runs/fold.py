"""The state of a run is a fold over its events, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from immutables import Map

from launcher.runs.changes import blame, change_attempt, copy_with, lose_ranks, set_rank, set_ranks
from launcher.runs.events import (
    AttemptStarted,
    Cause,
    Classified,
    ClockMeasured,
    Decided,
    Diagnosed,
    Event,
    FaultSeen,
    GangStopping,
    HangFound,
    HostBack,
    HostFenced,
    HostIdle,
    HostReady,
    HostSuspected,
    HostUnreachable,
    Note,
    ProcessExited,
    ProcessStarted,
    Progressed,
    RestartFailed,
    RunCreated,
    RunEnded,
    ShimLost,
    Slot,
    StopRequested,
    StragglerFound,
    SupervisorChanged,
    TroubleFound,
)
from launcher.runs.fold_hosts import gang_stopping, host_idle, host_lost, host_reach, host_ready, told_to_stop
from launcher.runs.state import AttemptState, Exit, RankPhase, RankState, RunPhase, RunState

_CLOCKS_DIFFER = 2.0  # seconds that the times of two hosts may be apart although they are corrected


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
        state = copy_with(state, seen=state.seen.set(event.host, event.host_seq))

    match event:
        case ProcessStarted():
            return _process_started(state, event)
        case ProcessExited():
            return _process_exited(state, event)
        case HostIdle():
            return host_idle(state, event)
        case HostReady():
            return host_ready(state, event)
        case RunCreated():
            return _run_created(state, event)
        case AttemptStarted():
            return _attempt_started(state, event)
        case GangStopping():
            return gang_stopping(state, event)
        case ShimLost() | HostFenced():
            return host_lost(state, event)
        case Classified():
            return _classified(state, event)
        case Diagnosed():
            return _diagnosed(state, event)
        case Progressed():
            return _progressed(state, event)
        case HangFound():
            return _hang_found(state, event)
        case StragglerFound():
            return replace(state, stragglers=(*state.stragglers, event))
        case TroubleFound():
            return replace(state, troubles=(*state.troubles, event))
        case FaultSeen():
            return replace(state, faults=(*state.faults, event))
        case HostSuspected() | HostUnreachable() | HostBack():
            return host_reach(state, event)
        case Decided():
            return _decided(state, event)
        case StopRequested():
            if state.phase.ended:
                return state
            return replace(state, stop_requested_by=event.by, phase=RunPhase.STOPPING, pending=None)
        case SupervisorChanged():
            return replace(state, supervisor=event)
        case ClockMeasured():
            return state
        case RestartFailed():
            return replace(state, dead_end=event.reason, pending=None)
        case RunEnded():
            return _run_ended(state, event)
        case Note():
            return replace(state, notes=(*state.notes, event))


def _run_created(state: RunState, event: RunCreated) -> RunState:
    if state.run:
        return state
    state = replace(
        state,
        run=event.run,
        name=event.name,
        framework=event.framework,
        target=event.target,
        world_size=event.world_size,
        hosts=event.hosts,
        created=event.time,
    )
    return set_ranks(state, {r: RankState(r) for r in range(event.world_size)})


def _attempt_started(state: RunState, event: AttemptStarted) -> RunState:
    before = state.attempt
    if not state.run or (before is not None and event.attempt <= before.number):
        return state
    is_rerun = state.phase.ended
    by_a_person = before is None or is_rerun
    hosts = state.hosts if event.hosts is None else event.hosts
    own = busy = frozenset(hosts)
    stopping = expired = frozenset[str]()
    if before is not None and len(event.ranks) < (event.world_size or state.world_size):  # the others may be running
        busy |= before.busy_hosts
        stopping, expired = before.stopping_hosts & before.busy_hosts, before.expired_hosts & before.busy_hosts
        hosts = tuple(dict.fromkeys((*state.hosts, *hosts)))
    attempt = AttemptState(
        number=event.attempt,
        ranks=event.ranks,
        started=event.time,
        resume_from=event.resume_from,
        own_checkpoints=event.own_checkpoints or (),
        restarts=0 if before is None or by_a_person else before.restarts + (not _is_fix(state.pending)),
        max_restarts=event.max_restarts,
        gang=event.gang,
        metrics=event.metrics or (),
        answer_to=state.pending,
        high_water=_high_water(before),
        hosts=own,
        busy_hosts=busy,
        released=not event.gang or len(own) <= 1,
        stopping_hosts=stopping,
        expired_hosts=expired,
    )
    if by_a_person:
        state = replace(state, spent=Map(), blamed=Map(), excluded=frozenset(), unwell_hosts=Map(), dead_end=None)
    state = replace(
        state,
        phase=RunPhase.STOPPING if state.stop_requested_by and not is_rerun else RunPhase.RUNNING,
        reason="",
        ended=None,
        hosts=hosts,
        stop_requested_by=None if is_rerun else state.stop_requested_by,
        pending=None,
        attempts=(*state.attempts, attempt),
    )
    ranks = dict(state.ranks)
    if event.world_size is not None:  # of a job that has become smaller, the ranks beyond it are gone
        state = replace(state, world_size=event.world_size)
        ranks = {r: ranks.get(r, RankState(r)) for r in range(event.world_size)}
    ranks |= {r: RankState(r, attempt=event.attempt) for r in event.ranks if r in ranks}
    return set_ranks(state, ranks)


def _is_fix(decided: Decided | None) -> bool:
    return decided is not None and decided.fix is not None


def _high_water(attempt: AttemptState | None) -> int:
    """The most steps that this attempt or one before it had done."""
    if attempt is None:
        return 0
    return max(attempt.high_water, attempt.last_step.step if attempt.last_step else 0)


def _process_started(state: RunState, event: ProcessStarted) -> RunState:
    rank = _rank_of(state, event.rank, event.attempt)
    if rank is None or rank.phase is not RankPhase.WAITING or event.host is None:
        return state
    attempt = state.attempts[-1]
    is_over = event.host not in attempt.busy_hosts  # it is told of late: the host has nothing of the attempt any more
    started = copy_with(
        rank,
        phase=RankPhase.LOST if is_over else RankPhase.RUNNING,
        host=event.host,
        slot=event.slot,
        pid=event.pid,
        started=event.time,
        ended=event.time if is_over else None,
    )
    state = _launched(set_rank(state, started), event.time)
    return state if attempt.released else change_attempt(state, released=True)


def _launched(state: RunState, time: float) -> RunState:
    """Note when the last rank has started, or will never start."""
    if state.count(RankPhase.WAITING) == 0 and state.attempts and state.attempts[-1].launched is None:
        return change_attempt(state, launched=time)
    return state


def _process_exited(state: RunState, event: ProcessExited) -> RunState:
    rank = _rank_of(state, event.rank, event.attempt)
    if rank is None or rank.exit is not None:
        return state
    if event.stopped:
        with_its_host = rank.phase is RankPhase.LOST or event.host in state.attempts[-1].expired_hosts
        phase = RankPhase.LOST if with_its_host else RankPhase.STOPPED
    elif event.code == 0:
        phase = RankPhase.SUCCEEDED
    else:
        phase = RankPhase.FAILED
    ended = copy_with(
        rank,
        phase=phase,
        host=event.host,
        pid=event.pid,
        ended=event.time,
        exit=Exit(event.code, event.time, event.error, event.oom),
        max_rss_kib=event.max_rss_kib,
    )
    state = _launched(set_rank(state, ended), event.time)
    if phase is RankPhase.FAILED:
        return _rank_failed(state, event, ran_beside=rank.phase is RankPhase.RUNNING)
    return state


def _rank_failed(state: RunState, event: ProcessExited, ran_beside: bool) -> RunState:
    """The first failure is the first that was told of, unless the host of another could not tell in time."""
    attempt = state.attempts[-1]
    if attempt.number != event.attempt and not ran_beside:
        return state
    first = state.ranks.get(attempt.first_failure) if attempt.first_failure is not None else None
    is_earlier = first is not None and first.exit is not None and event.time < first.exit.time - _CLOCKS_DIFFER
    if attempt.first_failure is not None and not is_earlier:
        return state
    failed = event.time if attempt.failed is None else min(attempt.failed, event.time)
    return change_attempt(state, first_failure=event.rank, failure=None, failed=failed)


def _classified(state: RunState, event: Classified) -> RunState:
    rank = _rank_of(state, event.rank, event.attempt)
    if rank is None or rank.failure is not None or rank.phase is not RankPhase.FAILED:
        return state
    state = set_rank(state, copy_with(rank, failure=event))
    if state.attempts[-1].first_failure == event.rank:
        state = change_attempt(state, failure=event)
    if rank.host is not None and event.cause in (Cause.DEVICE, Cause.INFRASTRUCTURE):
        state = blame(state, Slot(host=rank.host, device=rank.slot))
    return state


def _diagnosed(state: RunState, event: Diagnosed) -> RunState:
    """The first answer counts: what is decided by it is not changed by another."""
    attempts = [
        replace(attempt, diagnosed=event) if attempt.number == event.attempt and attempt.diagnosed is None else attempt
        for attempt in state.attempts
    ]
    return replace(state, attempts=tuple(attempts))


def _progressed(state: RunState, event: Progressed) -> RunState:
    attempt = state.attempt
    if attempt is None or attempt.number != event.attempt:
        return state
    last = attempt.last_step
    if last is not None and (event.step < last.step or event.time < last.time):
        return state
    first = attempt.first_step or event
    caught_up = attempt.caught_up or (event if event.step >= attempt.high_water else None)
    return change_attempt(state, first_step=first, caught_up=caught_up, last_step=event)


def _hang_found(state: RunState, event: HangFound) -> RunState:
    attempt = state.attempt
    if attempt is None or attempt.number != event.attempt:
        return state
    failed = event.since if event.fatal and attempt.failed is None else attempt.failed
    return change_attempt(state, hang=event, failed=failed)


def _decided(state: RunState, event: Decided) -> RunState:
    if state.phase.ended:
        return state
    state = replace(state, excluded=state.excluded | set(event.excluded))
    if event.decision == "stop" and state.attempts:
        return told_to_stop(state)
    if event.decision == "go" and state.attempts:
        return change_attempt(state, released=True)
    if event.due is None or state.stop_requested_by is not None:
        return state
    if event.cause is not None:
        state = replace(state, spent=state.spent.set(event.cause, state.spent.get(event.cause, 0) + 1))
    return replace(state, pending=event)


def _run_ended(state: RunState, event: RunEnded) -> RunState:
    """Nobody watches any more: what still ran is lost, whatever becomes of it."""
    if state.phase.ended:
        return state
    phase = RunPhase(event.outcome)
    attempt = state.attempt
    if attempt is not None:
        for host in attempt.busy_hosts:
            state = lose_ranks(state, host, event.time)
        unseen = phase is RunPhase.LOST and attempt.busy_hosts
        run_ended = None if unseen else event.time
        state = change_attempt(state, busy_hosts=frozenset(), run_ended=run_ended)
    return replace(state, phase=phase, reason=event.reason, ended=event.time, pending=None)


def _rank_of(state: RunState, rank: int | None, attempt: int) -> RankState | None:
    """The rank an event speaks of, unless it is a service or an attempt that is over for this rank."""
    known = state.ranks.get(rank) if rank is not None else None
    return known if known is not None and known.attempt == attempt else None
