"""What to do next with a run: a pure function of its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from launcher.runs.state import AttemptState, RankPhase, RunState
from launcher.specs import Restart, RestartPolicy


@dataclass(frozen=True)
class Wait:
    """Nothing is to be done until something happens."""


@dataclass(frozen=True)
class StopAttempt:
    """Tell every host to stop what it runs."""

    reason: str


@dataclass(frozen=True)
class RestartGroup:
    """Start all ranks again, from the newest checkpoint."""

    reason: str


@dataclass(frozen=True)
class EndRun:
    """The run is over."""

    outcome: Literal["succeeded", "failed", "stopped", "gave_up", "lost"]
    reason: str


Decision: TypeAlias = Wait | StopAttempt | RestartGroup | EndRun


def decide(state: RunState, restart: Restart, gang: bool) -> Decision:
    """The next step of a run that is in this state; never acts.

    Only the first failure of an attempt counts: when one rank of a gang dies its peers fail in its wake, and their
    exits say nothing about them.
    """
    attempt = state.attempt
    if attempt is None or state.phase.ended:
        return Wait()
    if attempt.busy_hosts:
        return _while_running(state, attempt, gang)
    if len(state.ranks_in(RankPhase.SUCCEEDED)) == state.world_size:
        return EndRun("succeeded", f"all {state.world_size} ranks ended with exit code 0")
    if state.stop_requested_by is not None:
        return EndRun("stopped", f"stopped by {state.stop_requested_by}")
    return _after_failure(state, attempt, restart)


def _while_running(state: RunState, attempt: AttemptState, gang: bool) -> Decision:
    if attempt.stopping is not None:
        return Wait()
    if state.stop_requested_by is not None:
        return StopAttempt(f"stopped by {state.stop_requested_by}")
    if gang and attempt.first_failure is not None:
        return StopAttempt(f"rank {attempt.first_failure} failed")
    return Wait()


def _after_failure(state: RunState, attempt: AttemptState, restart: Restart) -> Decision:
    phases = {rank: state.ranks[rank].phase for rank in attempt.ranks}
    lost = [rank for rank, phase in phases.items() if phase is RankPhase.LOST]
    if attempt.first_failure is None:
        if lost:
            return EndRun("lost", f"{len(lost)} ranks ended with the process that kept them")
        if all(phase is RankPhase.SUCCEEDED for phase in phases.values()):
            others = [r for r in sorted(state.ranks) if state.ranks[r].phase is not RankPhase.SUCCEEDED]
            return EndRun("failed", f"rank {others[0]} has not succeeded, and was not run again")
        return EndRun("stopped", attempt.stopping or "the ranks were stopped")
    first = state.ranks[attempt.first_failure]
    cause = f"rank {first.rank} failed first ({first.exit})"
    if first.exit is not None and first.exit.error is not None:
        return EndRun("failed", f"{cause}; it never started, so it is not started again")
    if restart.policy is RestartPolicy.NEVER or restart.max_restarts == 0:
        return EndRun("failed", cause)
    if attempt.restarts >= restart.max_restarts:
        return EndRun("gave_up", f"{cause}, and {restart.max_restarts} restarts are used up (restart.max_restarts)")
    return RestartGroup(f"{cause}; restart {attempt.restarts + 1} of {restart.max_restarts} (restart.max_restarts)")
