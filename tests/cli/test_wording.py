"""Numbers and ranks read well."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.cli.wording import count, duration, parse_ranks, quantity, rank_list, ranks_phrase, step_time
from launcher.errors import UsageError


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0s"),
        (-1, "0.0s"),
        (2.14, "2.1s"),
        (42.4, "42s"),
        (59.6, "1m00s"),
        (252, "4m12s"),
        (3599.7, "1h00m"),
        (11100, "3h05m"),
        (187200, "2d04h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.23456, "1.2346"), (0.0, "0.0"), (1e-5, "1.000e-05"), (1e9, "1.000e+09"), (-2.5, "-2.5000"), (math.nan, "nan")],
)
def test_losses(value: float, text: str) -> None:
    assert quantity(value) == text


def test_step_times() -> None:
    assert [step_time(seconds) for seconds in (0.0352, 0.213, 12.34)] == ["35.2 ms", "0.213 s", "12.3 s"]


def test_counts_and_ranks() -> None:
    assert (count(1, "rank"), count(8, "rank")) == ("1 rank", "8 ranks")
    assert (ranks_phrase([3]), ranks_phrase([7, 0, 1, 2])) == ("rank 3", "ranks 0-2,7")


@given(st.sets(st.integers(min_value=0, max_value=99), min_size=1))
def test_a_list_of_ranks_is_read_back_as_it_was_written(ranks: set[int]) -> None:
    assert parse_ranks(rank_list(ranks), 100) == tuple(sorted(ranks))


@pytest.mark.parametrize(
    "text", ["", "x", "1,,2", "-1", "3-", "5-2", "8", "0-8", "1;2", "1-2-3", "9" * 30, "0-" + "9" * 19]
)
def test_what_is_no_list_of_ranks_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_ranks(text, 8)


def test_spaces_and_repeats_are_no_matter() -> None:
    assert parse_ranks("0, 2-3,3", 8) == (0, 2, 3)
