"""How far the clock of a host is from ours, whatever the way there takes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from launcher.runs.events import HostIdle, corrected
from launcher.supervise.clock_offset import ClockOffset
from tests.supervise.test_policy import begun, exited, run

SKEWS = st.floats(-1e6, 1e6)
TRIPS = st.floats(0, 1)


def measured(*offsets: float, trip: float = 0.0) -> ClockOffset:
    clock = ClockOffset()
    for number, offset in enumerate(offsets):
        asked = 1000.0 + number
        clock.measure("h1", asked, asked + trip / 2 - offset, asked + trip)
    return clock


@given(SKEWS, TRIPS, st.floats(0, 1))
def test_the_error_is_at_most_half_the_way_there_and_back_beside_what_is_let_alone(
    skew: float, trip: float, share: float
) -> None:
    clock = ClockOffset()
    asked = 1_700_000_000.0
    clock.measure("h1", asked, asked + trip * share - skew, asked + trip)
    assert abs(clock.seconds - skew) <= trip / 2 + 0.5 + 1e-3


def test_clocks_that_are_kept_are_left_alone() -> None:
    assert measured(0.01, -0.02, 0.3).seconds == 0


def test_an_offset_stays_what_it_was_until_the_clock_is_set() -> None:
    clock = measured(300.0, 300.1, 299.9)
    assert clock.seconds == 300
    assert measured(300.0, 300.1, 5.0).seconds == 5
    assert measured(300.0, 0.001).seconds == 0


@given(SKEWS, st.lists(TRIPS, max_size=20))
def test_the_way_there_changes_no_offset(skew: float, trips: list[float]) -> None:
    clock = measured(skew)
    before = clock.seconds
    for trip in trips:
        clock.measure("h1", 2000.0, 2000.0 + trip - skew, 2000.0 + trip)  # all of it was the way there
    assert clock.seconds == before


def test_people_hear_of_a_wrong_clock_once_and_when_it_is_right_again() -> None:
    clock = ClockOffset()
    assert not clock.is_known
    told = [clock.measure("h1", 1000.0, 1000.0 - offset, 1000.0) for offset in (300.0, 300.0, 300.4, 0.0, 0.0, -7.0)]
    assert clock.is_known
    assert [text is not None for text in told] == [True, False, False, True, False, True]
    assert told[0] is not None and told[0].startswith("the clock of h1 is 300 s behind")
    assert told[3] == "the clock of h1 is right again"
    assert told[5] is not None and told[5].startswith("the clock of h1 is 7 s ahead")


def test_a_clock_that_is_behind_does_not_make_a_failure_the_first() -> None:
    """Rank 0 on h0 failed first; the clock of h1 is 5 min behind."""
    clock = measured(300.0, trip=0.05)
    later = exited(2, time=102 - 300)
    misled = run(*begun(), exited(0, time=100), later)
    assert misled.first_failure is not None and misled.first_failure.rank == 2
    state = run(*begun(), exited(0, time=100), corrected(later, clock.seconds))
    assert state.first_failure is not None and state.first_failure.rank == 0


def test_what_a_host_tells_is_put_in_order_by_our_clock() -> None:
    event = HostIdle(time=100, host="h1", host_seq=4, attempt=2)
    assert corrected(event, 300.0) == HostIdle(time=400, host="h1", host_seq=4, attempt=2)
    assert corrected(event, 0.0) is event
