"""Which devices a job may have: rings, modules, pairs, and servers that are alike."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.planning.placement import place_ranks
from launcher.planning.topology import Severity, device_findings, topology_findings
from launcher.specs import Cluster, recipe_from_mapping
from launcher.specs.servers import SERVERS

REFUSED, WARNING = Severity.REFUSED, Severity.WARNING
FIRST, SECOND, THIRD = "Ascend910A", "Ascend910B3", "Ascend910_9391"
BOX16 = "atlas-200t-a2-box16"


@pytest.mark.parametrize(
    ("soc", "server", "ids"),
    [
        (FIRST, None, [5]),
        (FIRST, None, [0, 3]),
        (FIRST, None, [6, 4]),
        (FIRST, None, [4, 5, 6, 7]),
        (FIRST, None, range(8)),
        ("Ascend910B", None, [0, 1]),
        (FIRST, "atlas-300t", [0, 1]),
        (SECOND, None, [0, 3, 6]),
        (SECOND, None, range(7)),
        (SECOND, BOX16, range(5)),
        (SECOND, BOX16, [1, 3, 9, 11]),
        (SECOND, None, range(16)),
        (THIRD, None, [3]),
        (THIRD, None, [4, 5, 0, 1]),
        (THIRD, None, range(16)),
        ("Ascend950PR", None, range(3)),
        ("Ascend310P3", None, range(3)),
        ("Ascend970X", None, range(3)),
        ("CPU", None, range(300)),
    ],
)
def test_devices_that_a_server_allows(soc: str, server: str | None, ids: list[int]) -> None:
    assert device_findings({"a": list(ids)}, soc, SERVERS.get(server or "")) == ()


@pytest.mark.parametrize(
    ("soc", "server", "ids", "severity", "rule"),
    [
        (FIRST, None, [0, 1, 2], REFUSED, "1, 2, 4 or 8 devices of a server"),
        (FIRST, None, [0, 4], REFUSED, "2 or 4 devices must be in one HCCS ring: 0-3 or 4-7"),
        (FIRST, None, [2, 3, 4, 5], REFUSED, "one HCCS ring"),
        (FIRST, "atlas-800-9000-4p", range(8), REFUSED, "1, 2 or 4 devices of a server"),
        (SECOND, BOX16, [0, 1, 8], REFUSED, "has as many of each"),
        (SECOND, None, [0, 1, 8], REFUSED, "has as many of each"),
        (SECOND, BOX16, [0, 1, 8, 10], WARNING, "0 with 8, 1 with 9"),
        (SECOND, "atlas-800t-a2", [0, 9], None, ""),
        (THIRD, None, [0, 1, 2], WARNING, "14 or 16 devices of a server"),
        (THIRD, None, [1, 2], WARNING, "0 and 1, 2 and 3"),
        ("Ascend950PR", "atlas-850", range(4), WARNING, "a job has 8 devices of a server"),
    ],
)
def test_devices_that_a_server_does_not_allow(
    soc: str, server: str | None, ids: list[int], severity: Severity | None, rule: str
) -> None:
    found = device_findings({"a": list(ids)}, soc, SERVERS.get(server or ""))
    assert [each.severity for each in found] == ([severity] if severity else [])
    for each in found:
        assert rule in each.rule
        assert each.server == "a"
        assert each.devices == tuple(sorted(ids))
        assert each.remedy
        assert each.source


def servers(count: int, ids: int) -> dict[str, range]:
    return {f"s{number}": range(ids) for number in range(count)}


@pytest.mark.parametrize(
    ("soc", "devices", "cann", "severity", "words"),
    [
        (FIRST, servers(2, 8), None, None, ""),
        (FIRST, servers(2, 8), "5.1.RC2", None, ""),
        (FIRST, servers(2, 4), "7.0.0", None, ""),
        (FIRST, servers(2, 4), "8.0.RC3", None, ""),
        (FIRST, servers(2, 4), "5.1.RC2", REFUSED, "CANN 5.1.RC2"),
        (FIRST, servers(2, 4), "6.3.RC1", WARNING, "CANN 6.3.RC1"),
        (FIRST, servers(2, 4), None, WARNING, "not known"),
        (FIRST, {"a": range(8), "b": range(8), "c": range(4)}, None, REFUSED, "of server c, and 8 of 2 others"),
        (SECOND, {"a": range(8), "b": range(3)}, None, WARNING, "of server b"),
        (THIRD, {"a": range(16), "b": range(14)}, None, WARNING, "14 devices of server b, and 16"),
        (THIRD, {"a": [0], "b": [0]}, None, WARNING, "1 device (0)"),
        (FIRST, servers(513, 8), None, WARNING, "513 servers"),
        (SECOND, servers(1153, 8), None, WARNING, "1153 servers"),
        (SECOND, servers(64, 3), None, None, ""),
    ],
)  # fmt: skip
def test_servers_together(
    soc: str, devices: dict[str, range], cann: str | None, severity: Severity | None, words: str
) -> None:
    found = device_findings(devices, soc, cann_version=cann)
    assert {each.severity for each in found} == ({severity} if severity else set())
    assert any(words in each.seen for each in found) or not severity


def test_seats_are_judged_by_the_machine_that_they_are_on() -> None:
    hosts = [
        {"name": f"c{n}", "address": f"10.0.0.{n}", "server_id": "node", "devices": [{"id": 2 * n}, {"id": 2 * n + 1}]}
        for n in (0, 2)
    ]
    cluster = Cluster.model_validate({"name": "containers", "soc": FIRST, "hosts": hosts})
    values = {"name": "t", "framework": "plain", "ranks": 4, "script": "-", "relative_to": "/"}
    (found,) = topology_findings(place_ranks(recipe_from_mapping(values), cluster), cluster)
    assert found.seen == "4 devices (0,1,4,5), which cross the HCCS rings, on server node"


@given(st.sampled_from(sorted(SERVERS)), st.data())
@settings(max_examples=60, deadline=None)
def test_all_devices_of_a_server_are_always_allowed(key: str, data: st.DataObject) -> None:
    server = SERVERS[key]
    ids = data.draw(st.permutations(range(server.devices)))
    assert device_findings({"a": ids}, server.soc or "Ascend950PR", server) == ()


@given(st.sampled_from(sorted(SERVERS)), st.sets(st.integers(0, 15), min_size=1))
@settings(max_examples=100, deadline=None)
def test_whatever_the_devices_each_finding_says_what_and_what_to_do(key: str, ids: set[int]) -> None:
    server = SERVERS[key]
    for found in device_findings({"a": sorted(ids), "b": sorted(ids)}, server.soc or "Ascend950PR", server):
        assert found.seen
        assert found.rule
        assert found.remedy
        assert found.source
