"""What is decided for a gang on several hosts: at its start, when hosts are lost, and at its end."""

from __future__ import annotations

from launcher.runs.events import (
    AttemptStarted,
    Decided,
    Event,
    GangStopping,
    HostBack,
    HostFenced,
    HostIdle,
    HostReady,
    HostSuspected,
    HostUnreachable,
    ProcessExited,
    ShimLost,
    Slot,
    StopRequested,
)
from launcher.runs.state import RunPhase
from launcher.specs import RestartPolicy
from launcher.supervise.capacity import unavailable_slots
from launcher.supervise.policy import Classify, EndRun, Fence, Go, Restart, StopAttempt, Wait
from tests.supervise.simulation import Fault, World, cluster_of, job
from tests.supervise.test_policy import (
    ELASTIC,
    GROUP,
    INDEPENDENT,
    begun,
    classified,
    decision,
    exited,
    idle,
    run,
    started,
)


def held(number: int = 1, time: float = 10) -> Event:
    """An attempt whose hosts have been handed its plan."""
    return AttemptStarted(time=time, attempt=number, ranks=(0, 1, 2, 3), hosts=("h0", "h1"))


HELD = [held()]
GO = Decided(time=13, decision="go", reason="all 2 hosts are ready")
LIMIT = 310.0  # 300 s after the attempt was handed out


def ready(*hosts: str, number: int = 1) -> list[Event]:
    return [HostReady(time=12, host=host, attempt=number) for host in hosts]


def told_to_stop(reason: str = "host h1 did not get ready within 300 s") -> Event:
    return Decided(time=LIMIT, decision="stop", reason=reason)


def stopped(reason: str, *hosts: str, number: int = 1) -> list[Event]:
    ended: list[Event] = []
    for host in hosts:
        ended += [
            GangStopping(time=311, host=host, attempt=number, reason=reason),
            HostIdle(time=312, host=host, attempt=number),
        ]
    return ended


# -- the start -------------------------------------------------------------------------------------------------------


def test_ranks_go_when_the_last_host_is_ready() -> None:
    assert decision(GROUP, *HELD, *ready("h0")) == StopAttempt("host h1 did not get ready within 300 s", LIMIT)
    assert decision(GROUP, *HELD, *ready("h0", "h1")) == Go("all 2 hosts are ready")


def test_ranks_go_once() -> None:
    assert decision(GROUP, *HELD, *ready("h0", "h1"), GO) == Wait()
    assert decision(GROUP, *HELD, *ready("h0", "h1"), GO, *ready("h0", "h1")) == Wait()
    assert decision(GROUP, *HELD, *ready("h0", "h1"), GO, started(0)) == Wait()


def test_who_is_ready_for_an_earlier_attempt_is_not_for_this_one() -> None:
    late = decision(GROUP, *HELD, *ready("h0"), *idle(), held(2, 20), *ready("h1"), *ready("h0", number=2))
    assert isinstance(late, StopAttempt) and late.reason.startswith("host h1 did not get ready")


def test_ranks_on_one_host_and_independent_ranks_go_at_once() -> None:
    on_one = AttemptStarted(time=10, attempt=1, ranks=(0, 1), hosts=("h0",))
    assert decision(GROUP, on_one) == Wait()
    alone = AttemptStarted(time=10, attempt=1, ranks=(0, 1, 2, 3), hosts=("h0", "h1"), gang=False)
    assert decision(INDEPENDENT, alone) == Wait()


def test_ranks_wait_for_a_ready_host_that_does_not_answer() -> None:
    silent = [*HELD, *ready("h0", "h1"), HostSuspected(time=13, host="h1")]
    assert decision(GROUP, *silent) == Wait()
    assert decision(GROUP, *silent, HostBack(time=14, host="h1")) == Go("all 2 hosts are ready")


def test_a_host_that_is_none_of_the_attempts_holds_nobody_up() -> None:
    elsewhere = HostUnreachable(time=5, host="h2", heard=1)
    assert isinstance(decision(GROUP, elsewhere, *HELD, *ready("h0", "h1"), hosts=3), Go)


