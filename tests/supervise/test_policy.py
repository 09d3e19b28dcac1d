"""What is decided, for every state that matters."""

from __future__ import annotations

from launcher.runs.events import (
    AttemptStarted,
    Event,
    GangStopping,
    HostIdle,
    ProcessExited,
    ProcessStarted,
    RunCreated,
    RunEnded,
    ShimLost,
    StopRequested,
)
from launcher.runs.state import RunState, fold
from launcher.specs import Restart, RestartPolicy
from launcher.supervise.policy import EndRun, RestartGroup, StopAttempt, Wait, decide

NEVER = Restart(policy=RestartPolicy.NEVER)
TWICE = Restart(policy=RestartPolicy.GROUP, max_restarts=2)


def attempt(number: int, *codes: int, stopped: tuple[int, ...] = (), error: str | None = None) -> list[Event]:
    """An attempt in which the ranks end with these codes, in this order."""
    events: list[Event] = [AttemptStarted(time=1, attempt=number, ranks=tuple(range(len(codes))))]
    events += [
        ProcessStarted(time=1, host="a", attempt=number, name=f"rank {r}", rank=r, pid=r) for r in range(len(codes))
    ]
    events += [
        ProcessExited(
            time=2, host="a", attempt=number, name=f"rank {r}", rank=r, pid=r, code=c, stopped=r in stopped, error=error
        )
        for r, c in enumerate(codes)
    ]
    return events


def run(*events: Event, ranks: int = 2) -> RunState:
    created = RunCreated(time=0, run="r", name="r", framework="plain", target="CPU", world_size=ranks, hosts=("a",))
    return fold([created, *events])


def idle(number: int) -> Event:
    return HostIdle(time=3, host="a", attempt=number)


def test_a_running_attempt_is_let_alone() -> None:
    assert decide(run(*attempt(1, 0)[:2]), NEVER, gang=True) == Wait()


def test_a_run_whose_ranks_all_ended_well_has_succeeded() -> None:
    assert decide(run(*attempt(1, 0, 0), idle(1)), NEVER, gang=True) == EndRun(
        "succeeded", "all 2 ranks ended with exit code 0"
    )


def test_a_rank_that_fails_takes_its_gang_down() -> None:
    assert decide(run(*attempt(1, 17)), NEVER, gang=True) == StopAttempt("rank 0 failed")


def test_a_gang_that_is_being_stopped_is_not_stopped_twice() -> None:
    stopping = GangStopping(time=2, host="a", attempt=1, reason="rank 0 failed")
    assert decide(run(*attempt(1, 17), stopping), NEVER, gang=True) == Wait()


def test_independent_ranks_outlive_each_other() -> None:
    assert decide(run(*attempt(1, 17)), NEVER, gang=False) == Wait()


def test_without_a_restart_policy_the_first_failure_ends_the_run() -> None:
    decision = decide(run(*attempt(1, 17, -15, stopped=(1,)), idle(1)), NEVER, gang=True)
    assert decision == EndRun("failed", "rank 0 failed first (exit code 17)")


def test_the_group_is_restarted_as_often_as_the_recipe_allows() -> None:
    events = [*attempt(1, 17, -15, stopped=(1,)), idle(1)]
    assert isinstance(decide(run(*events), TWICE, gang=True), RestartGroup)
    events += [*attempt(2, -9, -15, stopped=(1,)), idle(2)]
    assert isinstance(decide(run(*events), TWICE, gang=True), RestartGroup)
    events += [*attempt(3, 17, -15, stopped=(1,)), idle(3)]
    assert decide(run(*events), TWICE, gang=True) == EndRun(
        "gave_up", "rank 0 failed first (exit code 17), and 2 restarts are used up (restart.max_restarts)"
    )


def test_a_rerun_has_all_its_restarts_again() -> None:
    once = Restart(policy=RestartPolicy.GROUP, max_restarts=1)
    events = [*attempt(1, 17, -15, stopped=(1,)), idle(1), RunEnded(time=4, outcome="stopped", reason="asked")]
    events += [*attempt(2, 17, -15, stopped=(1,)), idle(2)]
    assert isinstance(decide(run(*events), once, gang=True), RestartGroup)


def test_ranks_that_were_not_run_again_keep_a_run_from_success() -> None:
    events = [*attempt(1, 3, 3), idle(1), RunEnded(time=4, outcome="failed", reason="rank 0")]
    events += [AttemptStarted(time=5, attempt=2, ranks=(0,)), *attempt(2, 0)[1:], idle(2)]
    assert decide(run(*events), NEVER, gang=False) == EndRun(
        "failed", "rank 1 has not succeeded, and was not run again"
    )


def test_what_never_started_is_not_started_again() -> None:
    decision = decide(run(*attempt(1, 127, 127, error="no such file"), idle(1)), TWICE, gang=True)
    assert isinstance(decision, EndRun)
    assert decision.outcome == "failed"


def test_a_request_to_stop_wins_over_a_restart() -> None:
    asked = StopRequested(time=2, by="ctrl-c")
    assert decide(run(*attempt(1, 0)[:2], asked), TWICE, gang=True) == StopAttempt("stopped by ctrl-c")
    assert decide(run(*attempt(1, -15, -15, stopped=(0, 1)), asked, idle(1)), TWICE, gang=True) == EndRun(
        "stopped", "stopped by ctrl-c"
    )


def test_a_run_that_ended_well_before_it_could_be_stopped_has_succeeded() -> None:
    decision = decide(run(*attempt(1, 0, 0), StopRequested(time=2, by="ctrl-c"), idle(1)), NEVER, gang=True)
    assert isinstance(decision, EndRun)
    assert decision.outcome == "succeeded"


def test_ranks_lost_with_their_shim_end_the_run_as_lost() -> None:
    started = attempt(1, 0, 0)[:3]
    decision = decide(run(*started, ShimLost(time=2, host="a", attempt=1)), TWICE, gang=True)
    assert isinstance(decision, EndRun)
    assert decision.outcome == "lost"
