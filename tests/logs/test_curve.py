"""A curve keeps its shape in a bounded number of points."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.logs.curve import Curve, sparkline


def curve(numbers: list[float]) -> Curve:
    drawn = Curve()
    for number in numbers:
        drawn = drawn.plus(number)
    return drawn


@given(st.lists(st.floats(-1e300, 1e300) | st.sampled_from([math.nan, math.inf]), max_size=600))
def test_points_are_few_and_lie_within_the_numbers(numbers: list[float]) -> None:
    drawn, finite = curve(numbers), [number for number in numbers if math.isfinite(number)]
    assert len(drawn.points) < 64
    assert len(drawn.points) * drawn.stride + drawn.resting == len(finite)
    for point in drawn.points:
        assert point == pytest.approx(min(max(point, min(finite)), max(finite)))
    assert len(sparkline(drawn.points, 16)) <= 16


def test_a_falling_loss_falls_in_the_drawing() -> None:
    assert sparkline(curve([float(1000 - step) for step in range(1000)]).points, 8) == "█▇▆▅▄▃▂▁"


def test_a_loss_that_stays_is_flat_and_two_numbers_are_no_curve() -> None:
    assert sparkline([1.0, 1.0, 1.0], 8) == "▁▁▁"
    assert sparkline([2.0, 1.0], 8) == ""
