"""Who waited for whom, walked to its end."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from launcher.diagnose.finding import Evidence
from launcher.diagnose.root.facts import Seen, Stage, Wait
from launcher.diagnose.root.waits import Edge, ends
from launcher.logs.record import LogFile, Source

SEEN = Seen(LogFile(Path("x"), "x", Source.PLOG), Evidence("x", 1, "x"))


def waiting(*pairs: tuple[int, int]) -> list[Edge]:
    return [Edge(waiter, peer, Wait(SEEN, Stage.NOTIFY, peer)) for waiter, peer in pairs]


def test_a_chain_ends_at_the_rank_that_waited_for_nobody() -> None:
    end, *others = ends(waiting((1, 2), (2, 3), (0, 1)))
    assert (end.ranks, end.reached_by) == ((3,), frozenset((0, 1, 2)))
    assert not others


def test_of_two_ends_that_which_more_ranks_waited_for_comes_first() -> None:
    assert [end.ranks for end in ends(waiting((0, 5), (1, 6), (2, 6)))] == [(6,), (5,)]


def test_ranks_that_wait_for_each_other_are_one_end() -> None:
    (end,) = ends(waiting((0, 1), (1, 2), (2, 1)))
    assert (end.ranks, end.reached_by) == ((1, 2), frozenset((0,)))


def test_a_circle_that_also_waits_for_another_rank_is_no_end() -> None:
    (end,) = ends(waiting((0, 1), (1, 0), (1, 7)))
    assert (end.ranks, end.reached_by) == ((7,), frozenset((0, 1)))


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)).filter(lambda pair: pair[0] != pair[1]), min_size=1))
def test_every_rank_that_waits_reaches_an_end(pairs: list[tuple[int, int]]) -> None:
    found = ends(waiting(*pairs))
    known = {rank for pair in pairs for rank in pair}
    in_ends = [rank for end in found for rank in end.ranks]
    assert len(in_ends) == len(set(in_ends))
    assert known == set(in_ends) | {rank for end in found for rank in end.reached_by}
    for end in found:
        assert all(peer in end.ranks for waiter, peer in pairs if waiter in end.ranks)


def test_a_ring_of_many_thousand_ranks_is_walked_quickly() -> None:
    (end,) = ends(waiting(*((rank, rank - 1) for rank in range(1, 20_000))))
    assert (end.ranks, len(end.reached_by)) == ((0,), 19_999)
