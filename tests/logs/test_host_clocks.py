"""Times of a host whose clock is wrong become those of the run's home."""

from __future__ import annotations

import pytest

from launcher.logs.host_clocks import corrections
from launcher.runs.events import ClockMeasured, HostBack


def test_hosts_with_the_right_time_have_no_correction() -> None:
    assert corrections([HostBack(time=1, host="node-a")]) == {}


def test_an_offset_also_counts_for_what_was_written_before_it_was_measured() -> None:
    (host, correction), *others = corrections([ClockMeasured(time=1000, host="node-b", behind=300)]).items()
    assert (host, others) == ("node-b", [])
    assert [correction(when) for when in (0, 650, 800)] == [300, 950, 1100]


@pytest.mark.parametrize(("before", "after"), [(300.0, 0.0), (0.0, 5.0), (-7.0, 2.0)])
def test_a_clock_that_was_set_is_corrected_as_it_was_at_each_time(before: float, after: float) -> None:
    first = ClockMeasured(time=1000, host="node-b", behind=before)
    then = ClockMeasured(time=2000, host="node-b", behind=after)
    correction = corrections([first, then])["node-b"]
    assert correction(1500 - before) == 1500
    assert correction(2500 - after) == 2500
