"""Which host becomes the head, and what the hosts are told."""

from __future__ import annotations

import pytest

from launcher.errors import InfrastructureError
from launcher.runs.clusters import Member, Membership
from launcher.specs import Cluster, Host
from launcher.supervise.fleet.choice import addresses, choose_head, memberships
from launcher.supervise.fleet.there import Mirror, There

CLUSTER = Cluster(
    name="three",
    soc="CPU",
    hosts=tuple(Host(name=name, address=f"10.0.0.{number}", devices=2) for number, name in enumerate("abc", start=1)),
)
MEMBERS = {host.name: Member(name=host.name, ip=host.address) for host in CLUSTER.hosts}


def host(me: str, *, head: str | None = None, mirrors: tuple[Mirror, ...] = ()) -> There:
    """What a host answers; with `head`, the process lives that keeps Ray's head, if it is its own."""
    known = None if head is None else _membership(me, head)
    return There(directory="/d", membership=known, is_head=head == me, token=None, mirrors=mirrors, clock=0.0)


def _membership(me: str, head: str) -> Membership:
    return Membership(
        cluster="three",
        id="00000000",
        head=head,
        me=me,
        members=tuple(MEMBERS.values()),
        port=19700,
        stay=True,
        python="python3",
    )


def test_the_first_host_is_the_head() -> None:
    assert choose_head(CLUSTER, {name: host(name) for name in "abc"}).host.name == "a"


def test_a_head_that_lives_stays_also_when_the_first_host_is_back() -> None:
    there = {"a": host("a"), "b": host("b", head="b"), "c": host("c", head="b")}
    assert choose_head(CLUSTER, there).host.name == "b"


def test_when_the_first_host_is_lost_the_one_with_most_of_its_records_takes_its_runs() -> None:
    short, long = Mirror(run="job-1", home="a", size=10), Mirror(run="job-1", home="a", size=20)
    there = {"b": host("b", mirrors=(short,)), "c": host("c", mirrors=(long,))}
    found = choose_head(CLUSTER, there)
    assert (found.host.name, found.mirrored) == ("c", ("job-1",))


def test_a_copy_of_what_is_at_home_on_a_host_that_answers_makes_nobody_the_head() -> None:
    mirror = Mirror(run="job-1", home="c", size=10)
    found = choose_head(CLUSTER, {"b": host("b", mirrors=(mirror,)), "c": host("c")})
    assert (found.host.name, found.mirrored) == ("a", ())


def test_every_host_that_takes_part_is_told_of_all_that_do() -> None:
    told = memberships(CLUSTER, CLUSTER.hosts[0], MEMBERS, {"a": "/a/python", "c": "/c/python"}, stay=True)
    assert [member.name for member in told["c"].members] == ["a", "c"]
    assert (told["c"].me, told["c"].python, told["c"].head) == ("c", "/c/python", "a")


def test_an_address_by_which_a_host_reaches_only_itself_is_refused() -> None:
    hosts = (CLUSTER.hosts[0], CLUSTER.hosts[1].model_copy(update={"address": "127.0.0.1"}))
    with pytest.raises(InfrastructureError, match="no other host reaches it"):
        addresses(CLUSTER.model_copy(update={"hosts": hosts}))
