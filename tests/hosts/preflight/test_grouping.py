"""Findings that are alike are told once, with all the places that they concern."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.hosts.preflight.finding import Check, Finding, Severity, remedy_for
from launcher.hosts.preflight.grouping import grouped, hosts_phrase, places_phrase
from launcher.specs.host_patterns import expand

HOSTS = tuple(f"node{number:03}" for number in range(1, 65))
RANKS = {(host, device): 8 * place + device for place, host in enumerate(HOSTS) for device in range(8)}


def down(host: str, device: int | None, seen: str = "the link is down") -> Finding:
    return Finding(Severity.REFUSE, Check.NETWORK, seen, "UP", "hccn_tool -i {device} -link_stat -g", host, device)


def test_512_equal_findings_are_told_once_with_their_hosts_devices_and_ranks() -> None:
    (group,) = grouped([down(host, device) for host in HOSTS for device in range(8)], RANKS)
    assert group.where == "node[001-064] devices 0-7 (ranks 0-511)"
    assert group.remedy == "hccn_tool -i N -link_stat -g"
    assert len(group.places) == 512


def test_one_finding_has_the_command_for_its_device() -> None:
    (group,) = grouped([down("node003", 5)], RANKS)
    assert group.where == "node003 device 5 (rank 21)"
    assert group.remedy == "hccn_tool -i 5 -link_stat -g"


def test_one_device_of_many_hosts_keeps_its_number() -> None:
    (group,) = grouped([down(host, 5) for host in HOSTS], {})
    assert group.where == "node[001-064] device 5"
    assert group.remedy == "hccn_tool -i 5 -link_stat -g"


def test_many_that_differ_in_numbers_alone_are_told_as_ranges() -> None:
    some = [down(host, 0, f"{60000 + n} of 65536 MB are in use") for n, host in enumerate(HOSTS)]
    (group,) = grouped(some, {})
    assert group.seen == "60000-60063 of 65536 MB are in use"


def test_a_few_that_differ_in_numbers_are_told_one_by_one() -> None:
    some = [down("node001", device, f"pid {4000 + device} uses the device") for device in range(4)]
    assert [group.seen for group in grouped(some, {})] == [f.seen for f in some]


def test_what_is_about_no_host_has_no_place() -> None:
    (group,) = grouped([Finding(Severity.REFUSE, Check.PLACEMENT, "16 ranks, 8 devices")], RANKS)
    assert group.where == ""
    assert group.ranks == ()


def test_the_same_words_of_another_severity_stay_apart() -> None:
    one = down("node001", 0)
    other = Finding(Severity.WARN, one.check, one.seen, one.expected, one.remedy, "node002", 0)
    assert len(grouped([one, other], {})) == 2


def test_places_say_which_devices_of_which_hosts() -> None:
    assert places_phrase([("a", None)]) == "a"
    assert places_phrase([("a", 0), ("a", 1), ("b", 0), ("b", 1), ("c", 7)]) == "a, b devices 0-1; c device 7"


def test_a_long_list_of_places_ends_in_a_count() -> None:
    assert places_phrase([(f"h{'x' * n}", n) for n in range(9)]).endswith("; 3 more hosts")
    assert hosts_phrase("abcdefghij").endswith(", 4 more")


@pytest.mark.parametrize(
    ("names", "phrase"),
    [
        (["a"], "a"),
        (["n1", "n2", "n3", "n10"], "n[1-3,10]"),
        (["n009", "n010", "n100"], "n[009-010,100]"),
        (["n0", "n1"], "n[0-1]"),
        (["10.0.0.11", "10.0.0.12"], "10.0.0.[11-12]"),
        (["gpu1-ib", "gpu2-ib", "login"], "gpu[1-2]-ib, login"),
    ],
)
def test_hosts_are_named_as_a_cluster_spec_names_them(names: list[str], phrase: str) -> None:
    assert hosts_phrase(names) == phrase


@given(st.sets(st.from_regex(r"\A(node|a-)[0-9]{1,4}(x|)\Z"), min_size=1, max_size=5))
@settings(max_examples=60)
def test_a_phrase_of_hosts_stands_for_these_hosts_and_no_others(names: set[str]) -> None:
    assert set(expand(hosts_phrase(names))) == names


@given(st.lists(st.tuples(st.sampled_from(HOSTS), st.integers(0, 7), st.integers(0, 10**9)), max_size=40))
@settings(max_examples=40)
def test_no_finding_is_lost(places: list[tuple[str, int, int]]) -> None:
    groups = grouped([down(host, device, f"{number} MB are in use") for host, device, number in places], RANKS)
    assert {place for group in groups for place in group.places} == {(host, device) for host, device, _ in places}


def test_a_remedy_names_the_one_device_or_n() -> None:
    assert remedy_for("hccn_tool -i {device}", [3]) == "hccn_tool -i 3"
    assert remedy_for("hccn_tool -i {device}", [3, 4]) == "hccn_tool -i N"
    assert remedy_for("reboot", [3, 4]) == "reboot"