def test_a_host_that_is_lost_before_the_start_has_no_ranks_whose_lease_would_have_to_run_out() -> None:
    lost = [*HELD, *ready("h0", "h1"), HostUnreachable(time=23, host="h1", heard=13)]
    assert decision(GROUP, *lost) == Fence("h1", 13 + 30)
    fenced = [*lost, HostFenced(time=43, host="h1", attempt=1)]
    assert decision(GROUP, *fenced) == StopAttempt("host h1 was lost")
    again = decision(GROUP, *fenced, told_to_stop("host h1 was lost"), *stopped("host h1 was lost", "h0"), hosts=3)
    assert isinstance(again, Restart)
    assert again.reason.startswith("h1 was lost before the ranks could start; restart 1 of 3")


def test_a_host_that_is_lost_after_the_start_is_fenced_when_its_lease_has_run_out() -> None:
    lost = [*HELD, *ready("h0", "h1"), GO, HostUnreachable(time=23, host="h1", heard=13)]
    told = Decided(time=13 + GROUP.lease, decision="stop", reason="host h1 cannot be reached")
    assert decision(GROUP, *lost, told) == Fence("h1", 13 + GROUP.lease + GROUP.grace + 2)


def test_a_shim_that_dies_before_the_start_ends_the_attempt() -> None:
    assert decision(GROUP, *HELD, *ready("h0", "h1"), ShimLost(time=13, host="h1", attempt=1)) == StopAttempt(
        "host h1 was lost"
    )


def test_a_rank_that_could_not_be_started_is_judged_and_nobody_starts() -> None:
    cannot = ProcessExited(
        time=12, host="h1", attempt=1, name="rank 2", rank=2, pid=0, code=127, error="cannot execute 'x' in '/'"
    )
    events = [*HELD, *ready("h0"), cannot]
    assert decision(GROUP, *events) == StopAttempt("rank 2 failed")
    events.append(told_to_stop("rank 2 failed"))
    assert decision(GROUP, *events) == Classify(2)
    end = decision(GROUP, *events, classified(2, startup=True), *idle())
    assert isinstance(end, EndRun)
    assert end.outcome == "failed"
    assert end.reason.startswith("rank 2 failed first (cannot execute 'x' in '/')")


def test_a_host_that_gives_up_by_itself_ends_the_wait_of_the_others() -> None:
    refused = [*HELD, *ready("h0"), *stopped("scheduler cannot execute 'x' in '/'", "h1")]
    assert decision(GROUP, *refused) == StopAttempt("host h1 could not start")
    again = decision(GROUP, *refused, told_to_stop("host h1 could not start"), *stopped("...", "h0"))
    assert isinstance(again, Restart) and again.reason.startswith("scheduler cannot execute 'x' in '/'; restart")


def too_late(number: int = 1) -> list[Event]:
    reason = "host h1 did not get ready within 300 s"
    waited = [held(number), *ready("h0", number=number), told_to_stop(reason)]
    return [*waited, *stopped(reason, "h0", "h1", number=number)]


def test_a_host_that_never_gets_ready_is_a_failure_that_names_it() -> None:
    again = decision(GROUP, *too_late())
    assert isinstance(again, Restart)
    assert again.reason.startswith("host h1 did not get ready within 300 s; restart 1 of 3")
    never = decision(job(4, RestartPolicy.NEVER), *too_late())
    assert never == EndRun("lost", "host h1 did not get ready within 300 s")


def test_a_host_that_gets_ready_while_the_attempt_is_stopped_comes_too_late() -> None:
    late = [*HELD, *ready("h0"), told_to_stop(), *ready("h1")]
    assert decision(GROUP, *late) == Wait()
    assert isinstance(decision(GROUP, *late, *stopped("too late", "h0", "h1")), Restart)


