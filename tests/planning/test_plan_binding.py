"""Ranks are bound to the processors near to their devices."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.planning.binding import bound_cpus
from launcher.planning.compose import plan
from launcher.planning.model import LaunchPlan
from launcher.planning.place import Place
from launcher.planning.placement import Seat
from launcher.specs import Cluster, Device, Host, recipe_from_mapping

# Of an Atlas 800T A2 (`npu-smi info -t topo`).
A2 = {0: (144, 167), 1: (144, 167), 2: (96, 119), 3: (96, 119), 4: (0, 23), 5: (0, 23), 6: (48, 71), 7: (48, 71)}
NEAR = tuple(("a", device, tuple(range(first, last + 1))) for device, (first, last) in A2.items())


def planned(
    ranks: int = 8, framework: str = "pytorch", near: Any = NEAR, soc: str = "Ascend910B3", **more: Any
) -> LaunchPlan:
    values = {"name": "job", "framework": framework, "ranks": ranks, "script": "t.py", "relative_to": "/home/me"}
    cluster = Cluster(name="lab", soc=soc, hosts=(Host(name="a", address="10.0.0.1", devices=8),))
    place = Place(run="r", directory="/runs/r", scheduler_port=8118, python="python3", near_cpus=near)
    return plan(recipe_from_mapping(values | more), cluster, place)


def test_the_devices_of_a_numa_node_share_its_processors() -> None:
    launch = planned()
    assert launch.ranks[0].cpus == tuple(range(144, 156))
    assert launch.ranks[1].cpus == tuple(range(156, 168))
    assert launch.ranks[4].cpus == tuple(range(12))


def test_two_jobs_on_one_host_have_different_processors() -> None:
    for framework in ("mindspore", "plain"):
        assert planned(2, framework).ranks[0].cpus == planned(8, framework).ranks[0].cpus


def test_a_recipe_can_leave_ranks_where_linux_puts_them() -> None:
    assert {rank.cpus for rank in planned(binding="off").ranks} == {None}


def test_torch_npu_that_binds_its_threads_itself_is_left_alone() -> None:
    assert {rank.cpus for rank in planned(env={"CPU_AFFINITY_CONF": "1"}).ranks} == {None}
    for off in ("0", ""):
        assert {rank.cpus for rank in planned(framework="plain", env={"CPU_AFFINITY_CONF": off}).ranks} != {None}


def test_where_nothing_is_known_nobody_is_bound() -> None:
    assert {rank.cpus for rank in planned(near=()).ranks} == {None}
    assert [rank.cpus for rank in planned(near=NEAR[:1]).ranks[1:]] == [None] * 7


def test_with_fewer_processors_than_devices_each_may_use_all() -> None:
    near = tuple(("a", device, (0, 1)) for device in range(8))
    assert {rank.cpus for rank in planned(near=near).ranks} == {(0, 1)}


@given(st.dictionaries(st.integers(0, 7), st.integers(0, 2), min_size=1), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_processors_of_a_node_are_all_used_and_none_twice(node_of: dict[int, int], size: int) -> None:
    near = {("a", device): tuple(range(node * 100, node * 100 + size)) for device, node in node_of.items()}
    host = Host(name="a", address="10.0.0.1", devices=8)
    seats = [Seat(n, n, host, 0, Device(id=device), (device,)) for n, device in enumerate(sorted(node_of))]
    found = bound_cpus(seats, near)
    for node in set(node_of.values()):
        ranks = [seat.rank for seat in seats if node_of[seat.device.id] == node]
        used = [cpu for rank in ranks for cpu in found[rank]]
        if size >= len(ranks):
            assert sorted(used) == list(range(node * 100, node * 100 + size))
            assert max(len(found[rank]) for rank in ranks) - min(len(found[rank]) for rank in ranks) <= 1
        else:
            assert {len(found[rank]) for rank in ranks} == {size}
