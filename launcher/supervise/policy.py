"""What to do next with a run: a pure function of its state, its recipe and its cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Literal, TypeAlias

from launcher.runs.events import Cause, Decided, Slot
from launcher.runs.state import AttemptState, RankPhase, Reach, RunState
from launcher.specs import Cluster, Recipe, RestartPolicy
from launcher.supervise.barrier import deadline, may_go, missing_hosts
from launcher.supervise.capacity import Shrunk
from launcher.supervise.failure import Failure, cause_of, failure_of, is_startup, words_of
from launcher.supervise.fixing import PATIENCE, Applied, awaits_diagnosis, fix_for
from launcher.supervise.replacement import places_for_all, places_for_some, places_left
from launcher.supervise.restarts import backoff, nth_restart, restarts_without_progress, stalled, used_up

_FENCE_MARGIN = 2.0  # seconds beyond lease and grace, for clocks that differ and processes that take their time
_PATIENCE_AT_START = (
    30.0  # seconds without an answer from a host that runs nothing yet: its agent may still be starting
)


@dataclass(frozen=True)
class Wait:
    """Nothing is to be done until something happens."""


@dataclass(frozen=True)
class Classify:
    """Find out what kind of failure this rank's was."""

    rank: int


@dataclass(frozen=True)
class AwaitDiagnosis:
    """What to do depends on what the logs of an attempt say; at `due` (seconds since the epoch) it is done without."""

    attempt: int
    due: float


@dataclass(frozen=True)
class Go:
    """Tell every host to start what it holds back: all of them are ready."""

    reason: str


@dataclass(frozen=True)
class StopAttempt:
    """Tell every host to stop what it runs or waits to start, at `due` (seconds since the epoch; 0: now)."""

    reason: str
    due: float = 0.0


@dataclass(frozen=True)
class Fence:
    """Count an unreachable host's ranks as ended once its lease has run out, at `due` (seconds since the epoch)."""

    host: str
    due: float


@dataclass(frozen=True)
class Restart:
    """Start ranks again at `due` (seconds since the epoch): these beside the others, or all from the newest checkpoint.

    The slots in `excluded` are not used any more; `shrunk` is set when fewer ranks have to do. A restart with a `fix`
    has no `cause` whose budget it would use up.
    """

    reason: str
    cause: Cause | None
    due: float
    ranks: tuple[int, ...] | None = None
    excluded: tuple[Slot, ...] = ()
    shrunk: Shrunk | None = None
    fix: Applied | None = None

    def decided(self, now: float) -> Decided:
        """What the record says of it."""
        return Decided(
            time=now,
            decision="restart_ranks" if self.ranks is not None else "restart_group",
            reason=self.reason,
            cause=self.cause,
            due=self.due,
            ranks=self.ranks,
            world_size=self.shrunk.ranks if self.shrunk is not None else None,
            overrides=changed.overrides if (changed := self.shrunk or self.fix) is not None else (),
            excluded=self.excluded,
            fix=self.fix.fix if self.fix is not None else None,
        )


@dataclass(frozen=True)
class EndRun:
    """The run is over."""

    outcome: Literal["succeeded", "failed", "stopped", "gave_up", "lost"]
    reason: str


Decision: TypeAlias = Wait | Classify | AwaitDiagnosis | Go | StopAttempt | Fence | Restart | EndRun


def decide(state: RunState, recipe: Recipe, cluster: Cluster) -> Decision:
    """The next step of a run that is in this state; never acts.

    Only the first failure of a gang counts: when one rank dies its peers fail in its wake, and their exits say nothing
    about them. Ranks that form no gang each fail for themselves.
    """
    attempt = state.attempt
    if not state.run or state.phase.ended or state.pending is not None:
        return Wait()
    if attempt is not None:
        if (reason := _reason_to_stop(state, attempt, recipe)) is not None:  # before anybody looks at logs elsewhere
            return StopAttempt(reason)
        unclassified = _unclassified(state, attempt, recipe)
        if unclassified is not None:
            return Classify(unclassified)
        if attempt.busy_hosts:
            return _while_running(state, attempt, recipe, cluster)
        if state.count(RankPhase.SUCCEEDED) == state.world_size:
            return EndRun("succeeded", f"all {state.world_size} ranks ended with exit code 0")
    if state.stop_requested_by is not None:
        return EndRun("stopped", f"stopped by {state.stop_requested_by}")
    if state.dead_end is not None:
        return EndRun("failed", state.dead_end)
    return Wait() if attempt is None else _after_failure(state, attempt, recipe, cluster)


