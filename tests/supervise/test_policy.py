"""What is decided, for every state that matters."""

from __future__ import annotations

import pytest

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
    HostUnreachable,
    ProcessExited,
    ProcessStarted,
    Progressed,
    RunCreated,
    RunEnded,
    ShimLost,
    Slot,
    StopRequested,
)
from launcher.runs.fold import fold
from launcher.runs.state import RankPhase, RunState
from launcher.specs import Recipe, RestartPolicy
from launcher.supervise.policy import Classify, Decision, EndRun, Fence, Restart, StopAttempt, Wait, decide
from tests.supervise.simulation import cluster_of, job, shrunk_recipe

NEVER = job(4, RestartPolicy.NEVER)
GROUP = job(4, max_restarts=3)
ELASTIC = job(4, RestartPolicy.ELASTIC, max_restarts=3)
INDEPENDENT = job(4, RestartPolicy.RANKS, max_restarts=3)
LEASE = "nothing was heard of the supervisor for 60 s (lease)"


def run(*events: Event) -> RunState:
    """Four ranks, two on each of h0 and h1."""
    created = RunCreated(time=0, run="r", name="r", framework="plain", target="CPU", world_size=4, hosts=("h0", "h1"))
    return fold([created, *events])


def decision(recipe: Recipe, *events: Event, hosts: int = 2) -> Decision:
    return decide(run(*events), recipe, cluster_of(hosts, 2))


