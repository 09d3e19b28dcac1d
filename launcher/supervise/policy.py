"""What to do next with a run: a pure function of its state, its recipe and its cluster."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, TypeAlias

from launcher.runs.events import Cause, Slot
from launcher.runs.state import AttemptState, RankPhase, RankState, Reach, RunState
from launcher.specs import Cluster, Recipe, RestartPolicy
from launcher.supervise.capacity import Shrunk, shrink, usable_slots

_LONGEST_BACKOFF = 60.0  # seconds
_JITTER = 0.25  # so that many runs which failed together do not all come back together
_FAILURES_UNTIL_EXCLUDED = 2
_LONG_ATTEMPT = 1800.0  # seconds; one that lasts as long has come on, even if its log has no step lines that we know
_FENCE_MARGIN = 2.0  # seconds beyond lease and grace, for clocks that differ and processes that take their time


@dataclass(frozen=True)
class Wait:
    """Nothing is to be done until something happens."""


@dataclass(frozen=True)
class Classify:
    """Find out what kind of failure this rank's was."""

    rank: int


@dataclass(frozen=True)
class StopAttempt:
    """Tell every host to stop what it runs."""

    reason: str


@dataclass(frozen=True)
class Fence:
    """Count an unreachable host's ranks as ended once its lease has run out, at `due` (seconds since the epoch)."""

    host: str
    due: float


@dataclass(frozen=True)
class Restart:
    """Start ranks again at `due` (seconds since the epoch): these beside the others, or all from the newest checkpoint.

    The slots in `excluded` are not used any more; `shrunk` is set when fewer ranks have to do.
    """

    reason: str
    cause: Cause
    due: float
    ranks: tuple[int, ...] | None = None
    excluded: tuple[Slot, ...] = ()
    shrunk: Shrunk | None = None


@dataclass(frozen=True)
class EndRun:
    """The run is over."""

    outcome: Literal["succeeded", "failed", "stopped", "gave_up", "lost"]
    reason: str


Decision: TypeAlias = Wait | Classify | StopAttempt | Fence | Restart | EndRun


def decide(state: RunState, recipe: Recipe, cluster: Cluster) -> Decision:
    """The next step of a run that is in this state; never acts.

    Only the first failure of a gang counts: when one rank dies its peers fail in its wake, and their exits say nothing
    about them. Ranks that form no gang each fail for themselves.
    """
    attempt = state.attempt
    if attempt is None or state.phase.ended or state.pending is not None:
        return Wait()
    unclassified = _unclassified(state, attempt, recipe)
    if unclassified is not None:
        return Classify(unclassified)
    if attempt.busy_hosts:
        return _while_running(state, attempt, recipe)
    if state.count(RankPhase.SUCCEEDED) == state.world_size:
        return EndRun("succeeded", f"all {state.world_size} ranks ended with exit code 0")
    if state.stop_requested_by is not None:
        return EndRun("stopped", f"stopped by {state.stop_requested_by}")
    return _after_failure(state, attempt, recipe, cluster)


def _unclassified(state: RunState, attempt: AttemptState, recipe: Recipe) -> int | None:
    """A rank whose failure counts and has not been looked at."""
    if recipe.gang:
        first = state.ranks.get(attempt.first_failure) if attempt.first_failure is not None else None
        return first.rank if first is not None and _has_failed(first) and first.failure is None else None
    if not state.count(RankPhase.FAILED):
        return None
    return next((r for r in state.ranks_in(RankPhase.FAILED) if state.ranks[r].failure is None), None)


def _has_failed(rank: RankState) -> bool:
    return rank.phase is RankPhase.FAILED


# -- while something runs --------------------------------------------------------------------------------------------


def _while_running(state: RunState, attempt: AttemptState, recipe: Recipe) -> Decision:
    if not attempt.told_to_stop and attempt.busy_hosts - attempt.stopping_hosts:
        reason = _reason_to_stop(state, attempt, recipe)
        if reason is not None:
            return StopAttempt(reason)
    for host in sorted(attempt.busy_hosts):
        unwell = state.unwell_hosts.get(host)
        if unwell is not None and unwell.reach is Reach.UNREACHABLE and unwell.heard is not None:
            return Fence(host, unwell.heard + recipe.lease + recipe.grace + _FENCE_MARGIN)
    if recipe.restart.policy is RestartPolicy.RANKS and attempt.stopping is None:
        return _restart_of_ranks(state, attempt, recipe) or Wait()
    return Wait()


def _reason_to_stop(state: RunState, attempt: AttemptState, recipe: Recipe) -> str | None:
    if state.stop_requested_by is not None:
        return f"stopped by {state.stop_requested_by}"
    if not recipe.gang:
        return None
    if attempt.first_failure is not None:
        return f"rank {attempt.first_failure} failed"
    if attempt.lost_host is not None:
        return f"host {attempt.lost_host} was lost"
    if attempt.hang is not None and attempt.hang.fatal:
        return f"no rank has come on for {attempt.hang.time - attempt.hang.since:.0f} s"
    return None