def _unclassified(state: RunState, attempt: AttemptState, recipe: Recipe) -> int | None:
    """A rank whose failure counts and has not been looked at."""
    if recipe.gang:
        return attempt.first_failure if attempt.first_failure in state.unclassified else None
    if state.stop_requested_by is not None:  # nobody will decide on it
        return None
    return next(iter(state.unclassified), None)


# -- while something runs --------------------------------------------------------------------------------------------


def _while_running(state: RunState, attempt: AttemptState, recipe: Recipe, cluster: Cluster) -> Decision:
    timed: list[Fence | StopAttempt] = list(_fences(state, attempt, recipe))
    if not attempt.told_to_stop:
        if may_go(state, attempt):
            return Go(f"all {len(attempt.hosts)} hosts are ready")
        if not attempt.busy_hosts <= attempt.stopping_hosts:
            last = deadline(state, attempt)
            timed += [StopAttempt(*last)] if last is not None else []
            timed += _stops(state, attempt, recipe)
    if recipe.restart.policy is RestartPolicy.RANKS and not _is_starting(state, attempt):
        restart = _restart_of_ranks(state, attempt, recipe, cluster)
        if restart is not None:
            return restart
    return min(timed, key=lambda decision: decision.due) if timed else Wait()


def _fences(state: RunState, attempt: AttemptState, recipe: Recipe) -> Iterator[Fence]:
    """When each host that cannot be reached has surely ended its ranks; one that was told to start none has none."""
    longest = recipe.lease + recipe.grace + _FENCE_MARGIN
    if not attempt.released:
        longest = min(longest, _PATIENCE_AT_START)
    for host, unwell in sorted(state.unwell_hosts.items()):
        if unwell.heard is not None and host in attempt.busy_hosts:
            yield Fence(host, unwell.heard + longest)


def _stops(state: RunState, attempt: AttemptState, recipe: Recipe) -> Iterator[StopAttempt]:
    """When a gang is to stop where it can be told to, because a host that cannot be reached has no ranks any more.

    Its lease has ended them there by then.
    """
    silent = {host: unwell.heard for host, unwell in sorted(state.unwell_hosts.items()) if unwell.heard is not None}
    if recipe.gang and attempt.released and not attempt.busy_hosts <= silent.keys():
        for host, heard in silent.items():
            if host in attempt.busy_hosts:
                yield StopAttempt(f"host {host} cannot be reached", heard + recipe.lease)


def _reason_to_stop(state: RunState, attempt: AttemptState, recipe: Recipe) -> str | None:
    """Why hosts have to be told to stop; None when there is no reason, or all that run something are stopping."""
    if attempt.told_to_stop or attempt.busy_hosts <= attempt.stopping_hosts:
        return None
    if state.stop_requested_by is not None:
        return f"stopped by {state.stop_requested_by}"
    if attempt.hang is not None and attempt.hang.fatal:
        return f"no rank has come on for {attempt.hang.time - attempt.hang.since:.0f} s"
    if not recipe.gang:
        return None
    if attempt.first_failure is not None:
        return f"rank {attempt.first_failure} failed"
    if attempt.lost_host is not None:
        return f"host {attempt.lost_host} was lost"
    if (missing := missing_hosts(attempt)) is not None:
        return f"{missing} could not start"
    return attempt.stopping if attempt.stopping_hosts else None  # one host has stopped its part by itself


