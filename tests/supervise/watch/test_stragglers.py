"""A rank is called a straggler when it is slower than the others again and again, and not before."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from launcher.supervise.watch.stragglers import Mark, Paces, compare


def watched(step_times: Mapping[int, float], seconds: int) -> dict[int, tuple[int, float]]:
    """When each straggler among ranks that step so regularly was first found, and by how much it is slower."""
    paces, found = Paces(0.0), {}
    for now in range(1, seconds + 1):
        marks = {
            rank: Mark(time=int(now / each) * each, steps=int(now / each))
            for rank, each in step_times.items()
            if now >= each
        }
        paces, slow = compare(paces, marks, float(now))
        for rank, slowdown in slow.items():
            found.setdefault(rank, (now, round(slowdown, 2)))
    return found


def test_a_rank_that_is_slow_in_three_windows_is_found() -> None:
    found = watched({0: 0.5, 1: 0.5, 2: 1.0, 3: 0.5}, 100)
    assert set(found) == {2}
    second, slowdown = found[2]
    assert slowdown == 2.0
    assert 40 <= second <= 45  # a window to begin with, then three of 10 s


def test_windows_are_long_enough_for_ten_steps() -> None:
    found = watched({0: 10, 1: 10, 2: 10, 3: 20}, 1000)
    assert set(found) == {3}
    assert found[3][0] >= 300


def test_a_rank_that_stands_still_beside_others_that_go_on_is_slow() -> None:
    paces, found = Paces(0.0, {r: Mark(0.0, 1) for r in range(3)}), {}
    for now in range(1, 60):
        marks = {0: Mark(now, now), 1: Mark(now, now), 2: Mark(0.0, 1)}
        paces, slow = compare(paces, marks, float(now))
        found.update(slow)
    assert set(found) == {2}


def test_one_slow_window_is_no_straggler() -> None:
    paces, found = Paces(0.0, {r: Mark(0.0, 0) for r in range(3)}), {}
    for now in range(1, 100):
        behind = 8 if now >= 10 else 0  # rank 2 loses 8 steps in the first window and none later
        marks = {0: Mark(now, now), 1: Mark(now, now), 2: Mark(now, max(now - behind, 1))}
        paces, slow = compare(paces, marks, float(now))
        found.update(slow)
    assert found == {}


def test_a_rank_alone_is_no_straggler() -> None:
    assert watched({0: 1.0}, 200) == {}


@given(st.dictionaries(st.integers(0, 63), st.floats(0.5, 0.6), min_size=1, max_size=16))
def test_ranks_of_nearly_one_pace_have_no_straggler(step_times: dict[int, float]) -> None:
    assert watched(step_times, 120) == {}
