"""Where ranks sit: hosts in order, spares last, and nowhere that they may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.errors import PlanError
from launcher.planning.placement import Seat, keep_seats, place_ranks
from launcher.runs.events import Slot
from launcher.specs import Cluster, Recipe, cluster_from_mapping, load_cluster, recipe_from_mapping
from launcher.supervise.capacity import usable_slots
from tests.specs.cluster_strategies import clusters


def recipe(ranks: int, framework: str = "pytorch") -> Recipe:
    return recipe_from_mapping(
        {"name": "job", "framework": framework, "ranks": ranks, "script": "t.py", "relative_to": "/srv"}
    )


def cluster(*hosts: str | dict[str, Any], **more: Any) -> Cluster:
    return cluster_from_mapping({"name": "lab", "server": "atlas-800t-a2", "hosts": list(hosts), **more})


def hosts_of(seats: tuple[Seat, ...]) -> list[str]:
    return list(dict.fromkeys(seat.host.name for seat in seats))


def with_ips(name: str, net: int) -> dict[str, Any]:
    return {"name": name, "device_ips": [f"192.168.{net}.[1-8]"]}


def test_a_spare_gets_no_rank_while_the_others_suffice() -> None:
    lab = cluster(with_ips("a", 1), with_ips("b", 2), with_ips("c", 3), spares=["a"])
    assert hosts_of(place_ranks(recipe(16), lab)) == ["b", "c"]
    assert hosts_of(place_ranks(recipe(17), lab)) == ["b", "c", "a"]


def test_a_spare_takes_the_place_of_a_host_that_is_gone() -> None:
    lab = cluster(with_ips("a", 1), with_ips("b", 2), with_ips("c", 3), spares=["c"])
    seats = place_ranks(recipe(16), lab, frozenset({("a", None)}))
    assert hosts_of(seats) == ["b", "c"]


def test_the_supervisor_counts_the_same_places_in_the_same_order() -> None:
    lab = cluster(with_ips("a", 1), with_ips("b", 2), spares=["a"], exclude=[{"host": "b", "devices": [0, 1]}])
    slots = usable_slots(lab, {Slot(host="b", device=3)})
    seats = place_ranks(recipe(len(slots)), lab, frozenset({("b", 3)}))
    assert [(slot.host, slot.device) for slot in slots] == [(seat.host.name, seat.device.id) for seat in seats]


def test_an_excluded_device_gets_no_rank_and_is_nobodys_peer() -> None:
    lab = cluster("a", exclude=[{"host": "a", "devices": [0, 5]}])
    seats = place_ranks(recipe(6), lab)
    assert [seat.device.id for seat in seats] == [1, 2, 3, 4, 6, 7]
    assert {seat.device_ids for seat in seats} == {(1, 2, 3, 4, 6, 7)}
    with pytest.raises(PlanError, match="7 ranks, but cluster lab has 6 devices"):
        place_ranks(recipe(7), lab)


def test_mindspore_ranks_follow_the_names_in_the_rank_table() -> None:
    hosts = [{**with_ips("a", 1), "server_id": "m9"}, {**with_ips("b", 2), "server_id": "m1"}]
    assert hosts_of(place_ranks(recipe(16, "mindspore"), cluster(*hosts))) == ["b", "a"]
    assert hosts_of(place_ranks(recipe(16), cluster(*hosts))) == ["a", "b"]


def test_hosts_of_one_super_pod_stay_together() -> None:
    hosts = [{**with_ips(name, net), "super_pod": pod} for net, (name, pod) in enumerate(["a0", "b0", "c1", "d1"])]
    assert hosts_of(place_ranks(recipe(32), cluster(*hosts, spares=["a"]))) == ["b", "a", "c", "d"]


def test_mindspore_ranks_follow_the_names_within_each_super_pod() -> None:
    pods = {"c": "x", "a": "y", "d": "y", "b": "x"}
    hosts = [{**with_ips(name, net), "super_pod": pod} for net, (name, pod) in enumerate(pods.items())]
    assert hosts_of(place_ranks(recipe(32, "mindspore"), cluster(*hosts))) == ["a", "d", "b", "c"]


def test_a_host_of_no_super_pod_keeps_its_place() -> None:
    hosts = [with_ips("a", 1), {**with_ips("b", 2), "super_pod": "x"}, with_ips("c", 3)]
    assert hosts_of(place_ranks(recipe(24), cluster(*hosts))) == ["a", "b", "c"]


def test_containers_of_one_machine_stay_together() -> None:
    names = {"a": "m1", "b": "m2", "c": "m1"}
    hosts = [
        {"name": name, "server_id": machine, "devices": [{"id": net, "ip": f"192.168.0.{net}"}]}
        for net, (name, machine) in enumerate(names.items())
    ]
    assert hosts_of(place_ranks(recipe(3), cluster(*hosts))) == ["a", "c", "b"]


def test_devices_of_several_machines_need_addresses() -> None:
    with pytest.raises(PlanError, match="devices without an address on b: HCCL needs them between hosts"):
        place_ranks(recipe(16), cluster(with_ips("a", 1), "b"))
    with pytest.raises(PlanError, match="h1, h2, h3, h4, h5, h6, h7, h8 and 92 more"):
        place_ranks(recipe(800), cluster("h[1-100]"))


def test_containers_of_one_machine_need_no_addresses() -> None:
    halves = [
        {"name": name, "server_id": "m", "devices": [{"id": device} for device in devices]}
        for name, devices in (("c1", range(4)), ("c2", range(4, 8)))
    ]
    assert hosts_of(place_ranks(recipe(8), cluster(*halves))) == ["c1", "c2"]


def test_devices_of_one_super_pod_need_no_addresses() -> None:
    def lab(pods: tuple[str, str]) -> Cluster:
        hosts = [
            {"name": f"n{n}", "super_pod": pod, "devices": [{"id": 0, "super_device_id": str(n)}]}
            for n, pod in enumerate(pods)
        ]
        return cluster_from_mapping({"name": "pods", "server": "atlas-900-a3-superpod", "hosts": hosts})

    assert len(place_ranks(recipe(2), lab(("0", "0")))) == 2
    with pytest.raises(PlanError, match="devices without an address on n0, n1"):
        place_ranks(recipe(2), lab(("0", "1")))


def test_a_seat_that_the_cluster_does_not_have_is_refused() -> None:
    for taken in ([("x", 0)], [("a", 0), ("a", 8)]):
        with pytest.raises(PlanError, match=f"rank {len(taken) - 1} sits on {taken[-1][0]}/{taken[-1][1]}, which"):
            keep_seats(cluster("a"), taken)


@settings(max_examples=40, deadline=None)
@given(clusters(), st.integers(1, 8), st.sampled_from(["pytorch", "mindspore"]))
def test_every_rank_sits_on_a_device_of_its_own_and_may_keep_it(lab: Cluster, ranks: int, framework: str) -> None:
    try:
        seats = place_ranks(recipe(ranks, framework), lab)
    except PlanError:
        return
    assert [seat.rank for seat in seats] == list(range(ranks))
    assert len({(seat.host.name, seat.device.id) for seat in seats}) == ranks
    usual = lab.device_count - sum(len(host.device_list) for host in lab.hosts if host.spare)
    assert ranks > usual or not any(seat.host.spare for seat in seats)
    assert keep_seats(lab, [(seat.host.name, seat.device.id) for seat in seats]) == seats


def test_the_large_example_places_all_its_ranks() -> None:
    lab = load_cluster(Path(__file__).parents[2] / "clusters/atlas800t_a2_64.yaml")
    seats = place_ranks(recipe(59 * 8 - 1), lab)
    assert not any(seat.host.spare for seat in seats)
    assert place_ranks(recipe(59 * 8), lab)[-1].host.name == "node061"
