"""How many ranks what is left of a cluster has room for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.runs.events import Slot
from launcher.specs import Recipe, RestartPolicy
from launcher.supervise.capacity import shrink, usable_slots
from tests.supervise.simulation import cluster_of, job


def elastic(ranks: int, accumulation: int = 1) -> Recipe:
    recipe = job(ranks, RestartPolicy.ELASTIC)
    assert not isinstance(recipe.args, tuple)
    return recipe.model_copy(update={"args": type(recipe.args)({**recipe.args, "accumulation": accumulation})})


def test_slots_are_in_the_order_in_which_ranks_fill_them() -> None:
    assert [str(slot) for slot in usable_slots(cluster_of(2, 2), frozenset())] == ["h0/0", "h0/1", "h1/0", "h1/1"]


def test_a_device_goes_alone_and_a_host_with_all_its_devices() -> None:
    gone = {Slot(host="h0"), Slot(host="h1", device=0), Slot(host="unknown")}
    assert [str(slot) for slot in usable_slots(cluster_of(2, 2), gone)] == ["h1/1"]


@pytest.mark.parametrize(
    ("ranks", "accumulation", "slots", "smaller"),
    [(8, 1, 7, 4), (8, 1, 4, 4), (8, 3, 7, 6), (8, 1, 1, 1), (3, 1, 2, 1), (8, 1, 100, 4), (6, 2, 5, 4)],
)
def test_a_smaller_job_is_the_largest_that_keeps_the_global_batch(
    ranks: int, accumulation: int, slots: int, smaller: int
) -> None:
    shrunk = shrink(elastic(ranks, accumulation), slots)
    assert shrunk is not None and shrunk.ranks == smaller
    assert shrunk.overrides == (f"ranks={smaller}", f"args.accumulation={ranks * accumulation // smaller}")


@given(st.integers(1, 200), st.integers(1, 8), st.integers(0, 200))
def test_the_global_batch_is_always_kept(ranks: int, accumulation: int, slots: int) -> None:
    shrunk = shrink(elastic(ranks, accumulation), slots)
    assert (shrunk is None) == (ranks == 1 or slots == 0)
    if shrunk is not None:
        assert shrunk.ranks <= slots and shrunk.ranks < ranks
        assert shrunk.ranks * int(shrunk.overrides[1].split("=")[1]) == ranks * accumulation


def test_a_smaller_job_says_what_it_changes() -> None:
    assert str(shrink(elastic(8), 7)) == "goes on with 4 ranks (ranks=4, args.accumulation=2)"


@pytest.mark.parametrize("knobs", [{}, {"micro_batch": "args.batch_size"}, {"accumulation": "args.accumulation"}])
def test_a_recipe_that_does_not_say_where_the_batch_is_has_one_size(knobs: dict[str, str]) -> None:
    recipe = elastic(8)
    assert shrink(recipe.model_copy(update={"knobs": type(recipe.knobs)(knobs)}), 4) is None


@pytest.mark.parametrize("accumulation", ["2", 0, True, None, 1.5])
def test_an_accumulation_that_is_no_count_has_one_size(accumulation: object) -> None:
    recipe = elastic(8)
    assert not isinstance(recipe.args, tuple)
    strange = type(recipe.args)({**recipe.args, "accumulation": accumulation})  # type: ignore[dict-item]
    assert shrink(recipe.model_copy(update={"args": strange}), 4) is None