def _restart_of_ranks(state: RunState, attempt: AttemptState, recipe: Recipe) -> Restart | None:
    """The restart of independent ranks that have failed, as far as budgets go."""
    failed = [state.ranks[r] for r in (*state.ranks_in(RankPhase.FAILED), *state.ranks_in(RankPhase.LOST))]
    for rank in failed:
        cause = rank.failure.cause if rank.failure is not None else Cause.INFRASTRUCTURE
        if _is_startup(rank) or _exhausted(state, recipe, cause) is not None:
            continue
        ended = rank.exit.time if rank.exit is not None else attempt.ended or attempt.started
        return Restart(
            reason=f"rank {rank.rank} failed ({rank.exit or 'its host was lost'}); {_nth(attempt, recipe)}",
            cause=cause,
            due=ended + _backoff(state, recipe, sum(state.spent.values())),
            ranks=(rank.rank,),
        )
    return None


# -- when nothing runs any more --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Failure:
    """What an attempt failed of, in words and as a class, and the slot that may be to blame."""

    words: str
    cause: Cause
    startup: bool = False
    slot: Slot | None = None


def _after_failure(state: RunState, attempt: AttemptState, recipe: Recipe, cluster: Cluster) -> Decision:
    if not recipe.gang:
        return _after_independent_ranks(state, attempt, recipe)
    failure = _failure_of(state, attempt)
    if failure is None:
        if all(state.ranks[r].phase is RankPhase.SUCCEEDED for r in attempt.ranks if r in state.ranks):
            return _others_not_run(state)
        return EndRun("stopped", attempt.stopping or "the ranks were stopped")
    policy = recipe.restart
    if failure.startup:
        return EndRun("failed", f"{failure.words}; it never began to train, so it is not started again")
    if policy.policy is RestartPolicy.NEVER or policy.max_restarts == 0:
        lost = attempt.lost_host is not None and attempt.first_failure is None
        return EndRun("lost" if lost else "failed", failure.words)
    if (spent := _exhausted(state, recipe, failure.cause)) is not None:
        return EndRun("gave_up", f"{failure.words}, and {spent}")
    if (stalled := _stalled(state, recipe)) is not None:
        return EndRun("gave_up", f"{failure.words}, and {stalled}")
    return _restart_of_all(state, attempt, recipe, cluster, failure)


def _after_independent_ranks(state: RunState, attempt: AttemptState, recipe: Recipe) -> Decision:
    """Nobody runs: those that failed are run again, or the run ends with what there is."""
    if recipe.restart.policy is RestartPolicy.RANKS and attempt.stopping is None:
        restart = _restart_of_ranks(state, attempt, recipe)
        if restart is not None:
            return restart
    failed = [*state.ranks_in(RankPhase.FAILED), *state.ranks_in(RankPhase.LOST)]
    if not failed:
        stopped = state.count(RankPhase.STOPPED) or state.count(RankPhase.WAITING)
        return EndRun("stopped", attempt.stopping or "the ranks were stopped") if stopped else _others_not_run(state)
    first = state.ranks[failed[0] if attempt.first_failure is None else attempt.first_failure]
    words = (
        f"rank {first.rank} failed first ({first.exit})" if first.exit else f"the host of rank {first.rank} was lost"
    )
    for rank in (state.ranks[r] for r in failed):
        cause = rank.failure.cause if rank.failure is not None else Cause.INFRASTRUCTURE
        if not _is_startup(rank) and recipe.restart.policy is RestartPolicy.RANKS:
            return EndRun("gave_up", f"{words}, and {_exhausted(state, recipe, cause)}")
    if state.count(RankPhase.LOST) == len(failed):
        return EndRun("lost", f"{len(failed)} ranks ended with the process that kept them")
    return EndRun("failed", words)


def _others_not_run(state: RunState) -> EndRun:
    others = [r for r in sorted(state.ranks) if state.ranks[r].phase is not RankPhase.SUCCEEDED]
    return EndRun("failed", f"rank {others[0]} has not succeeded, and was not run again")


def _failure_of(state: RunState, attempt: AttemptState) -> _Failure | None:
    """Why the gang is not running any more, or None when nothing failed."""
    first = state.ranks.get(attempt.first_failure) if attempt.first_failure is not None else None
    hang = attempt.hang
    if hang is not None and hang.fatal and (first is None or first.exit is None or first.exit.time > hang.time):
        odd = f": {hang.stacks}" if hang.stacks else ""
        return _Failure(f"no rank came on for {hang.time - hang.since:.0f} s{odd}", Cause.INFRASTRUCTURE)
    if first is not None:
        cause = first.failure.cause if first.failure is not None else Cause.USER
        slot = Slot(host=first.host, device=first.slot) if first.host is not None else None
        return _Failure(f"rank {first.rank} failed first ({first.exit})", cause, _is_startup(first), slot)
    if attempt.lost_host is not None:
        lost = f"{state.count(RankPhase.LOST)} ranks ended with the process that kept them on {attempt.lost_host}"
        return _Failure(lost, Cause.INFRASTRUCTURE, slot=Slot(host=attempt.lost_host))
    if state.count(RankPhase.LOST):
        return _Failure(f"of {state.count(RankPhase.LOST)} ranks nobody heard the end", Cause.INFRASTRUCTURE)
    return None