def _is_starting(state: RunState, attempt: AttemptState) -> bool:
    """Whether ranks of the attempt are yet to start, on hosts that it has not ended on."""
    waiting = (state.ranks[r] for r in state.ranks_in(RankPhase.WAITING))
    return bool(attempt.hosts & attempt.busy_hosts) and any(rank.attempt == attempt.number for rank in waiting)


def _restart_of_ranks(state: RunState, attempt: AttemptState, recipe: Recipe, cluster: Cluster) -> Restart | None:
    """The next restart of independent ranks, as far as budgets go; None when there is none, or not yet."""
    causes = {cause for cause in Cause if used_up(state, recipe, cause) is None}
    if not causes or state.stop_requested_by is not None or state.dead_end is not None:
        return None
    found = _to_run_again(state, attempt, causes)
    if found is None:
        return None
    ranks, cause, words = found
    ended = max(attempt.started if (at := state.ranks[r].ended) is None else at for r in ranks)
    due = ended + backoff(state, recipe, sum(state.spent.values()))
    places = places_for_some(state, recipe, cluster)
    reason = "; ".join([words, nth_restart(state, recipe), *places.changes])
    return Restart(reason, cause, due, ranks=ranks, excluded=places.excluded)


def _to_run_again(
    state: RunState, attempt: AttemptState, causes: Set[Cause]
) -> tuple[tuple[int, ...], Cause, str] | None:
    """Independent ranks that failed of one of these causes: one rank, or all that a host lost.

    Ranks keep their places while others run: one whose host cannot be reached, or is stopping, waits for it.
    """
    if attempt.stopping is not None and attempt.lost_host is None:  # a person had them stopped
        return None
    failed = (state.ranks[r] for r in state.ranks_in(RankPhase.FAILED))
    rank = next(
        (r for r in failed if not is_startup(r) and cause_of(r) in causes and _takes_ranks(state, attempt, r.host)),
        None,
    )
    if rank is not None:
        return (rank.rank,), cause_of(rank), f"rank {rank.rank} failed ({rank.exit})"
    if Cause.INFRASTRUCTURE in causes and (lost := _lost_ranks(state, attempt)):
        return lost, Cause.INFRASTRUCTURE, f"{_number_of(lost)} ended with {'its' if len(lost) == 1 else 'their'} host"
    return None


def _lost_ranks(state: RunState, attempt: AttemptState) -> tuple[int, ...]:
    """The lost ranks of one host that takes ranks again."""
    on_host: dict[str | None, list[int]] = {}
    for rank in (state.ranks[r] for r in state.ranks_in(RankPhase.LOST)):
        on_host.setdefault(rank.host, []).append(rank.rank)
    return next((tuple(ranks) for host, ranks in on_host.items() if _takes_ranks(state, attempt, host)), ())


def _takes_ranks(state: RunState, attempt: AttemptState, host: str | None) -> bool:
    """Whether ranks can be started on a host beside others; None is one that nobody knows."""
    unwell = state.unwell_hosts.get(host) if host is not None else None
    is_stopping = host in attempt.stopping_hosts and host in attempt.busy_hosts
    return not is_stopping and (unwell is None or unwell.reach is not Reach.UNREACHABLE)


def _number_of(ranks: Sequence[int]) -> str:
    return f"rank {ranks[0]}" if len(ranks) == 1 else f"{len(ranks)} ranks"


# -- when nothing runs any more --------------------------------------------------------------------------------------