def test_a_host_that_twice_did_not_get_ready_is_replaced_by_a_spare() -> None:
    decided = decision(GROUP, *too_late(), restarted(), *too_late(2), hosts=3)
    assert isinstance(decided, Restart) and decided.excluded == (Slot(host="h1"),)


def test_a_request_to_stop_ends_the_wait_and_is_no_failure() -> None:
    asked = [*HELD, *ready("h0"), StopRequested(time=20, by="ctrl-c")]
    assert decision(GROUP, *asked) == StopAttempt("stopped by ctrl-c")
    ended = [*asked, told_to_stop("stopped by ctrl-c"), *stopped("stopped by ctrl-c", "h0", "h1")]
    assert decision(GROUP, *ended) == EndRun("stopped", "stopped by ctrl-c")
    assert not run(*ended).blamed


def test_many_hosts_that_are_not_ready_are_named_in_part() -> None:
    hosts = tuple(f"h{n}" for n in range(12))
    stop = decision(GROUP, AttemptStarted(time=10, attempt=1, ranks=(0, 1, 2, 3), hosts=hosts), *ready("h0"))
    assert isinstance(stop, StopAttempt)
    assert stop.reason == "hosts h1, h10, h11, h2, h3, h4, h5, h6 and 3 more did not get ready within 300 s"


# -- the end ---------------------------------------------------------------------------------------------------------

DONE = [exited(0, 0, time=50), exited(1, 0, time=52), exited(2, 0, time=51), exited(3, 0, time=49)]


def test_services_that_outlive_all_ranks_are_told_to_end_and_the_run_has_succeeded() -> None:
    last = [*begun(), *DONE, HostIdle(time=53, host="h1", attempt=1)]
    assert decision(GROUP, *last) == StopAttempt("all ranks have ended", 57)
    told = Decided(time=57, decision="stop", reason="all ranks have ended")
    stopping = GangStopping(time=57, host="h0", attempt=1, reason="all ranks have ended")
    assert decision(GROUP, *last, told) == Wait()
    end = decision(GROUP, *last, told, stopping, HostIdle(time=58, host="h0", attempt=1))
    assert end == EndRun("succeeded", "all 4 ranks ended with exit code 0")


def test_services_are_let_alone_while_a_rank_runs() -> None:
    assert decision(GROUP, *begun(), *DONE[:3]) == Wait()


def test_services_of_one_host_are_its_shims_affair() -> None:
    on_one = AttemptStarted(time=10, attempt=1, ranks=(0, 1), world_size=2, hosts=("h0",))
    assert decision(GROUP, on_one, started(0), started(1), *DONE[:2]) == Wait()


def test_independent_ranks_that_can_run_again_do_so_before_services_are_told_to_end() -> None:
    events = [*begun(), exited(0), classified(0), *DONE[1:]]
    assert isinstance(decision(INDEPENDENT, *events), Restart)
    used_up = decision(job(4, RestartPolicy.RANKS, max_restarts=0), *events)
    assert used_up == StopAttempt("all ranks have ended", 57)


# -- hosts that are lost while the ranks train -----------------------------------------------------------------------


def lost(number: int, *hosts: str, of: tuple[str, str] = ("h0", "h1")) -> list[Event]:
    events = begun(number, hosts=of)
    for host in hosts:
        unreachable = HostUnreachable(time=25, host=host, heard=15)
        events += [unreachable, HostFenced(time=99, host=host, attempt=number)]
    return [*events, *idle(number, time=100, hosts=of)]


def restarted(number: int = 1) -> Event:
    return Decided(time=100 + number, decision="restart_group", reason="x", due=100 + number)


def test_a_gang_that_lost_a_host_starts_again_on_the_spare() -> None:
    assert isinstance(decision(GROUP, *lost(1, "h1"), hosts=3), Restart)
    ends = decision(GROUP, *lost(1, "h1"))
    assert isinstance(ends, EndRun) and ends.outcome == "gave_up"


