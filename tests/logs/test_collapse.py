"""What many ranks say is shown once, and nothing is hidden of which there is no other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from launcher.logs import collapse
from launcher.logs.collapse import Alike, Collapsing


def collapsed(*lines: tuple[int | None, str]) -> list[Alike]:
    collapsing = Collapsing()
    ended = [alike for rank, text in lines for alike in collapsing.add(text, rank, "launcher")]
    return [*ended, *collapsing.finish()]


def test_lines_that_differ_in_numbers_are_one_with_all_their_ranks() -> None:
    alike, other = collapsed((0, "rank 0: step 1"), (2, "rank 2: step 1"), (None, "begun"), (1, "rank 1: step 2"))
    assert (alike.first, alike.ranks, alike.count) == ("rank 0: step 1", {0, 1, 2}, 3)
    assert (other.first, list(other.others)) == ("begun", ["launcher"])


def test_what_a_number_stands_out_by_is_never_hidden() -> None:
    for one, other in (
        ("loss is 2.3", "loss is nan"),
        ("error code is 507011", "error code is 507015"),
        ("EI0002: x", "EI0006: x"),
        ("ERR00100 PTA", "ERR02200 PTA"),
        ("ret=0x91", "ret=0x92"),
    ):
        assert len(collapsed((0, one), (1, other))) == 2, one
        assert len(collapsed((0, other), (1, other))) == 1, other


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["a 1", "a 2", "b 1", "c", "loss nan"])), max_size=40))
def test_every_line_is_accounted_for(lines: list[tuple[int, str]]) -> None:
    found = collapsed(*lines)
    assert sum(alike.count for alike in found) == len(lines)
    assert {alike.first[0] for alike in found} == {text[0] for _, text in lines}
    for alike in found:
        assert any(text == alike.first and rank in alike.ranks for rank, text in lines)


def test_what_is_repeated_much_later_is_shown_again() -> None:
    lines = [(0, "said again"), *((0, f"{'abcdefghij'[index % 10]} {index}") for index in range(collapse._LINES))]
    assert [alike.first for alike in collapsed(*lines, (0, "said again"))].count("said again") == 2
