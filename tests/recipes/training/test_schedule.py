from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from training.schedule import Schedule

schedules = st.builds(
    lambda kind, steps, warmup, base, end_share, power: Schedule(kind, steps, base, base * end_share, warmup, power),
    st.sampled_from(["poly", "cosine"]),
    st.integers(1, 500),
    st.integers(0, 600),
    st.floats(1e-6, 10),
    st.floats(0, 1),
    st.floats(0.1, 3),
)


@given(schedules)
def test_the_rate_reaches_the_end_value_one_step_after_the_last(schedule):
    after_the_last = max(schedule.steps, schedule.warmup_steps + 1)
    assert schedule.rate(after_the_last) == pytest.approx(schedule.end, abs=1e-9)


@given(schedules)
def test_the_rate_rises_during_warm_up_and_never_after_it(schedule):
    rates = schedule.rates()
    rising, falling = rates[: schedule.warmup_steps], rates[schedule.warmup_steps :]
    assert rising == sorted(rising)
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(falling))


@given(schedules)
def test_every_step_has_a_rate_between_zero_and_the_base(schedule):
    rates = schedule.rates()
    assert len(rates) == schedule.steps
    assert all(0 <= rate <= schedule.base * (1 + 1e-12) for rate in rates)


def test_poly_follows_its_formula():
    assert Schedule("poly", 100, base=0.1, power=0.9).rate(50) == pytest.approx(0.1 * 0.5**0.9)


def test_cosine_is_half_way_down_in_the_middle():
    assert Schedule("cosine", 100, base=0.1, end=0.02).rate(50) == pytest.approx(0.06)


def test_the_last_warm_up_step_has_the_base_rate():
    assert Schedule("poly", 100, base=0.1, warmup_steps=10).rate(9) == pytest.approx(0.1)
