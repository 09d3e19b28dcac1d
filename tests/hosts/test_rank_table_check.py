"""Table, hccn.conf, hccn_tool and /dev are compared, and the one that differs is named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from launcher.errors import NpuLaunchError
from launcher.hosts.rank_table_check import Mismatch, compare_with_hosts, hosts_of
from launcher.hosts.reading.request import Level
from launcher.hosts.report import Clock, Health, HostReport, Npu, Port
from launcher.hosts.survey import Request, survey_hosts
from launcher.planning.placement import place_ranks
from launcher.planning.ranktable.formats import RankTable, rank_table
from launcher.planning.ranktable.reading import read_table
from launcher.planning.topology import Severity
from launcher.specs import Cluster, Host, recipe_from_mapping
from tests.site import Site


def cluster(hosts: int = 2, devices: int = 2, soc: str = "Ascend910B3", **more: Any) -> Cluster:
    return Cluster.model_validate(
        {
            "name": "c",
            "soc": soc,
            "hosts": [
                {
                    "name": f"node-{host}",
                    "address": f"10.0.0.{host}",
                    "devices": [{"id": device, "ip": f"192.168.{device}.{host}"} for device in range(devices)],
                    **more,
                }
                for host in range(hosts)
            ],
        }
    )


def table_of(hosts: Cluster) -> RankTable:
    values = {"name": "t", "framework": "plain", "ranks": hosts.device_count, "script": "-", "relative_to": "/"}
    return rank_table(place_ranks(recipe_from_mapping(values), hosts), hosts)


def report(host: Host, **changed: Any) -> HostReport:
    """A host that is as the cluster says, but for what is changed: ips (of the ports), conf, nodes, listed."""
    ips = {device.id: device.ip for device in host.device_list} | changed.get("ips", {})
    conf = {device.id: device.ip or "" for device in host.device_list} | changed.get("conf", {})
    listed = changed.get("listed", tuple(ips))
    npus = tuple(
        Npu(id=number, card=number, chip=0, name="910B3", health=Health.OK, port=Port(ip=ip))
        for number, ip in ips.items()
        if number in listed
    )
    return HostReport(
        host=host.name,
        name=host.name,
        architecture="aarch64",
        clock=Clock(0, 0, 0),
        npus=npus,
        device_nodes=changed.get("nodes", tuple(ips)),
        hccn_conf={number: ip for number, ip in conf.items() if ip},
    )


def compared(hosts: Cluster, table: RankTable | None = None, **changed: Mapping[str, Any]) -> tuple[Mismatch, ...]:
    """`changed` is by name of host, with an underscore for the dash."""
    reports = {host.name: report(host, **changed.get(host.name.replace("-", "_"), {})) for host in hosts.hosts}
    return compare_with_hosts(table or table_of(hosts), hosts.hosts, reports)


def test_hosts_that_are_what_the_table_says_have_no_mismatch() -> None:
    assert compared(cluster()) == ()


def test_a_table_with_an_address_of_its_own_is_the_odd_one() -> None:
    hosts = cluster()
    table = read_table(table_of(hosts).to_json().replace("192.168.1.1", "192.168.77.7"), "")
    (found,) = compared(hosts, table)
    assert (found.host, found.device, found.rank, found.odd) == ("node-1", 1, 3, ("rank table",))
    assert found.path == "server_list[1].device[1].device_ip"
    assert dict(found.said) == {
        "rank table": "192.168.77.7",
        "hccn.conf": "192.168.1.1",
        "hccn_tool": "192.168.1.1",
    }
    assert found.is_refused
    assert found.codes == ("EI0014",)
    assert "the IP address(192.168.77.7) in the ranktable is inconsistent with the IP(192.168.1.1)" in found.says
    assert found.remedy == "write 192.168.1.1 into the rank table"


def test_a_stale_hccn_conf_is_the_odd_one_and_only_a_warning() -> None:
    (found,) = compared(cluster(), node_1={"conf": {1: "192.168.99.9"}})
    assert (found.odd, found.severity, found.codes) == (("hccn.conf",), Severity.WARNING, ())
    assert "address_1=192.168.1.1 into /etc/hccn.conf" in found.remedy


def test_a_port_that_has_another_address_is_the_odd_one() -> None:
    (found,) = compared(cluster(), node_0={"ips": {1: "192.168.99.9"}})
    assert (found.odd, found.severity) == (("hccn_tool",), Severity.REFUSED)
    assert "hccn_tool -i 1 -ip -s address 192.168.1.0" in found.remedy


def test_a_port_without_an_address_is_the_odd_one() -> None:
    (found,) = compared(cluster(), node_0={"ips": {1: None}})
    assert found.odd == ("hccn_tool",)
    assert "hccn_tool none" in found.seen


def test_where_no_two_agree_none_is_named() -> None:
    (found,) = compared(cluster(), node_0={"ips": {1: "192.168.99.9"}, "conf": {1: "192.168.88.8"}})
    assert found.odd == ()
    assert "no two agree" in found.seen


def test_two_that_can_be_asked_and_differ_are_told_without_a_verdict() -> None:
    hosts = cluster()
    without_conf = {host.name: report(host, conf={0: "", 1: ""}, ips={1: "192.168.9.9"}) for host in hosts.hosts}
    found = compare_with_hosts(table_of(hosts), hosts.hosts, without_conf)
    assert [(each.host, each.odd) for each in found] == [("node-0", ()), ("node-1", ())]
    assert "hccn.conf" not in found[0].seen


def test_swapped_addresses_say_whose_they_are() -> None:
    hosts = cluster(1)
    text = table_of(hosts).to_json()
    swapped = text.replace("192.168.0.0", "x").replace("192.168.1.0", "192.168.0.0").replace("x", "192.168.1.0")
    found = compared(hosts, read_table(swapped, ""))
    assert [each.odd for each in found] == [("rank table",), ("rank table",)]
    assert found[0].seen.endswith("192.168.1.0 is that of device 1 of node-0")


def test_one_address_in_two_spellings_is_one_address() -> None:
    values = {
        "name": "c",
        "soc": "Ascend910B3",
        "hosts": [{"name": "node-0", "address": "10.0.0.1", "devices": [{"id": 0, "ip": "fd00::1"}]}],
    }
    assert compared(Cluster.model_validate(values), node_0={"conf": {0: "fd00:0:0::1"}}) == ()


def test_a_server_in_another_spelling_is_the_host_of_that_address() -> None:
    device = {"id": 0, "ip": "192.168.0.1"}
    values = {"name": "c", "soc": "Ascend910B3", "hosts": [{"name": "n", "address": "fd00::1", "devices": [device]}]}
    hosts = Cluster.model_validate(values)
    table = read_table(table_of(hosts).to_json().replace("fd00::1", "fd00:0:0::1"), "")
    assert hosts_of(table, hosts.hosts) == hosts.hosts
    assert compared(hosts, table) == ()


def test_a_device_that_the_host_has_not_makes_the_table_the_odd_one() -> None:
    (found,) = compared(cluster(1), node_0={"nodes": (0,), "listed": (0,)})
    assert (found.odd, found.codes, found.is_refused) == (("rank table",), ("EI0004",), True)
    assert found.seen == "node-0 has no device 1 (/dev/davinciN: 0)"
    assert found.path == "server_list[0].device[1].device_id"


def test_a_device_without_its_node_makes_dev_the_odd_one() -> None:
    (found,) = compared(cluster(1), node_0={"nodes": (0,)})
    assert found.odd == ("/dev",)
    assert "--device=/dev/davinci1" in found.remedy


def test_a_device_that_npu_smi_does_not_know_makes_npu_smi_the_odd_one() -> None:
    (found,) = compared(cluster(1), node_0={"listed": (0,)})
    assert found.odd == ("npu-smi",)


def test_a_server_of_another_cluster_is_told_once() -> None:
    table = read_table(table_of(cluster()).to_json().replace("10.0.0.1", "10.9.9.9"), "")
    (found,) = compared(cluster(), table)
    assert found.seen == "server 10.9.9.9 is no host of the cluster"


def test_containers_of_one_server_are_each_compared_with_their_own_devices() -> None:
    values = [
        {"name": f"c{n}", "address": f"10.0.0.{n}", "server_id": "node", "devices": [{"id": n, "ip": f"192.168.0.{n}"}]}
        for n in (1, 2)
    ]
    hosts = Cluster.model_validate({"name": "containers", "soc": "Ascend910B3", "hosts": values})
    assert compared(hosts) == ()
    assert [each.host for each in compared(hosts, c2={"ips": {2: "192.168.9.9"}})] == ["c2"]


def test_only_hosts_of_the_table_need_to_be_asked() -> None:
    assert [host.name for host in hosts_of(table_of(cluster(2)), cluster(4).hosts)] == ["node-0", "node-1"]


def test_a_host_without_a_report_is_not_judged() -> None:
    hosts = cluster()
    assert compare_with_hosts(table_of(hosts), hosts.hosts, {}) == ()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"), hosts=2, chip="910C")


def test_hosts_themselves_tell_what_the_table_has_wrong(site: Site) -> None:
    hosts = site.cluster()
    values = json.loads(table_of(hosts).to_json())
    values["server_list"][1]["device"][3]["device_ip"] = "192.168.77.7"
    values["server_list"][0]["device"][5]["super_device_id"] = "1"
    site.host("node-001").set(hccn_conf={"2": "192.168.88.8"})
    answers = survey_hosts(hosts.hosts, Request(level=Level.FULL), site.reach)
    reports = {name: answer for name, answer in answers.items() if not isinstance(answer, NpuLaunchError)}
    assert len(reports) == 2
    found = compare_with_hosts(read_table(json.dumps(values), ""), hosts.hosts, reports)
    told = [(each.host, each.device, each.odd, each.path.rpartition(".")[2]) for each in found]
    assert ("node-002", 3, ("rank table",), "device_ip") in told
    assert ("node-001", 2, ("hccn.conf",), "device_ip") in told
    assert ("node-001", 5, (), "super_device_id") in told


def test_a_site_agrees_with_its_own_table(site: Site, tmp_path: Path) -> None:
    own = Site(tmp_path / "own", hosts=2)
    hosts = own.cluster()
    answers = survey_hosts(hosts.hosts, Request(level=Level.FAST), own.reach)
    reports = {name: answer for name, answer in answers.items() if isinstance(answer, HostReport)}
    assert len(reports) == 2
    assert compare_with_hosts(table_of(hosts), hosts.hosts, reports) == ()
