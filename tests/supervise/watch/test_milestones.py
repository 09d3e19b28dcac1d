"""Few steps are worth a line in the record, and none of those that decide is missing."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from launcher.runs.events import Progressed
from launcher.runs.state import AttemptState
from launcher.supervise.watch.milestones import milestone
from launcher.supervise.watch.stragglers import Mark

ATTEMPT = AttemptState(number=2, ranks=(0, 1), started=0.0)


def both(time: float, steps: int) -> dict[int, Mark]:
    return {0: Mark(time, steps), 1: Mark(time, steps)}


def after(attempt: AttemptState, event: Progressed | None) -> AttemptState:
    if event is None:
        return attempt
    caught_up = attempt.caught_up or (event if event.step >= attempt.high_water else None)
    return replace(attempt, first_step=attempt.first_step or event, caught_up=caught_up, last_step=event)


def test_the_first_step_is_written_down() -> None:
    assert milestone(ATTEMPT, both(5, 3), 6) == Progressed(time=5, attempt=2, step=3)


def test_all_ranks_have_done_what_the_last_of_them_has() -> None:
    assert milestone(ATTEMPT, {0: Mark(9, 7), 1: Mark(8, 4)}, 9) == Progressed(time=8, attempt=2, step=4)


def test_other_ranks_have_a_moment_to_tell_their_first_step() -> None:
    alone = {0: Mark(5, 3)}
    assert milestone(ATTEMPT, alone, 6) is None
    assert milestone(ATTEMPT, alone, 8) == Progressed(time=5, attempt=2, step=3)
    assert milestone(ATTEMPT, alone, 6, is_last=True) is not None


def test_the_step_that_makes_up_for_lost_ones_is_written_down() -> None:
    attempt = after(replace(ATTEMPT, high_water=10), milestone(ATTEMPT, both(5, 3), 5))
    assert milestone(attempt, both(6, 9), 6) is None
    assert milestone(attempt, both(7, 10), 7) == Progressed(time=7, attempt=2, step=10)


def test_between_them_one_a_minute_is_enough() -> None:
    attempt = after(ATTEMPT, milestone(ATTEMPT, both(5, 1), 5))
    told = []
    for second in range(6, 606):
        event = milestone(attempt, both(second, second), second)
        attempt = after(attempt, event)
        told += [event] if event else []
    assert len(told) == 10


@given(st.lists(st.tuples(st.integers(1, 90), st.integers(0, 50)), max_size=30), st.integers(0, 200))
def test_the_record_ends_with_the_last_step_and_never_goes_back(ticks: list[tuple[int, int]], high_water: int) -> None:
    attempt, now, steps = replace(ATTEMPT, high_water=high_water), 0, 0
    events = []
    for wait, done in ticks:
        now, steps = now + wait, steps + done
        event = milestone(attempt, both(now, steps), now)
        attempt = after(attempt, event)
        events += [event] if event else []
    if ticks:
        event = milestone(attempt, both(now, steps), now, is_last=True)
        events += [event] if event else []
        assert events[-1].step == steps
    assert [event.step for event in events] == sorted(event.step for event in events)
    assert [event.time for event in events] == sorted(event.time for event in events)
