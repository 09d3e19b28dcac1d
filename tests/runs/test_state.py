"""The state of a run is what its events say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    HostUnreachable,
    ProcessExited,
    ProcessStarted,
    Progressed,
    RunCreated,
    RunEnded,
    ShimLost,
    Slot,
    StopRequested,
    decode,
    encode,
)
from launcher.runs.fold import apply, fold
from launcher.runs.state import Exit, RankPhase, Reach, RunPhase, RunState

CREATED = RunCreated(time=1.0, run="r-1", name="r", framework="plain", target="CPU", world_size=3, hosts=("a", "b"))
STARTED = AttemptStarted(time=2.0, attempt=1, ranks=(0, 1, 2))


def started(rank: int, *, host: str = "a", seq: int | None = None, attempt: int = 1) -> Event:
    return ProcessStarted(
        time=3.0, host=host, host_seq=seq, attempt=attempt, name=f"rank {rank}", rank=rank, pid=100 + rank
    )


def exited(
    rank: int | None, code: int, *, stopped: bool = False, host: str = "a", seq: int | None = None, attempt: int = 1
) -> Event:
    name = f"rank {rank}" if rank is not None else "scheduler"
    return ProcessExited(
        time=4.0, host=host, host_seq=seq, attempt=attempt, name=name, rank=rank, pid=1, code=code, stopped=stopped
    )


def running() -> RunState:
    return fold([CREATED, STARTED, started(0), started(1), started(2, host="b")])


def test_a_new_run_waits_for_its_ranks() -> None:
    state = fold([CREATED, STARTED])
    assert state.phase is RunPhase.RUNNING
    assert state.ranks_in(RankPhase.WAITING) == (0, 1, 2)


def test_the_first_rank_to_fail_is_the_first_failure_and_stays_it() -> None:
    state = fold([exited(1, 17), exited(0, 1), exited(2, -15, stopped=True)], running())
    assert state.first_failure is not None
    assert state.first_failure.rank == 1
    assert state.ranks_in(RankPhase.FAILED) == (0, 1)
    assert state.ranks_in(RankPhase.STOPPED) == (2,)


def test_a_rank_that_npu_launch_stopped_has_not_failed() -> None:
    state = fold([exited(0, -15, stopped=True)], running())
    assert state.first_failure is None
    assert state.ranks[0].phase is RankPhase.STOPPED


def test_the_exit_of_a_service_decides_nothing() -> None:
    assert fold([exited(None, 1)], running()).ranks == running().ranks


def test_an_attempt_has_ended_when_its_last_host_is_idle() -> None:
    state = fold([HostIdle(time=5, host="a", attempt=1)], running())
    assert state.attempt is not None and state.attempt.ended is None
    state = fold([HostIdle(time=6, host="b", attempt=1)], state)
    assert state.attempt is not None and state.attempt.ended == 6


def test_ranks_are_lost_with_the_shim_that_kept_them() -> None:
    state = fold([ShimLost(time=5, host="a", attempt=1)], running())
    assert state.ranks_in(RankPhase.LOST) == (0, 1)
    assert state.ranks[2].phase is RankPhase.RUNNING


def test_an_event_that_arrives_twice_counts_once() -> None:
    once = fold([started(0, seq=1), exited(0, 3, seq=2)], fold([CREATED, STARTED]))
    twice = fold(
        [started(0, seq=1), exited(0, 3, seq=2), started(0, seq=1), exited(0, 3, seq=2)], fold([CREATED, STARTED])
    )
    assert once == twice


def test_a_rerun_of_one_rank_leaves_the_others_as_they_were() -> None:
    state = fold([exited(0, 0), exited(1, 0), exited(2, 1)], running())
    state = fold(
        [RunEnded(time=5, outcome="failed", reason="rank 2"), AttemptStarted(time=6, attempt=2, ranks=(2,))], state
    )
    assert state.phase is RunPhase.RUNNING
    assert state.ranks_in(RankPhase.SUCCEEDED) == (0, 1)
    assert state.ranks[2] == type(state.ranks[2])(2, attempt=2)


def test_a_late_event_of_an_earlier_attempt_changes_no_rank() -> None:
    state = fold([AttemptStarted(time=6, attempt=2, ranks=(0, 1, 2)), started(0, attempt=2)], running())
    assert apply(state, exited(0, 9, attempt=1)).ranks == state.ranks


def test_a_run_that_is_stopping_says_so_until_it_has_ended() -> None:
    state = fold([StopRequested(time=5, by="ctrl-c")], running())
    assert state.phase is RunPhase.STOPPING
    state = fold([RunEnded(time=6, outcome="stopped", reason="ctrl-c")], state)
    assert state.phase is RunPhase.STOPPED
    assert fold([StopRequested(time=7, by="late")], state).phase is RunPhase.STOPPED


@pytest.mark.parametrize(
    ("code", "text"),
    [(17, "exit code 17"), (-9, "killed by SIGKILL"), (-11, "killed by SIGSEGV"), (-99, "killed by signal 99")],
)
def test_an_exit_is_named_as_people_name_it(code: int, text: str) -> None:
    assert str(Exit(code, 0.0)) == text


def test_every_phase_has_an_exit_code() -> None:
    codes = {phase: phase.exit_code for phase in RunPhase}
    assert codes[RunPhase.SUCCEEDED] is ExitCode.OK
    assert codes[RunPhase.FAILED] is ExitCode.JOB_FAILED
    assert codes[RunPhase.GAVE_UP] is ExitCode.GAVE_UP
    assert codes[RunPhase.STOPPED] is ExitCode.INTERRUPTED


def test_ranks_that_the_lease_ended_are_lost_and_not_stopped() -> None:
    expired = GangStopping(time=70, host="b", attempt=1, reason="nothing was heard for 60 s", fenced=True)
    state = fold([expired, exited(2, -15, stopped=True, host="b")], running())
    assert state.ranks_in(RankPhase.LOST) == (2,)
    assert state.attempt is not None and state.attempt.lost_host == "b"


def test_a_failure_that_a_host_could_not_tell_in_time_is_still_the_first() -> None:
    late = ProcessExited(time=100, host="b", attempt=1, name="rank 2", rank=2, pid=1, code=1)
    early = late.model_copy(update={"time": 90.0, "host": "a", "rank": 0})
    state = fold([late, early], running())
    assert state.first_failure is not None and state.first_failure.rank == 0
    skewed = early.model_copy(update={"time": 99.0})
    state = fold([late, skewed], running())
    assert state.first_failure is not None and state.first_failure.rank == 2


def test_the_first_failure_is_not_a_rank_that_runs_again() -> None:
    state = fold(
        [exited(1, 17), HostIdle(time=5, host="a", attempt=1), HostIdle(time=5, host="b", attempt=1)], running()
    )
    state = fold([AttemptStarted(time=6, attempt=2, ranks=(0, 1, 2)), started(1, attempt=2)], state)
    assert state.first_failure is None


def test_ranks_that_never_started_are_lost_with_the_host_they_may_have_been_meant_for() -> None:
    state = fold([started(0), ShimLost(time=5, host="b", attempt=1)], fold([CREATED, STARTED]))
    assert state.ranks_in(RankPhase.WAITING) == (1, 2)
    state = fold([exited(0, -15, stopped=True), HostIdle(time=6, host="a", attempt=1)], state)
    assert state.ranks_in(RankPhase.LOST) == (1, 2)


def test_a_rank_that_starts_where_nothing_is_left_any_more_is_lost() -> None:
    state = fold([HostFenced(time=5, host="b", attempt=1), started(2, host="b")], fold([CREATED, STARTED]))
    assert state.ranks[2].phase is RankPhase.LOST


def test_ranks_started_beside_others_end_with_them() -> None:
    beside = AttemptStarted(time=6, attempt=2, ranks=(2,), hosts=("b",))
    state = fold([exited(2, 1, host="b"), HostIdle(time=5, host="b", attempt=1), beside], running())
    assert state.attempt is not None and state.attempt.busy_hosts == {"a", "b"}
    assert state.hosts == ("a", "b")
    state = fold([started(2, host="b", attempt=2), exited(0, 9)], state)
    assert state.first_failure is not None and state.first_failure.rank == 0
    state = fold([exited(1, 0), HostIdle(time=7, host="a", attempt=1)], state)
    assert state.attempt is not None and state.attempt.busy_hosts == {"b"}
    assert fold([HostIdle(time=8, host="b", attempt=1)], state) == state


def test_a_restart_that_was_decided_is_pending_until_it_begins_and_uses_up_its_budget_once() -> None:
    over = [exited(1, 17), HostIdle(time=5, host="a", attempt=1), HostIdle(time=5, host="b", attempt=1)]
    decided = Decided(time=6, decision="restart_group", reason="rank 1", cause=Cause.USER, due=9)
    state = fold([*over, decided], running())
    assert state.pending == decided
    assert dict(state.spent) == {Cause.USER: 1}
    state = fold([AttemptStarted(time=9, attempt=2, ranks=(0, 1, 2))], state)
    assert state.pending is None
    assert state.attempt is not None and (state.attempt.restarts, state.attempt.answer_to) == (1, decided)
    assert dict(state.spent) == {Cause.USER: 1}


def test_a_stop_takes_back_a_restart_that_has_not_begun() -> None:
    decided = Decided(time=6, decision="restart_group", reason="rank 1", cause=Cause.USER, due=9)
    asked = StopRequested(time=7, by="me")
    assert fold([decided, asked], running()).pending is None
    assert fold([asked, decided], running()).pending is None


def test_faults_of_device_and_infrastructure_are_the_slots_and_others_nobodys() -> None:
    failed = fold([CREATED, STARTED, ProcessStarted(time=3, host="a", attempt=1, name="x", rank=0, pid=1, slot=5)])
    failed = fold([exited(0, 1)], failed)
    for cause, blamed in [(Cause.DEVICE, 1), (Cause.INFRASTRUCTURE, 1), (Cause.USER, 0), (Cause.MEMORY, 0)]:
        state = fold([Classified(time=5, attempt=1, rank=0, cause=cause)], failed)
        assert state.blamed.get(Slot(host="a", device=5), 0) == blamed
        assert not state.unclassified


def test_a_person_who_starts_a_run_again_gives_everything_another_chance() -> None:
    state = fold(
        [
            HostUnreachable(time=5, host="b", heard=1),
            HostFenced(time=80, host="b", attempt=1),
            Decided(time=81, decision="restart_group", reason="b", cause=Cause.USER, due=9, excluded=(Slot(host="b"),)),
            RunEnded(time=82, outcome="gave_up", reason="b"),
        ],
        running(),
    )
    assert state.excluded and state.spent and state.blamed and state.unwell_hosts
    state = fold([AttemptStarted(time=90, attempt=2, ranks=(0, 1, 2))], state)
    assert not (state.excluded or state.spent or state.blamed or state.unwell_hosts)


def test_a_run_that_has_ended_holds_nothing_and_stays_ended() -> None:
    state = fold([RunEnded(time=5, outcome="failed", reason="x")], running())
    assert state.attempt is not None and not state.attempt.busy_hosts
    assert state.ranks_in(RankPhase.LOST) == (0, 1, 2)
    assert fold([RunEnded(time=6, outcome="succeeded", reason="y")], state) == state


def test_a_host_that_cannot_be_reached_has_failed_in_nothing() -> None:
    state = fold([HostUnreachable(time=15, host="b", heard=5)], running())
    assert state.unwell_hosts["b"].reach is Reach.UNREACHABLE
    assert state.ranks == running().ranks
    assert not fold([HostBack(time=16, host="b")], state).unwell_hosts


def test_a_job_that_becomes_smaller_forgets_the_ranks_beyond() -> None:
    state = fold([AttemptStarted(time=6, attempt=2, ranks=(0,), world_size=1, hosts=("a",))], running())
    assert set(state.ranks) == {0}
    assert (state.world_size, state.count(RankPhase.WAITING), state.count(RankPhase.RUNNING)) == (1, 1, 0)
    assert fold([exited(2, 1, host="b")], state).ranks == state.ranks


def test_progress_is_a_step_that_was_not_done_before() -> None:
    state = fold(
        [Progressed(time=9, attempt=1, step=5), AttemptStarted(time=10, attempt=2, ranks=(0, 1, 2))], running()
    )
    state = fold([Progressed(time=11, attempt=2, step=5)], state)
    assert state.attempt is not None and not state.attempt.made_progress
    state = fold([Progressed(time=12, attempt=2, step=6), Progressed(time=12, attempt=1, step=99)], state)
    assert state.attempt is not None and state.attempt.made_progress
    assert state.attempt.last_step is not None and state.attempt.last_step.step == 6


def test_a_fatal_hang_dates_the_failure_from_the_standstill() -> None:
    state = fold([HangFound(time=100, attempt=1, since=40, limit=60, fatal=True)], running())
    assert state.attempt is not None and state.attempt.failed == 40


_EVENTS = st.one_of(
    st.builds(started, st.integers(0, 3), host=st.sampled_from("ab"), seq=st.integers(1, 9), attempt=st.integers(1, 2)),
    st.builds(
        exited,
        st.none() | st.integers(0, 3),
        st.integers(-15, 5),
        stopped=st.booleans(),
        host=st.sampled_from("ab"),
        seq=st.integers(1, 9),
        attempt=st.integers(1, 2),
    ),
    st.builds(HostIdle, time=st.just(5.0), host=st.sampled_from("ab"), attempt=st.integers(1, 2)),
    st.builds(ShimLost, time=st.just(5.0), host=st.sampled_from("ab"), attempt=st.integers(1, 2)),
    st.builds(
        GangStopping,
        time=st.just(5.0),
        host=st.sampled_from("ab"),
        attempt=st.integers(1, 2),
        reason=st.just("x"),
        fenced=st.booleans(),
    ),
    st.builds(StopRequested, time=st.just(5.0), by=st.just("me")),
)


@given(st.lists(_EVENTS, max_size=30))
def test_any_events_in_any_order_give_a_state_that_makes_sense(events: list[Event]) -> None:
    state = fold([CREATED, STARTED, *events])
    assert set(state.ranks) == {0, 1, 2}
    for rank in state.ranks.values():
        if rank.phase in (RankPhase.SUCCEEDED, RankPhase.FAILED, RankPhase.STOPPED):
            assert rank.exit is not None
    failure = state.first_failure
    assert failure is None or failure.phase is RankPhase.FAILED


@given(st.lists(_EVENTS, max_size=20))
def test_events_survive_being_written_down(events: list[Event]) -> None:
    assert [decode(encode(event)) for event in events] == events
