"""Hosts that are in another cluster: they leave one that nobody needs, and stay in any other."""

from __future__ import annotations

import pytest

from launcher.errors import InfrastructureError
from launcher.runs.clusters import Member, Membership
from launcher.specs import Cluster, Host
from launcher.specs.ray import RAY_PORTS, Ray
from launcher.supervise.fleet.others import to_leave
from launcher.supervise.fleet.there import Other, There

PORT = 21000


def there(*, stay: bool = False, alive: tuple[str, ...] = ()) -> There:
    members = (Member(name="a", ip="10.0.0.1"), Member(name="b", ip="10.0.0.2"))
    other = Membership(
        cluster="old", id="0ld0ld00", head="b", me="a", members=members, port=PORT, stay=stay, python="/usr/bin/python3"
    )
    return There(
        directory="/c",
        membership=None,
        is_head=False,
        token=None,
        others=(Other(membership=other, alive=alive),),
        clock=0,
    )


def cluster(port: int = PORT, address: str | None = None) -> Cluster:
    hosts = (Host(name="a", address="10.0.0.1", devices=1), Host(name="c", address="10.0.0.3", devices=1))
    return Cluster(name="new", soc="CPU", hosts=hosts, ray=Ray(port=port) if address is None else Ray(address=address))


def test_a_cluster_that_nobody_needs_is_left() -> None:
    assert to_leave("a", there(), cluster()) == ("0ld0ld00",)


@pytest.mark.parametrize("port", [PORT - RAY_PORTS, PORT + RAY_PORTS])
def test_one_with_other_ports_is_in_nobodys_way(port: int) -> None:
    assert to_leave("a", there(stay=True), cluster(port)) == ()


def test_nor_is_any_in_that_of_a_ray_that_is_there() -> None:
    assert to_leave("a", there(stay=True), cluster(address="10.0.0.9:6379")) == ()


@pytest.mark.parametrize("port", [PORT - RAY_PORTS + 1, PORT + RAY_PORTS - 1])
def test_one_that_was_told_to_stay_is_not_left(port: int) -> None:
    with pytest.raises(InfrastructureError, match="in another cluster, old of the hosts a ") as told:
        to_leave("a", there(stay=True), cluster(port))
    assert told.value.where == "host a"


def test_nor_is_one_with_runs_which_are_named() -> None:
    with pytest.raises(InfrastructureError, match="runs are on it: job-1a2b"):
        to_leave("a", there(alive=("job-1a2b",)), cluster())
