"""Every second of a run has one name, and together they are the run."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.runs.events import (
    AttemptStarted,
    Cause,
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
    StopRequested,
)
from launcher.runs.fold import fold
from launcher.runs.ledger import Kind, Ledger, ledger


def created(framework: str = "mindspore", hosts: tuple[str, ...] = ("a",)) -> Event:
    return RunCreated(time=0, run="r", name="r", framework=framework, target="CPU", world_size=2, hosts=hosts)


def begins(time: float, number: int = 1, *, gang: bool = True, ranks: tuple[int, ...] = (0, 1)) -> Event:
    return AttemptStarted(time=time, attempt=number, ranks=ranks, gang=gang)


def starts(time: float, rank: int, number: int = 1, host: str = "a") -> Event:
    return ProcessStarted(time=time, host=host, attempt=number, name=f"rank {rank}", rank=rank, pid=1)


def exits(time: float, rank: int, number: int = 1, code: int = 1, *, stopped: bool = False, host: str = "a") -> Event:
    return ProcessExited(
        time=time, host=host, attempt=number, name=f"rank {rank}", rank=rank, pid=1, code=code, stopped=stopped
    )


def steps(time: float, step: int, number: int = 1) -> Event:
    return Progressed(time=time, attempt=number, step=step)


def stopping(time: float, number: int = 1) -> Event:
    return GangStopping(time=time, host="a", attempt=number, reason="x")


def idle(time: float, number: int = 1, host: str = "a") -> Event:
    return HostIdle(time=time, host=host, attempt=number)


def restart(time: float, due: float) -> Event:
    return Decided(time=time, decision="restart_group", reason="rank 1 failed first", cause=Cause.USER, due=due)


def over(time: float, outcome: Any = "failed") -> Event:
    return RunEnded(time=time, outcome=outcome, reason="")


def kinds(of: Ledger, number: int = 1) -> dict[str, float]:
    attempt = next(a for a in of.attempts if a.number == number)
    return {segment.kind.value: segment.seconds for segment in attempt.segments}


FIRST = [created(), begins(1), starts(2, 0), starts(3, 1), steps(10, 1), steps(50, 40)]
FAILED = [*FIRST, exits(60, 1), stopping(60.5), exits(62, 0, code=-15, stopped=True), idle(63)]


def test_an_attempt_that_succeeds_trains_until_its_end() -> None:
    told = ledger(fold([*FIRST, exits(70, 0, code=0), exits(71, 1, code=0), idle(72), over(72, "succeeded")]), 999)
    assert kinds(told) == {"launch": 3, "compile": 7, "training": 62}
    assert told.wall == 72
    assert told.effective_ratio == pytest.approx(62 / 72)


def test_a_failure_is_detected_goes_down_and_is_restarted() -> None:
    told = ledger(
        fold(
            [
                *FAILED,
                restart(63, 65),
                *(begins(66, 2), starts(67, 0, 2), starts(67, 1, 2), steps(70, 21, 2), steps(90, 40, 2)),
                *(exits(100, 0, 2, 0), exits(100, 1, 2, 0), idle(100, 2), over(100, "succeeded")),
            ]
        ),
        999,
    )
    assert kinds(told) == {"launch": 3, "compile": 7, "training": 50, "detecting": 0.5, "down": 2.5, "restarting": 3}
    assert kinds(told, 2) == {"launch": 1, "compile": 3, "recompute": 20, "training": 10}
    assert told.wall == 100
    assert told.effective_ratio == pytest.approx(0.6)


def test_steps_that_were_never_caught_up_with_are_all_recomputed() -> None:
    again = [begins(66, 2), starts(67, 0, 2), starts(67, 1, 2), steps(70, 21, 2), exits(80, 0, 2), stopping(80, 2)]
    told = ledger(fold([*FAILED, *again]), 81)
    assert kinds(told, 2) == {"launch": 1, "compile": 3, "recompute": 10, "down": 1}


def test_a_restart_that_waits_is_restarting_until_now() -> None:
    assert kinds(ledger(fold([*FAILED, restart(63, 70)]), 69))["restarting"] == 6


def test_what_follows_the_end_of_the_last_attempt_is_no_restart() -> None:
    told = kinds(ledger(fold([*FAILED, over(64)]), 999))
    assert told["down"] == 3.5
    assert "restarting" not in told


def test_a_standstill_is_lost_from_its_beginning() -> None:
    hang = HangFound(time=120, attempt=1, since=55, limit=60, fatal=True)
    told = ledger(fold([*FIRST, hang, stopping(120.5), exits(122, 0, code=-9, stopped=True), idle(123)]), 123)
    assert kinds(told) == {"launch": 3, "compile": 7, "training": 45, "detecting": 65, "down": 3}


def test_a_standstill_that_was_only_reported_is_lost_unless_steps_come_after_it() -> None:
    hang = HangFound(time=120, attempt=1, since=55, limit=60, fatal=False)
    assert kinds(ledger(fold([*FIRST, hang]), 200))["detecting"] == 145
    assert "detecting" not in kinds(ledger(fold([*FIRST, hang, steps(130, 41)]), 200))
    ended = [exits(190, 0, code=0), exits(190, 1, code=0), idle(190), over(190, "succeeded")]
    assert "detecting" not in kinds(ledger(fold([*FIRST, hang, *ended]), 200))


def test_a_rank_that_fails_of_a_standstill_failed_when_that_began() -> None:
    hang = HangFound(time=120, attempt=1, since=55, limit=60, fatal=False)
    told = kinds(ledger(fold([*FIRST, hang, exits(1855, 1), stopping(1855), idle(1856)]), 1856))
    assert told["training"] == 45
    assert told["detecting"] == 1800


def test_a_host_that_is_fenced_was_lost_when_it_was_last_heard() -> None:
    lost = [HostUnreachable(time=65, host="a", heard=55), HostFenced(time=127, host="a", attempt=1)]
    told = kinds(ledger(fold([*FIRST, *lost, over(127, "lost")]), 999))
    assert told == {"launch": 3, "compile": 7, "training": 45, "detecting": 72}


def test_a_job_without_step_lines_trains_as_far_as_anybody_knows() -> None:
    ended = [exits(9, 0, code=0), exits(9, 1, code=0), idle(9), over(9, "succeeded")]
    told = ledger(fold([created(), begins(1), starts(2, 0), starts(2, 1), *ended]), 99)
    assert kinds(told) == {"launch": 2, "training": 7}
    assert not told.tells_steps
    assert told.effective_ratio is None


@pytest.mark.parametrize(("framework", "kind"), [("mindspore", "compile"), ("plain", "training")])
def test_before_its_first_step_a_training_job_compiles(framework: str, kind: str) -> None:
    assert kinds(ledger(fold([created(framework), begins(1), starts(2, 0), starts(2, 1)]), 9))[kind] == 7


def test_a_stop_in_the_middle_of_the_launch_adds_up() -> None:
    told = ledger(fold([created(), begins(1), starts(2, 0), StopRequested(time=3, by="me"), stopping(3)]), 5)
    assert kinds(told) == {"launch": 3, "down": 2}


def test_the_time_between_an_end_and_a_rerun_is_nobodys() -> None:
    told = ledger(fold([*FAILED, over(64), begins(1000, 2), starts(1001, 0, 2), starts(1001, 1, 2)]), 1010)
    assert told.idle == 936
    assert told.wall == 74
    assert kinds(told, 2) == {"launch": 1, "compile": 9}


def test_a_run_that_was_lost_ends_with_its_last_sign_of_life() -> None:
    lost = fold([*FIRST, over(100_000, "lost"), begins(100_000, 2), starts(100_001, 0, 2), idle(100_002, 2)])
    told = ledger(lost, 100_002)
    assert kinds(told) == {"launch": 3, "compile": 7, "training": 40}
    assert told.wall == 52


def test_attempts_beside_each_other_count_the_wall_time_once() -> None:
    events = [
        *(created("plain"), begins(1, gang=False), starts(2, 0), starts(2, 1), exits(10, 1), restart(10, 11)),
        *(begins(12, 2, gang=False, ranks=(1,)), starts(13, 1, 2), exits(30, 0, code=0), exits(40, 1, 2, code=0)),
        *(idle(40, 2), over(40, "succeeded")),
    ]
    told = ledger(fold(events), 999)
    assert kinds(told) == {"launch": 2, "training": 10}
    assert kinds(told, 2) == {"training": 28}
    assert told.wall == 40


def test_independent_ranks_go_on_when_one_fails() -> None:
    told = ledger(fold([created("plain"), begins(1, gang=False), starts(2, 0), starts(2, 1), exits(10, 1)]), 100)
    assert kinds(told) == {"launch": 2, "training": 98}


def test_a_run_that_has_no_attempt_yet_has_spent_nothing() -> None:
    assert ledger(fold([created()]), 9) == Ledger()


_TIMES = st.floats(0, 1000, allow_nan=False)
_NUMBERS = st.integers(1, 4)
_RANKS = st.integers(0, 1)
_HOSTS = st.sampled_from("ab")
_LATER = st.one_of(
    st.builds(begins, _TIMES, _NUMBERS, gang=st.booleans(), ranks=st.sampled_from([(0, 1), (1,)])),
    st.builds(starts, _TIMES, _RANKS, _NUMBERS, _HOSTS),
    st.builds(exits, _TIMES, _RANKS, _NUMBERS, st.sampled_from([0, 1]), stopped=st.booleans(), host=_HOSTS),
    st.builds(steps, _TIMES, st.integers(1, 9), _NUMBERS),
    st.builds(stopping, _TIMES, _NUMBERS),
    st.builds(idle, _TIMES, _NUMBERS, _HOSTS),
    st.builds(restart, _TIMES, _TIMES),
    st.builds(over, _TIMES, st.sampled_from(["failed", "lost", "stopped", "succeeded", "gave_up"])),
    st.builds(HangFound, time=_TIMES, attempt=_NUMBERS, since=_TIMES, limit=_TIMES, fatal=st.booleans()),
    st.builds(HostUnreachable, time=_TIMES, host=_HOSTS, heard=_TIMES),
    st.builds(HostBack, time=_TIMES, host=_HOSTS),
    st.builds(HostFenced, time=_TIMES, host=_HOSTS, attempt=_NUMBERS),
    st.builds(ShimLost, time=_TIMES, host=_HOSTS, attempt=_NUMBERS),
    st.builds(StopRequested, time=_TIMES, by=st.just("me")),
)


def assert_adds_up(told: Ledger) -> None:
    segments = [segment for attempt in told.attempts for segment in attempt.segments]
    assert all(segment.seconds > 0 for segment in segments)
    for attempt in told.attempts:
        assert all(one.end == other.start for one, other in pairwise(attempt.segments))
    assert sum(told.seconds(kind) for kind in Kind) == pytest.approx(told.wall)
    assert told.effective_ratio is None or 0 <= told.effective_ratio <= 1 + 1e-9


@given(st.lists(_LATER, max_size=25), _TIMES)
def test_whatever_happens_the_times_add_up(events: list[Event], now: float) -> None:
    """Clocks that are set back, and events in any order, included."""
    assert_adds_up(ledger(fold([created(hosts=("a", "b")), begins(1), *events]), now))


@given(st.lists(_LATER, max_size=25), st.lists(st.floats(0, 50, allow_nan=False), min_size=26, max_size=26))
def test_with_a_clock_that_goes_on_all_time_but_idleness_is_accounted_for(
    events: list[Event], gaps: list[float]
) -> None:
    clock = 1.0
    timed = []
    for event, gap in zip(events, gaps, strict=False):
        clock += gap
        timed.append(event.model_copy(update={"time": clock}))
    now = clock + gaps[-1]
    state = fold([created(hosts=("a", "b")), begins(1), *timed])
    told = ledger(state, now)
    assert_adds_up(told)
    unseen = any(event.type == "run_ended" and event.outcome == "lost" for event in timed)
    if not unseen:
        assert told.wall + told.idle == pytest.approx((state.ended if state.phase.ended else now) - state.created)


def test_a_gang_that_seems_to_end_after_the_next_has_started_does_not_run_beside_it() -> None:
    """The clock of its host is a little ahead."""
    first = [begins(1), starts(2, 0), starts(2, 1), exits(10, 0), stopping(10), exits(10.2, 1, code=-15, stopped=True)]
    again = Decided(time=10.1, decision="restart_group", reason="x", cause=Cause.USER, due=10.1)
    late = HostIdle(time=10.5, host="a", attempt=1)
    events = [created(), *first, late, again, begins(10.2, 2), starts(11, 0, 2), starts(11, 1, 2)]
    of_first, of_second = ledger(fold(events), now=20).attempts
    assert of_first.segments[-1].end == of_second.segments[0].start == 10.2
    assert of_second.seconds(Kind.LAUNCH) == pytest.approx(0.8)