def _after_failure(state: RunState, attempt: AttemptState, recipe: Recipe, cluster: Cluster) -> Decision:
    if not recipe.gang and recipe.restart.policy is not RestartPolicy.GROUP:
        return _after_independent_ranks(state, attempt, recipe, cluster)
    failure = failure_of(state, attempt)
    if failure is None:
        if all(state.ranks[r].phase is RankPhase.SUCCEEDED for r in attempt.ranks if r in state.ranks):
            return _others_not_run(state)
        return EndRun("stopped", attempt.stopping or "the ranks were stopped")
    if awaits_diagnosis(attempt, recipe):
        return AwaitDiagnosis(attempt.number, _end_of(attempt) + PATIENCE)
    if (fixed := _restart_with_fix(state, attempt, recipe, cluster, failure)) is not None:
        return fixed
    policy = recipe.restart
    if failure.startup:
        return EndRun("failed", f"{failure.words}; it never began to train, so it is not started again")
    if policy.policy is RestartPolicy.NEVER or policy.max_restarts == 0:
        return EndRun("lost" if failure.lost else "failed", failure.words)
    if (spent := used_up(state, recipe, failure.cause)) is not None:
        return EndRun("gave_up", f"{failure.words}, and {spent}")
    if (in_vain := stalled(state, recipe)) is not None:
        return EndRun("gave_up", f"{failure.words}, and {in_vain}")
    return _restart_of_all(state, attempt, recipe, cluster, failure)


def _after_independent_ranks(state: RunState, attempt: AttemptState, recipe: Recipe, cluster: Cluster) -> Decision:
    """Nobody runs: those that failed are run again, or the run ends with what there is."""
    restarts = recipe.restart.policy is RestartPolicy.RANKS and recipe.restart.max_restarts > 0
    restart = _restart_of_ranks(state, attempt, recipe, cluster) if restarts else None
    if restart is not None:
        return restart
    failure = failure_of(state, attempt)
    failed = [*state.ranks_in(RankPhase.FAILED), *state.ranks_in(RankPhase.LOST)]
    if not failed and failure is None:
        if all(state.ranks[r].phase is RankPhase.SUCCEEDED for r in attempt.ranks if r in state.ranks):
            return _others_not_run(state)
        return EndRun("stopped", attempt.stopping or "the ranks were stopped")
    words = failure.words if failure is not None else words_of(state.ranks[failed[0]])
    if restarts:
        causes = [cause_of(rank) for rank in (state.ranks[r] for r in failed) if not is_startup(rank)]
        for cause in causes if failed or failure is None else [failure.cause]:
            if (spent := used_up(state, recipe, cause)) is not None:
                return EndRun("gave_up", f"{words}, and {spent}")
    only_lost = bool(failed) and state.count(RankPhase.LOST) == len(failed)
    return EndRun("lost" if only_lost else "failed", words)


def _others_not_run(state: RunState) -> EndRun:
    others = [r for r in sorted(state.ranks) if state.ranks[r].phase is not RankPhase.SUCCEEDED]
    return EndRun("failed", f"rank {others[0]} has not succeeded, and was not run again")


def _restart_of_all(
    state: RunState, attempt: AttemptState, recipe: Recipe, cluster: Cluster, failure: Failure
) -> Decision:
    """All ranks again, on the slots that are left for them."""
    places = places_for_all(state, recipe, cluster, failure.slot)
    if places is None:
        left = places_left(state, cluster)
        return EndRun("gave_up", f"{failure.words}, and for {recipe.ranks} ranks there are only {left} places left")
    due = _end_of(attempt) + backoff(state, recipe, restarts_without_progress(state))
    words = "; ".join([failure.words, nth_restart(state, recipe), *places.changes])
    return Restart(words, failure.cause, due, excluded=places.excluded, shrunk=places.shrunk)


def _restart_with_fix(
    state: RunState, attempt: AttemptState, recipe: Recipe, cluster: Cluster, failure: Failure
) -> Restart | None:
    """All ranks again, with a change that mends what they failed of; None where there is none, or fewer have to do."""
    fix = fix_for(state, attempt, recipe)
    places = places_for_all(state, recipe, cluster, failure.slot) if fix is not None else None
    if fix is None or places is None or places.shrunk is not None:
        return None
    return Restart("; ".join([fix.words, *places.changes]), None, _end_of(attempt), excluded=places.excluded, fix=fix)


def _end_of(attempt: AttemptState) -> float:
    return attempt.ended if attempt.ended is not None else attempt.started
