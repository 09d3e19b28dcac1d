"""When a host counts as suspected, unreachable and back."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.runs.events import AttemptStarted, Event, HostBack, HostSuspected, HostUnreachable, RunCreated
from launcher.runs.fold import fold
from launcher.runs.state import Reach
from launcher.supervise import heartbeat
from launcher.supervise.heartbeat import change_of_reach, is_cut_off, keep_in_touch, reach_after, reach_now
from launcher.supervise.link import LinkLost

REACHES = st.sampled_from([None, Reach.SUSPECTED, Reach.UNREACHABLE])
SILENCE = st.floats(0, 1000)


@pytest.mark.parametrize(
    ("silence", "reach"),
    [
        (0.0, None),
        (2.9, None),
        (3.0, Reach.SUSPECTED),
        (9.9, Reach.SUSPECTED),
        (10.0, Reach.UNREACHABLE),
        (1e6, Reach.UNREACHABLE),
    ],
)
def test_a_host_is_suspected_after_three_seconds_and_unreachable_after_ten(silence: float, reach: Reach | None) -> None:
    assert reach_after(silence) is reach
    assert reach_now(None, silence, answered=False, is_busy=True) is reach


@given(REACHES, SILENCE, st.booleans())
def test_an_answer_brings_a_host_back(before: Reach | None, silence: float, is_busy: bool) -> None:
    assert reach_now(before, silence, answered=True, is_busy=is_busy) is None


@given(REACHES, SILENCE, st.booleans())
def test_nothing_but_an_answer_brings_a_host_back(before: Reach | None, silence: float, is_busy: bool) -> None:
    """Neither that its ranks were counted out, nor that another supervisor has begun to listen."""
    now = reach_now(before, silence, answered=False, is_busy=is_busy)
    assert before is None or now is not None
    assert before is not Reach.UNREACHABLE or now is Reach.UNREACHABLE


@given(REACHES, SILENCE)
def test_a_host_that_runs_nothing_is_not_missed(before: Reach | None, silence: float) -> None:
    assert reach_now(before, silence, answered=False, is_busy=False) is before


@given(st.lists(SILENCE, min_size=2).map(sorted))
def test_more_silence_never_makes_a_host_better(silences: list[float]) -> None:
    order = [None, Reach.SUSPECTED, Reach.UNREACHABLE]
    assert all(order.index(reach_after(a)) <= order.index(reach_after(b)) for a, b in pairwise(silences))


class Clock:
    """Time that passes where somebody waits."""

    TimeoutError = asyncio.TimeoutError

    def __init__(self) -> None:
        self.now = 100.0

    def time(self) -> float:
        return self.now

    monotonic = time

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("after", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("is_slow", [True, False])
def test_a_host_that_falls_silent_is_given_up_within_twelve_seconds(
    after: float, is_slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long after a beat it fell silent, and whether its silence is an error at once or only after a second."""
    clock = Clock()
    for name in ("time", "asyncio"):
        monkeypatch.setattr(heartbeat, name, clock)
    silent_from = clock.now + 5 + after
    created = RunCreated(time=1, run="r", name="r", framework="plain", target="CPU", world_size=1, hosts=("h",))
    state = fold([created, AttemptStarted(time=1, attempt=1, ranks=(0,), hosts=("h",))])

    async def renew() -> None:
        if clock.now >= silent_from:
            clock.now += heartbeat.PERIOD if is_slow else 0.0
            raise LinkLost("h")

    class GivenUp(Exception):
        pass

    def tell(event: Event) -> None:
        nonlocal state
        state = fold([event], state)
        if isinstance(event, HostUnreachable):
            raise GivenUp

    with pytest.raises(GivenUp):
        asyncio.run(keep_in_touch("h", renew, lambda: state, tell))
    assert 9 <= clock.now - silent_from < 12


def test_only_a_change_is_written_down() -> None:
    for reach in (None, Reach.SUSPECTED, Reach.UNREACHABLE):
        assert change_of_reach("a", reach, reach, heard=1, time=20) is None
    assert change_of_reach("a", None, Reach.SUSPECTED, heard=1, time=4) == HostSuspected(time=4, host="a")
    unreachable = HostUnreachable(time=11, host="a", heard=1)
    assert change_of_reach("a", Reach.SUSPECTED, Reach.UNREACHABLE, heard=1, time=11) == unreachable
    assert change_of_reach("a", Reach.UNREACHABLE, None, heard=20, time=20) == HostBack(time=20, host="a")


def test_the_home_of_a_gang_is_cut_off_as_soon_as_every_other_busy_host_is_suspected() -> None:
    assert is_cut_off([4.0, 90.0], lease=60, gang=True)
    assert not is_cut_off([2.0, 90.0], lease=60, gang=True)
    assert not is_cut_off([], lease=60, gang=True)


def test_the_home_of_independent_ranks_is_cut_off_when_no_other_busy_host_was_heard_for_a_lease() -> None:
    assert is_cut_off([61.0, 90.0], lease=60, gang=False)
    assert not is_cut_off([59.0, 90.0], lease=60, gang=False)
    assert not is_cut_off([9.0], lease=3, gang=False), "no host is given up so soon"
    assert is_cut_off([11.0], lease=3, gang=False)