def _restart_of_all(
    state: RunState, attempt: AttemptState, recipe: Recipe, cluster: Cluster, failure: _Failure
) -> Decision:
    """All ranks again: on the same slots, on spare ones, or fewer of them."""
    ended = attempt.ended if attempt.ended is not None else attempt.started
    due = ended + _backoff(state, recipe, _restarts_without_progress(state))
    unreachable = {Slot(host=h) for h, s in state.unwell_hosts.items() if s.reach is Reach.UNREACHABLE}
    gone = state.excluded | unreachable
    excluded = _to_exclude(state, failure)
    words = f"{failure.words}; {_nth(attempt, recipe)}"
    if len(usable_slots(cluster, gone | set(excluded))) >= recipe.ranks:
        told = f"; {excluded[0]} failed {_FAILURES_UNTIL_EXCLUDED} times and is replaced" if excluded else ""
        return Restart(f"{words}{told}", failure.cause, due, excluded=excluded)
    if recipe.restart.policy is RestartPolicy.ELASTIC:
        shrunk = shrink(recipe, len(usable_slots(cluster, gone | set(excluded))))
        if shrunk is not None:
            told = f"; {excluded[0]} failed {_FAILURES_UNTIL_EXCLUDED} times" if excluded else ""
            return Restart(f"{words}{told}; {shrunk}", failure.cause, due, excluded=excluded, shrunk=shrunk)
    if len(usable_slots(cluster, gone)) >= recipe.ranks:
        told = f"; {excluded[0]} failed {_FAILURES_UNTIL_EXCLUDED} times, but no spare can take its place"
        return Restart(f"{words}{told}", failure.cause, due)
    left = len(usable_slots(cluster, gone))
    return EndRun("gave_up", f"{failure.words}, and for {recipe.ranks} ranks there are only {left} places left")


def _to_exclude(state: RunState, failure: _Failure) -> tuple[Slot, ...]:
    """The slot that failed, if it has done so before."""
    slot = failure.slot
    if slot is None or state.blamed.get(slot, 0) < _FAILURES_UNTIL_EXCLUDED:
        return ()
    return (slot,)


def _is_startup(rank: RankState) -> bool:
    """Whether the next start would fail in the same way."""
    return rank.failure is not None and rank.failure.startup


def _nth(attempt: AttemptState, recipe: Recipe) -> str:
    return f"restart {attempt.restarts + 1} of {recipe.restart.max_restarts} (restart.max_restarts)"


def _exhausted(state: RunState, recipe: Recipe, cause: Cause) -> str | None:
    """Which limit forbids another restart for this cause, in words; None when there is one left."""
    limits = recipe.restart
    if sum(state.spent.values()) >= limits.max_restarts:
        return f"{limits.max_restarts} restarts are used up (restart.max_restarts)"
    budget = limits.budgets.of(cause.value)
    if budget is not None and state.spent.get(cause, 0) >= budget:
        return f"{budget} restarts for {cause.value} failures are used up (restart.budgets.{cause.value})"
    return None


def _restarts_without_progress(state: RunState) -> int:
    """How many restarts in a row, up to now, did no step that had not been done before."""
    count = 0
    for attempt in reversed(state.attempts):
        if attempt.restarts == 0 or _came_on(state, attempt):
            break
        count += 1
    return count


def _came_on(state: RunState, attempt: AttemptState) -> bool:
    """Whether an attempt did something new: a step, a checkpoint, or, where the log tells no steps, much time."""
    if attempt.made_progress:
        return True
    later = next((a for a in state.attempts if a.number == attempt.number + 1), None)
    if later is not None and later.resume_from != attempt.resume_from and attempt.last_step is None:
        return True
    tells_steps = any(a.last_step is not None for a in state.attempts)
    lasted = (attempt.ended or attempt.started) - attempt.started
    return not tells_steps and lasted >= _LONG_ATTEMPT


def _stalled(state: RunState, recipe: Recipe) -> str | None:
    limit = recipe.restart.without_progress
    if not limit or _restarts_without_progress(state) < limit:
        return None
    assert state.attempt is not None
    reached = f" beyond step {state.attempt.high_water}" if state.attempt.high_water else ""
    return f"{limit} restarts in a row came to no new step{reached} (restart.without_progress)"


def _backoff(state: RunState, recipe: Recipe, before: int) -> float:
    """Seconds to wait when so many restarts came to nothing: none at first, then more and more.

    The jitter follows from the run and the attempt, so that the same state always gives the same answer.
    """
    if before == 0:
        return 0.0
    assert state.attempt is not None
    seconds = min(recipe.restart.backoff * 2.0 ** min(before - 1, 30), _LONGEST_BACKOFF)
    digest = hashlib.sha256(f"{state.run}/{state.attempt.number}".encode()).digest()
    return seconds * (1 + _JITTER * (digest[0] / 127.5 - 1))
