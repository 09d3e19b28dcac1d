"""The state of a run is what its events say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.errors import ExitCode
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
    decode,
    encode,
)
from launcher.runs.state import Exit, RankPhase, RunPhase, RunState, apply, fold

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
        GangStopping, time=st.just(5.0), host=st.sampled_from("ab"), attempt=st.integers(1, 2), reason=st.just("x")
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