def test_a_gang_that_lost_two_hosts_needs_two_spares() -> None:
    both = [*begun(), HostUnreachable(time=25, host="h0", heard=15), HostUnreachable(time=26, host="h1", heard=16)]
    due = 15 + GROUP.lease + GROUP.grace + 2
    told = Decided(time=15 + GROUP.lease, decision="stop", reason="host h0 cannot be reached")
    assert decision(GROUP, *both, told, hosts=4) == Fence("h0", due)
    fenced = [*both, told, HostFenced(time=due, host="h0", attempt=1)]
    assert decision(GROUP, *fenced, hosts=4) == Fence("h1", due + 1)
    ended = [*fenced, HostFenced(time=due + 1, host="h1", attempt=1)]
    assert isinstance(decision(GROUP, *ended, hosts=4), Restart)
    assert isinstance(decision(GROUP, *ended, hosts=3), EndRun)


def test_an_elastic_job_goes_on_smaller_without_the_host() -> None:
    smaller = decision(ELASTIC, *lost(1, "h1"))
    assert isinstance(smaller, Restart) and smaller.shrunk is not None and smaller.shrunk.ranks == 2


def test_a_host_that_has_come_back_is_used_again() -> None:
    gone = [*lost(1, "h1"), restarted(), *begun(2, 110, hosts=("h0", "h2"))]
    assert unavailable_slots(run(*gone)) == {Slot(host="h1")}
    back = [*gone, HostBack(time=200, host="h1")]
    assert unavailable_slots(run(*back)) == frozenset()
    fails: list[Event] = [ShimLost(time=210, host="h2", attempt=2), HostIdle(time=211, host="h0", attempt=2)]
    unreachable = HostUnreachable(time=210, host="h2", heard=200)
    assert isinstance(decision(GROUP, *back, unreachable, *fails, hosts=3), Restart)
    assert isinstance(decision(GROUP, *gone, unreachable, *fails, hosts=3), EndRun)


def test_lost_ranks_that_are_independent_wait_for_their_host_while_others_run() -> None:
    events = [*begun(), HostUnreachable(time=25, host="h1", heard=15), HostFenced(time=99, host="h1", attempt=1)]
    assert decision(INDEPENDENT, *events) == Wait()
    again = decision(INDEPENDENT, *events, HostBack(time=120, host="h1"))
    assert isinstance(again, Restart) and again.ranks == (2, 3)


# -- whole runs ------------------------------------------------------------------------------------------------------


def hosts_used(world: World) -> list[tuple[str, ...]]:
    return [event.hosts or () for event in world.record if isinstance(event, AttemptStarted)]


def test_a_run_whose_host_never_gets_ready_ends_on_the_spare() -> None:
    world = World(GROUP, cluster_of(3, 2), [Fault("slow", at=0, number=1, seconds=1e9)])
    assert world.run().phase is RunPhase.SUCCEEDED
    assert hosts_used(world) == [("h0", "h1"), ("h0", "h1"), ("h0", "h2")]


def test_a_run_that_loses_a_host_at_the_start_is_on_the_spare_before_any_lease_could_run_out() -> None:
    world = World(GROUP, cluster_of(3, 2), [Fault("unreachable", at=0, number=1, seconds=1e9)])
    assert world.run().phase is RunPhase.SUCCEEDED
    assert hosts_used(world) == [("h0", "h1"), ("h0", "h2")]
    second = [event.time for event in world.record if isinstance(event, AttemptStarted)][1]
    assert second < GROUP.lease


def test_a_run_that_loses_two_hosts_one_after_the_other_ends_on_the_spares() -> None:
    faults = [Fault("unreachable", at=at, number=0, seconds=1e9) for at in (100.0, 600.0)]
    world = World(GROUP, cluster_of(4, 2), faults)
    assert world.run().phase is RunPhase.SUCCEEDED
    assert len(hosts_used(world)) == 3 and set(hosts_used(world)[-1]).isdisjoint({"h0"})
    assert world.twins == world.premature == 0
