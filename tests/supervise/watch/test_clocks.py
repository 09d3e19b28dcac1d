"""A time in which nobody looked is told from one in which somebody did."""

from __future__ import annotations

import pytest

from launcher.supervise.watch.clocks import Moment, looked_away, were_set


@pytest.mark.parametrize(
    ("wall", "steady", "away", "is_set"),
    [
        (1, 1, False, False),
        (4, 4, False, False),
        (600, 600, True, False),  # a paused container, a supervisor that is held up
        (600, 1, True, True),  # a machine that slept, a clock that was set
        (-600, 1, True, True),
        (-2, 1, False, False),
    ],
)
def test_a_gap_by_either_clock_is_a_time_unseen(wall: float, steady: float, away: bool, is_set: bool) -> None:
    before, after = Moment(1000, 50), Moment(1000 + wall, 50 + steady)
    assert looked_away(before, after) is away
    assert were_set(before, after) is is_set