def begun(number: int = 1, time: float = 10.0, hosts: tuple[str, str] = ("h0", "h1")) -> list[Event]:
    events: list[Event] = [AttemptStarted(time=time, attempt=number, ranks=(0, 1, 2, 3), hosts=hosts)]
    return [*events, *(started(rank, number, hosts[rank // 2], time=time) for rank in range(4))]


def started(rank: int, number: int = 1, host: str = "h0", time: float = 10.0) -> Event:
    return ProcessStarted(time=time, host=host, attempt=number, name=f"rank {rank}", rank=rank, pid=1, slot=rank % 2)


def exited(rank: int, code: int = 1, number: int = 1, time: float = 20.0, host: str | None = None) -> Event:
    return ProcessExited(
        time=time,
        host=host or f"h{rank // 2}",
        attempt=number,
        name=f"rank {rank}",
        rank=rank,
        pid=1,
        code=code,
        stopped=code == -15,
    )


def classified(rank: int, cause: Cause = Cause.USER, number: int = 1, startup: bool = False) -> Event:
    return Classified(time=21, attempt=number, rank=rank, cause=cause, startup=startup)


def idle(number: int = 1, time: float = 30.0, hosts: tuple[str, str] = ("h0", "h1")) -> list[Event]:
    return [HostIdle(time=time, host=host, attempt=number) for host in hosts]


def failed(number: int = 1, cause: Cause = Cause.USER, time: float = 10.0, rank: int = 0) -> list[Event]:
    """An attempt whose rank 0 (or another) failed of this, and whose others were stopped for it."""
    others = [exited(r, -15, number, time=time + 11) for r in range(4) if r != rank]
    first = exited(rank, 1, number, time=time + 10)
    return [*begun(number, time), first, classified(rank, cause, number), *others, *idle(number, time + 20)]


def restarted(cause: Cause = Cause.USER, excluded: tuple[Slot, ...] = (), time: float = 31.0) -> Event:
    return Decided(time=time, decision="restart_group", reason="one failed", cause=cause, due=time, excluded=excluded)


def succeeded(number: int = 1) -> list[Event]:
    return [*(exited(rank, 0, number) for rank in range(4)), *idle(number)]


# -- as long as nothing fails ----------------------------------------------------------------------------------------


def test_a_running_attempt_is_let_alone() -> None:
    assert decision(GROUP, *begun()) == Wait()


def test_a_run_whose_ranks_all_ended_well_has_succeeded() -> None:
    assert decision(NEVER, *begun(), *succeeded()) == EndRun("succeeded", "all 4 ranks ended with exit code 0")


def test_a_run_that_has_ended_is_let_alone() -> None:
    assert decision(GROUP, *failed(), RunEnded(time=40, outcome="failed", reason="x")) == Wait()


def test_exits_that_are_told_after_their_host_is_idle_still_count() -> None:
    exits = [exited(rank, 0) for rank in range(4)]
    assert decision(GROUP, *begun(), *idle(), *exits) == EndRun("succeeded", "all 4 ranks ended with exit code 0")


# -- a gang ----------------------------------------------------------------------------------------------------------


def test_the_others_are_stopped_first_and_then_the_first_failure_is_looked_at() -> None:
    assert decision(GROUP, *begun(), exited(2)) == StopAttempt("rank 2 failed")
    stopped = Decided(time=20, decision="stop", reason="rank 2 failed")
    assert decision(GROUP, *begun(), exited(2), stopped) == Classify(2)


def test_failures_in_the_wake_of_the_first_are_not_looked_at() -> None:
    assert decision(GROUP, *begun(), exited(2), classified(2), exited(0)) == StopAttempt("rank 2 failed")


def test_a_gang_that_is_being_stopped_is_not_stopped_twice() -> None:
    broken = [*begun(), exited(0), classified(0)]
    stopping = [GangStopping(time=20, host=host, attempt=1, reason="rank 0 failed") for host in ("h0", "h1")]
    assert decision(GROUP, *broken, stopping[0]) == StopAttempt("rank 0 failed")
    assert decision(GROUP, *broken, *stopping) == Wait()
    assert decision(GROUP, *broken, Decided(time=20, decision="stop", reason="rank 0 failed")) == Wait()


def test_without_a_restart_policy_the_first_failure_ends_the_run() -> None:
    assert decision(NEVER, *failed()) == EndRun("failed", "rank 0 failed first (exit code 1)")


def test_a_first_restart_waits_for_nothing_and_says_which_it_is() -> None:
    assert decision(GROUP, *failed()) == Restart(
        "rank 0 failed first (exit code 1); restart 1 of 3 (restart.max_restarts)", Cause.USER, due=30
    )


def test_nothing_is_decided_while_a_restart_is_due() -> None:
    assert decision(GROUP, *failed(), restarted()) == Wait()


def test_a_supervisor_that_takes_over_before_the_restart_began_decides_no_second_one() -> None:
    events = [*failed(), restarted()]
    state = run(*events)
    assert fold(events, run()).pending == state.pending
    assert decide(state, GROUP, cluster_of(2, 2)) == Wait()


def test_the_group_is_restarted_as_often_as_the_recipe_allows() -> None:
    events = [*failed(), restarted(), *failed(2), restarted()]
    once = job(4, max_restarts=2, without_progress=0)
    assert decision(once, *events, *failed(3)) == EndRun(
        "gave_up", "rank 0 failed first (exit code 1), and 2 restarts are used up (restart.max_restarts)"
    )


def test_each_class_of_cause_has_a_budget_of_its_own() -> None:
    recipe = job(4, max_restarts=9, budgets={"memory": 1})
    events = [*failed(cause=Cause.MEMORY), restarted(Cause.MEMORY)]
    assert isinstance(decision(recipe, *events, *failed(2, Cause.USER)), Restart)
    assert decision(recipe, *events, *failed(2, Cause.MEMORY)) == EndRun(
        "gave_up",
        "rank 0 failed first (exit code 1), and 1 restarts for memory failures are used up (restart.budgets.memory)",
    )


def test_two_restarts_without_a_new_step_end_the_run() -> None:
    recipe = job(4, max_restarts=9)
    step = Progressed(time=15, attempt=1, step=7)
    events = [*begun(), step, exited(0), classified(0), *idle(), restarted(), *failed(2), restarted()]
    assert decision(recipe, *events, *failed(3)) == EndRun(
        "gave_up",
        "rank 0 failed first (exit code 1), and 2 restarts in a row came to no new step beyond step 7 "
        "(restart.without_progress)",
    )
    again = [*begun(3), Progressed(time=15, attempt=3, step=8), exited(0, number=3), classified(0, number=3), *idle(3)]
    assert isinstance(decision(recipe, *events, *again), Restart)


def test_where_no_log_tells_steps_a_new_checkpoint_is_progress() -> None:
    recipe = job(4, max_restarts=9)

    def resumed(number: int, checkpoint: str) -> list[Event]:
        first, *rest = failed(number)
        assert isinstance(first, AttemptStarted)
        return [first.model_copy(update={"resume_from": checkpoint}), *rest]

    same = [*failed(), restarted(), *resumed(2, "7.ckpt"), restarted(), *resumed(3, "7.ckpt")]
    assert isinstance(decision(recipe, *same), EndRun)
    new = [*failed(), restarted(), *resumed(2, "7.ckpt"), restarted(), *resumed(3, "8.ckpt")]
    assert isinstance(decision(recipe, *new), Restart)


def test_a_new_checkpoint_of_one_of_several_independent_ranks_is_progress() -> None:
    recipe = job(4, max_restarts=9)

    def resumed(number: int, *checkpoints: str) -> list[Event]:
        first, *rest = failed(number)
        return [first.model_copy(update={"own_checkpoints": checkpoints}), *rest]

    before = [*failed(), restarted(), *resumed(2, "1/7.ckpt", "2/7.ckpt"), restarted()]
    assert isinstance(decision(recipe, *before, *resumed(3, "2/7.ckpt")), EndRun)
    assert isinstance(decision(recipe, *before, *resumed(3, "1/7.ckpt", "2/8.ckpt")), Restart)


def test_a_new_checkpoint_is_progress_even_where_logs_tell_steps() -> None:
    recipe = job(4, max_restarts=9)
    step = Progressed(time=15, attempt=1, step=7)

    def resumed(number: int, checkpoint: str) -> list[Event]:
        first, *rest = failed(number)
        return [first.model_copy(update={"resume_from": checkpoint}), *rest]

    events = [*begun(), step, exited(0), classified(0), *idle(), restarted(), *resumed(2, "7.ckpt"), restarted()]
    assert isinstance(decision(recipe, *events, *resumed(3, "7.ckpt")), EndRun)
    assert isinstance(decision(recipe, *events, *resumed(3, "8.ckpt")), Restart)


def test_where_no_log_tells_steps_a_long_attempt_is_progress_but_not_a_long_standstill() -> None:
    recipe = job(4, max_restarts=9)
    events = [*failed(), restarted(), *failed(2), restarted()]
    long = [*begun(3, 100), exited(0, number=3, time=5000), classified(0, number=3), *idle(3, 5000)]
    assert isinstance(decision(recipe, *events, *long), Restart)
    hung = HangFound(time=5000, attempt=3, since=101, limit=1800, fatal=True)
    assert isinstance(decision(recipe, *events, *begun(3, 100), hung, *idle(3, 5001)), EndRun)


def test_restarts_without_progress_wait_longer_and_longer() -> None:
    recipe = job(4, max_restarts=99, backoff=4.0, without_progress=0)
    events, waits = failed(), []
    for number in range(2, 9):
        events += [restarted(), *failed(number)]
        again = decision(recipe, *events)
        assert isinstance(again, Restart)
        waits.append(again.due - 30)
    assert all(
        0.75 * wanted <= wait <= 1.25 * wanted for wait, wanted in zip(waits, [4, 8, 16, 32, 60, 60, 60], strict=True)
    )


def test_a_rerun_by_a_person_has_all_its_restarts_again() -> None:
    once = job(4, max_restarts=1)
    events = [*failed(), restarted(), *failed(2), RunEnded(time=40, outcome="gave_up", reason="x"), *failed(3)]
    assert isinstance(decision(once, *events), Restart)


def test_what_failed_before_it_could_train_is_not_started_again() -> None:
    events = [*begun(), exited(0), classified(0, startup=True), *idle()]
    assert decision(GROUP, *events) == EndRun(
        "failed", "rank 0 failed first (exit code 1); it never began to train, so it is not started again"
    )


def test_a_group_of_independent_ranks_starts_again_when_all_have_ended() -> None:
    recipe = GROUP.model_copy(update={"gang": False})
    assert decision(recipe, *begun(), exited(0), classified(0)) == Wait()
    assert isinstance(decision(recipe, *failed()), Restart)


# -- devices, hosts, spares ------------------------------------------------------------------------------------------

TWICE = [*failed(cause=Cause.DEVICE, rank=3), restarted(Cause.DEVICE), *failed(2, Cause.DEVICE, rank=3)]


def test_a_device_that_failed_twice_is_replaced_by_a_spare() -> None:
    again = decision(GROUP, *TWICE, hosts=3)
    assert isinstance(again, Restart)
    assert again.excluded == (Slot(host="h1", device=1),)
    assert "h1/1 failed 2 times and is replaced" in again.reason


def test_without_a_spare_a_device_that_failed_twice_is_tried_again() -> None:
    again = decision(GROUP, *TWICE)
    assert isinstance(again, Restart)
    assert (again.excluded, again.shrunk) == ((), None)
    assert "no spare can take its place" in again.reason


def test_an_elastic_job_goes_on_without_a_device_that_failed_twice() -> None:
    again = decision(ELASTIC, *TWICE)
    assert isinstance(again, Restart) and again.shrunk is not None
    assert again.shrunk.ranks == 2  # 3 ranks would not keep the global batch
    assert again.shrunk.overrides == ("ranks=2", "args.accumulation=2")
    assert again.excluded == (Slot(host="h1", device=1),)


def test_an_elastic_job_can_shrink_to_a_single_rank() -> None:
    recipe, cluster = job(2, RestartPolicy.ELASTIC), cluster_of(1, 2)
    created = RunCreated(time=0, run="r", name="r", framework="plain", target="CPU", world_size=2, hosts=("h0",))
    decided = Decided(
        time=1, decision="restart_group", reason="x", overrides=("ranks=1", "args.accumulation=2"), world_size=1
    )
    small = shrunk_recipe(recipe, decided)
    started = AttemptStarted(time=2, attempt=1, ranks=(0,), world_size=1, hosts=("h0",))
    lost = [ShimLost(time=3, host="h0", attempt=1)]
    assert isinstance(decide(fold([created, started, *lost]), small, cluster), Restart)
    gone = fold([created, started, *lost, restarted(excluded=(Slot(host="h0"),))]).excluded
    assert gone == {Slot(host="h0")}


def test_faults_of_the_program_exclude_no_device() -> None:
    events = [*failed(rank=3), restarted(), *failed(2, rank=3)]
    again = decision(GROUP, *events, hosts=3)
    assert isinstance(again, Restart) and again.excluded == ()


def lost_host(number: int, host: str = "h1") -> list[Event]:
    return [*begun(number), ShimLost(time=20, host=host, attempt=number), *idle(number)]


def test_a_host_that_was_lost_twice_is_replaced_by_a_spare() -> None:
    once = decision(GROUP, *lost_host(1), hosts=3)
    assert isinstance(once, Restart) and once.excluded == ()
    twice = decision(GROUP, *lost_host(1), restarted(Cause.INFRASTRUCTURE), *lost_host(2), hosts=3)
    assert isinstance(twice, Restart) and twice.excluded == (Slot(host="h1"),)


def test_of_two_hosts_that_were_lost_twice_as_many_are_replaced_as_there_are_spares() -> None:
    both = [[*begun(n), *(ShimLost(time=20, host=h, attempt=n) for h in ("h1", "h0"))] for n in (1, 2)]
    events = [*both[0], restarted(Cause.INFRASTRUCTURE), *both[1]]
    first = decision(GROUP, *events, hosts=3)
    assert isinstance(first, Restart) and first.excluded == (Slot(host="h1"),)
    assert "h0 failed 2 times, but no spare can take its place" in first.reason
    both_replaced = decision(GROUP, *events, hosts=4)
    assert isinstance(both_replaced, Restart) and set(both_replaced.excluded) == {Slot(host="h0"), Slot(host="h1")}


def test_a_lost_host_takes_the_gang_down() -> None:
    assert decision(GROUP, *begun(), ShimLost(time=20, host="h1", attempt=1)) == StopAttempt("host h1 was lost")


def test_ranks_lost_with_their_host_end_a_run_that_may_not_restart_as_lost() -> None:
    end = decision(NEVER, *begun(), *(ShimLost(time=20, host=host, attempt=1) for host in ("h0", "h1")))
    assert isinstance(end, EndRun) and end.outcome == "lost"


def test_a_late_idle_of_a_host_that_was_lost_changes_no_decision() -> None:
    lost = [*begun(), *(ShimLost(time=20, host=host, attempt=1) for host in ("h0", "h1"))]
    assert decision(GROUP, *lost) == decision(GROUP, *lost, *idle(time=50))


# -- hosts that do not answer ----------------------------------------------------------------------------------------


OUT_OF_REACH = "host h1 cannot be reached"


def test_a_gang_stops_when_the_lease_of_a_host_that_cannot_be_reached_has_run_out_and_then_fences_it() -> None:
    silent = [*begun(), HostUnreachable(time=110, host="h1", heard=100)]
    stop = StopAttempt(OUT_OF_REACH, 100 + GROUP.lease)
    assert decision(GROUP, *silent) == stop
    told = Decided(time=stop.due, decision="stop", reason=OUT_OF_REACH)
    assert decision(GROUP, *silent, told) == Fence("h1", 100 + GROUP.lease + GROUP.grace + 2)


def test_nobody_is_told_to_stop_when_no_host_can_be_reached() -> None:
    silent = [HostUnreachable(time=110, host=host, heard=100) for host in ("h0", "h1")]
    assert decision(GROUP, *begun(), *silent) == Fence("h0", 100 + GROUP.lease + GROUP.grace + 2)


def test_independent_ranks_go_on_when_a_host_cannot_be_reached_until_it_is_fenced() -> None:
    silent = [*begun(), HostUnreachable(time=110, host="h1", heard=100)]
    assert decision(INDEPENDENT, *silent) == Fence("h1", 100 + INDEPENDENT.lease + INDEPENDENT.grace + 2)


def test_a_gang_that_was_stopped_for_a_host_which_then_came_back_has_failed_and_starts_again() -> None:
    told = Decided(time=160, decision="stop", reason=OUT_OF_REACH)
    silent = [*begun(), HostUnreachable(time=110, host="h1", heard=100), told, HostBack(time=161, host="h1")]
    stopping = [GangStopping(time=162, host=host, attempt=1, reason=OUT_OF_REACH) for host in ("h0", "h1")]
    again = decision(GROUP, *silent, *stopping, *(exited(r, -15, time=162) for r in range(4)), *idle(time=163))
    assert isinstance(again, Restart) and again.cause is Cause.INFRASTRUCTURE
    assert again.reason.startswith(OUT_OF_REACH)


def test_of_two_hosts_that_cannot_be_reached_the_one_whose_lease_ends_first_is_fenced_first() -> None:
    events = [HostUnreachable(time=110, host="h0", heard=100), HostUnreachable(time=105, host="h1", heard=95)]
    fence = decision(INDEPENDENT, *begun(), *events)
    assert isinstance(fence, Fence) and fence.host == "h1"


def test_a_gang_is_not_restarted_before_every_host_is_fenced_or_idle() -> None:
    events = [*begun(), exited(0), classified(0), exited(1, -15), HostUnreachable(time=15, host="h1", heard=5)]
    told = Decided(time=21, decision="stop", reason="rank 0 failed")
    assert isinstance(decision(GROUP, *events, told, idle()[0]), Fence)
    fenced = HostFenced(time=99, host="h1", attempt=1)
    assert isinstance(decision(GROUP, *events, told, idle()[0], fenced, hosts=3), Restart)


def test_a_fenced_host_leaves_its_places_to_spares_or_nobody() -> None:
    events = [
        *begun(),
        HostUnreachable(time=15, host="h1", heard=5),
        HostFenced(time=99, host="h1", attempt=1),
        *idle(),
    ]
    assert isinstance(decision(GROUP, *events, hosts=3), Restart)
    assert decision(GROUP, *events) == EndRun(
        "gave_up",
        "2 ranks ended with the process that kept them on h1, and for 4 ranks there are only 2 places left",
    )
    smaller = decision(ELASTIC, *events)
    assert isinstance(smaller, Restart) and smaller.shrunk is not None and smaller.shrunk.ranks == 2


def test_ranks_whose_lease_ran_out_did_not_stop_the_run() -> None:
    expired = GangStopping(time=70, host="h1", attempt=1, reason=LEASE, fenced=True)
    events = [*begun(), expired, exited(2, -15), exited(3, -15), exited(0, -15), exited(1, -15), *idle()]
    again = decision(GROUP, *events)
    assert isinstance(again, Restart)
    assert (again.cause, again.reason.split(";")[0]) == (
        Cause.INFRASTRUCTURE,
        "2 ranks ended on h1, which heard nothing of the supervisor (lease)",
    )


# -- standstills -----------------------------------------------------------------------------------------------------

HUNG = HangFound(time=100, attempt=1, since=40, limit=60, fatal=True, stacks="rank 3 in recv")


def test_a_fatal_standstill_stops_the_gang_and_restarts_it() -> None:
    assert decision(GROUP, *begun(), HUNG) == StopAttempt("no rank has come on for 60 s")
    stopped = [exited(rank, -15, time=101) for rank in range(4)]
    again = decision(GROUP, *begun(), HUNG, *stopped, *idle(time=102))
    assert isinstance(again, Restart)
    assert again.reason.startswith("no rank came on for 60 s: rank 3 in recv; ")
    assert again.cause is Cause.INFRASTRUCTURE


def test_a_standstill_that_is_only_reported_stops_nothing() -> None:
    assert decision(GROUP, *begun(), HUNG.model_copy(update={"fatal": False})) == Wait()


def test_ranks_that_fail_while_a_standstill_is_ended_are_not_its_cause() -> None:
    events = [*begun(), HUNG, exited(2, time=101), classified(2), *idle(time=110)]
    again = decision(GROUP, *events)
    assert isinstance(again, Restart) and again.reason.startswith("no rank came on")


def test_a_rank_that_had_failed_before_the_standstill_is_its_cause() -> None:
    events = [*begun(), exited(2, time=39), classified(2), HUNG, *idle(time=110)]
    again = decision(GROUP, *events)
    assert isinstance(again, Restart) and again.reason.startswith("rank 2 failed first")


# -- a request to stop -----------------------------------------------------------------------------------------------


def test_a_gang_of_which_one_host_stops_by_itself_stops_everywhere() -> None:
    """Somebody sent its shim SIGTERM, which the supervisor knows nothing of."""
    stopping = GangStopping(time=20, host="h1", attempt=1, reason="npu-launch's shim received SIGTERM")
    stop = StopAttempt(stopping.reason)
    assert decision(GROUP, *begun(), stopping) == stop
    gone = [exited(2, -15), exited(3, -15), HostIdle(time=30, host="h1", attempt=1)]
    assert decision(GROUP, *begun(), stopping, *gone) == stop


ASKED = StopRequested(time=25, by="ctrl-c")


def test_a_request_to_stop_wins_over_a_restart() -> None:
    assert decision(GROUP, *begun(), ASKED) == StopAttempt("stopped by ctrl-c")
    assert decision(GROUP, *failed(), ASKED) == EndRun("stopped", "stopped by ctrl-c")


def test_a_request_to_stop_ends_a_restart_that_waits_for_its_time() -> None:
    assert decision(GROUP, *failed(), restarted(), ASKED) == EndRun("stopped", "stopped by ctrl-c")


def test_a_run_that_ended_well_before_it_could_be_stopped_has_succeeded() -> None:
    end = decision(GROUP, *begun(), ASKED, *succeeded())
    assert isinstance(end, EndRun) and end.outcome == "succeeded"


def test_a_run_that_never_began_can_be_stopped() -> None:
    assert decision(GROUP, ASKED) == EndRun("stopped", "stopped by ctrl-c")


# -- independent ranks -----------------------------------------------------------------------------------------------


def test_independent_ranks_outlive_each_other() -> None:
    alone = NEVER.model_copy(update={"gang": False})
    assert decision(alone, *begun(), exited(0), classified(0)) == Wait()


def test_a_failed_rank_is_run_again_beside_the_others() -> None:
    again = decision(INDEPENDENT, *begun(), exited(2), classified(2))
    assert again == Restart(
        "rank 2 failed (exit code 1); restart 1 of 3 (restart.max_restarts)", Cause.USER, due=20, ranks=(2,)
    )


def test_a_failure_during_the_wait_for_another_restart_gets_its_turn() -> None:
    first = Decided(time=21, decision="restart_ranks", reason="x", cause=Cause.USER, due=22, ranks=(2,))
    events = [
        *begun(),
        exited(2),
        classified(2),
        first,
        exited(3),
        AttemptStarted(time=22, attempt=2, ranks=(2,), gang=False),
    ]
    assert decision(INDEPENDENT, *events) == Classify(3)
    assert decision(INDEPENDENT, *events, classified(3)) == Wait()  # rank 2 is still starting
    again = decision(INDEPENDENT, *events, classified(3), started(2, 2, "h1", time=23))
    assert isinstance(again, Restart) and again.ranks == (3,)
    assert "restart 2 of 3" in again.reason


def test_ranks_lost_with_one_host_are_one_restart() -> None:
    again = decision(INDEPENDENT, *begun(), ShimLost(time=20, host="h1", attempt=1))
    assert isinstance(again, Restart)
    assert (again.ranks, again.cause, again.due) == ((2, 3), Cause.INFRASTRUCTURE, 20)


def test_ranks_of_a_host_that_cannot_be_reached_wait_for_it() -> None:
    events = [*begun(), HostUnreachable(time=15, host="h1", heard=5), HostFenced(time=99, host="h1", attempt=1)]
    assert decision(INDEPENDENT, *events) == Wait()
    done = [exited(0, 0), exited(1, 0), idle()[0]]
    end = decision(INDEPENDENT, *events, *done)
    assert isinstance(end, EndRun) and end.outcome == "lost"


def test_a_host_that_is_stopping_takes_no_ranks() -> None:
    expired = GangStopping(time=70, host="h1", attempt=1, reason=LEASE, fenced=True)
    events = [*begun(), expired, exited(2, -15)]
    assert decision(INDEPENDENT, *events) == Wait()
    again = decision(INDEPENDENT, *events, exited(3, -15), idle()[1])
    assert isinstance(again, Restart) and again.ranks == (2, 3)


def test_independent_ranks_that_are_told_to_stop_are_neither_looked_at_nor_run_again() -> None:
    told = Decided(time=26, decision="stop", reason="stopped by ctrl-c")
    assert decision(INDEPENDENT, *begun(), ASKED, told, exited(2)) == Wait()
    rest = [exited(2), *(exited(rank, -15) for rank in (0, 1, 3)), *idle()]
    assert decision(INDEPENDENT, *begun(), ASKED, told, *rest) == EndRun("stopped", "stopped by ctrl-c")


def test_independent_ranks_that_a_person_had_stopped_without_a_supervisor_are_not_run_again() -> None:
    stopping = [GangStopping(time=20, host=host, attempt=1, reason="stopped by me") for host in ("h0", "h1")]
    rest = [*(exited(rank, -15) for rank in range(4)), *idle()]
    assert decision(INDEPENDENT, *begun(), *stopping, *rest) == EndRun("stopped", "stopped by me")


BESIDE = AttemptStarted(time=22, attempt=2, ranks=(2,), hosts=("h1",), gang=False)


def test_a_host_that_stopped_what_it_ran_before_takes_ranks_of_the_attempt_beside_it() -> None:
    """It was out of reach for as long as its lease, and heard of the later attempt only then."""
    fenced = [
        GangStopping(time=25, host="h1", attempt=1, reason=LEASE, fenced=True),
        exited(3, -15, time=26),
        HostIdle(time=27, host="h1", attempt=1),
        started(2, 2, "h1", time=28),
    ]
    events = [*begun(), exited(2), classified(2), BESIDE, *fenced]
    again = decision(INDEPENDENT, *events)
    assert isinstance(again, Restart)
    assert again.ranks == (3,)
    others_done = [exited(0, 0), exited(1, 0), HostIdle(time=40, host="h0", attempt=1)]
    assert decision(INDEPENDENT, *events, *others_done, ASKED) == StopAttempt("stopped by ctrl-c")


@pytest.mark.parametrize("before", [(), (exited(0), classified(0))])
def test_an_independent_rank_that_was_yet_to_start_is_lost_with_its_host(before: tuple[Event, ...]) -> None:
    lost = ShimLost(time=23, host="h1", attempt=2)
    state = run(*begun(), *before, exited(2), classified(2), BESIDE, lost)
    assert [state.ranks[rank].phase for rank in (2, 3)] == [RankPhase.LOST, RankPhase.LOST]


@pytest.mark.parametrize("restarts", [0, 1])
def test_independent_ranks_whose_restarts_are_used_up_end_the_run_with_its_others_done(restarts: int) -> None:
    recipe = job(4, RestartPolicy.RANKS, max_restarts=restarts)
    used = Decided(time=21, decision="restart_ranks", reason="x", cause=Cause.USER, due=22, ranks=(2,))
    again: list[Event] = [
        used,
        AttemptStarted(time=22, attempt=2, ranks=(2,)),
        started(2, 2, "h1"),
        exited(2, number=2),
    ]
    events = [*begun(), exited(2), classified(2), *[*again, classified(2, number=2)] * restarts]
    assert decision(recipe, *events) == Wait()
    end = decision(recipe, *events, *(exited(rank, 0) for rank in (0, 1, 3)), *idle(2 if restarts else 1))
    assert isinstance(end, EndRun)
    assert end.outcome == ("gave_up" if restarts else "failed")


def test_ranks_that_were_not_run_again_keep_a_run_from_success() -> None:
    alone = NEVER.model_copy(update={"gang": False})
    events = [*failed(), RunEnded(time=40, outcome="failed", reason="rank 0")]
    events += [AttemptStarted(time=50, attempt=2, ranks=(0,)), started(0, 2), exited(0, 0, 2), *idle(2)]
    assert decision(alone, *events) == EndRun("failed", "rank 1 has not succeeded, and was not run again")
