"""What events of hosts change in a run's state: a host stops what it runs, has ended it, or does not answer."""

from __future__ import annotations

from dataclasses import replace

from immutables import Map

from launcher.runs.changes import blame, change_attempt, copy_with, lose_ranks, set_ranks
from launcher.runs.events import (
    GangStopping,
    HostBack,
    HostFenced,
    HostIdle,
    HostReady,
    HostSuspected,
    HostUnreachable,
    ShimLost,
    Slot,
)
from launcher.runs.state import AttemptState, HostState, RankPhase, Reach, RunState


def host_ready(state: RunState, event: HostReady) -> RunState:
    """One host less for which the others wait; once the attempt is to be stopped it comes too late."""
    attempt = state.attempt
    if attempt is None or attempt.number != event.attempt or event.host not in attempt.busy_hosts:
        return state
    return state if attempt.told_to_stop else change_attempt(state, ready_hosts=attempt.ready_hosts | {event.host})


def told_to_stop(state: RunState) -> RunState:
    """The supervisor has told all hosts to stop; hosts for which the others had waited in vain may be ill."""
    attempt = state.attempts[-1]
    if state.stop_requested_by is None and attempt.first_failure is None and attempt.lost_host is None:
        for host in sorted(attempt.unready_hosts):
            state = blame(state, Slot(host=host))
    return change_attempt(state, told_to_stop=True)


def gang_stopping(state: RunState, event: GangStopping) -> RunState:
    """The first reason counts, and the ranks of a host that fenced itself are lost with it."""
    attempt = state.attempt
    if attempt is None or not (attempt.number == event.attempt or _runs_beside(state, event)):
        return state
    if event.host is not None and event.host not in attempt.stopping_hosts:
        state = change_attempt(state, stopping_hosts=attempt.stopping_hosts | {event.host})
        if event.fenced and event.host in attempt.busy_hosts and not attempt.told_to_stop:
            state = change_attempt(state, expired_hosts=attempt.expired_hosts | {event.host})
            state = _note_lost_host(state, event.host, event.time)
    if attempt.stopping is not None:
        return state
    return change_attempt(state, stopping=event.reason, stopping_since=event.time)


def _runs_beside(state: RunState, event: GangStopping) -> bool:
    """Whether the host has not heard yet of the current attempt, and runs ranks of an earlier one beside it."""
    ranks = state.running_on.get(event.host, ()) if event.host is not None else ()
    return any(state.ranks[rank].attempt == event.attempt for rank in ranks)


def host_idle(state: RunState, event: HostIdle) -> RunState:
    """Nothing is left there; also when the host has not heard yet of a later attempt that starts nothing on it."""
    attempt = state.attempt
    if attempt is None or event.host is None or event.host not in attempt.busy_hosts:
        return state
    newest = next(a.number for a in reversed(state.attempts) if event.host in a.hosts)
    if newest <= event.attempt:
        return _host_over(state, event.host, event.time)
    if attempt.told_to_stop:
        return state
    stopping = attempt.stopping_hosts - {event.host}  # it has stopped what was there before, and starts the later one
    return change_attempt(
        state,
        stopping_hosts=stopping,
        expired_hosts=attempt.expired_hosts - {event.host},
        stopping=attempt.stopping if stopping else None,
        stopping_since=attempt.stopping_since if stopping else None,
    )


def host_lost(state: RunState, event: ShimLost | HostFenced) -> RunState:
    """What ran on the host has ended, or is told to; nobody will ever report its exits."""
    attempt = state.attempt
    if attempt is None or attempt.number != event.attempt or event.host is None or event.host not in attempt.busy_hosts:
        return state
    state = _note_lost_host(state, event.host, event.time)
    state = blame(state, Slot(host=event.host))
    return _host_over(state, event.host, event.time, is_lost=True)


def _note_lost_host(state: RunState, host: str, time: float) -> RunState:
    """Ranks ended with their host, before any had failed."""
    attempt = state.attempts[-1]
    if attempt.first_failure is not None or attempt.lost_host is not None:
        return state
    failed = _last_heard(state, host, time) if attempt.failed is None else attempt.failed
    return change_attempt(state, lost_host=host, failed=failed)


def _last_heard(state: RunState, host: str, time: float) -> float:
    """Until when a host that was lost at this time is known to have worked."""
    unwell = state.unwell_hosts.get(host)
    return time if unwell is None or unwell.heard is None else unwell.heard


def _host_over(state: RunState, host: str, time: float, *, is_lost: bool = False) -> RunState:
    """Nothing of the attempt is left on a busy host: a rank there whose end was never reported is lost.

    So are those that were yet to start, when a host was lost and no other is left that they may have been meant for.
    """
    attempt = state.attempts[-1]
    if host in state.running_on:
        state = _note_lost_host(lose_ranks(state, host, time), host, time)
    busy = attempt.busy_hosts - {host}
    if attempt.hosts.isdisjoint(busy) and (is_lost or state.attempts[-1].lost_host is not None):
        waiting = [r for r in state.ranks_in(RankPhase.WAITING) if state.ranks[r].attempt == attempt.number]
        state = set_ranks(
            state, state.ranks.update({r: copy_with(state.ranks[r], phase=RankPhase.LOST, ended=time) for r in waiting})
        )
    if busy:
        return change_attempt(state, busy_hosts=busy)
    return copy_with(state, attempts=_all_ended(state.attempts, time))


def _all_ended(attempts: tuple[AttemptState, ...], time: float) -> tuple[AttemptState, ...]:
    """Attempts with those that had not ended ended now; there are several when ranks were started beside others."""
    return tuple(a if a.ended is not None else copy_with(a, busy_hosts=frozenset(), ended=time) for a in attempts)


def host_reach(state: RunState, event: HostSuspected | HostUnreachable | HostBack) -> RunState:
    """Remember the hosts that do not answer."""
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
