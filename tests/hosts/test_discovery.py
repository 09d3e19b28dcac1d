"""What hosts report becomes a spec that loads, and a reader of it learns all that is odd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from launcher.errors import InfrastructureError, PreflightError, UsageError
from launcher.hosts import resolve_cluster
from launcher.hosts.discovery import Discovery, discover
from launcher.hosts.discovery_text import write_discovery
from launcher.hosts.report import HostReport
from launcher.hosts.survey import Request, survey_hosts
from launcher.specs import Cluster, Framework, Host, Recipe, load_cluster
from tests.site import SimulatedHost, Site


def found_on(site: Site, names: Sequence[str] = ()) -> Discovery:
    """The discovery of the site's hosts, asked under these names or their own."""
    hosts = [
        Host(name=name, address=host.state.address, devices=1)
        for host, name in zip(site.hosts, names or [host.name for host in site.hosts], strict=True)
    ]
    return discover("found", hosts, survey_hosts(hosts, Request(), lambda host: site.reach(host.address), 30))


def loaded(discovery: Discovery, folder: Path) -> Cluster:
    """What the written spec loads as."""
    path = folder / "found.yaml"
    path.write_text(write_discovery(discovery), encoding="utf-8")
    return load_cluster(path)


@pytest.mark.parametrize("chip", ["910A", "910B3", "910C"])
def test_the_spec_of_healthy_hosts_is_the_cluster_that_they_are(tmp_path: Path, chip: str) -> None:
    site = Site(tmp_path / "site", hosts=2, chip=chip)
    found = found_on(site)
    assert found.cluster == site.cluster(name="found")
    assert loaded(found, tmp_path) == found.cluster
    assert found.remarks.loud == []


def test_addresses_that_disagree_are_said_beside_the_one_that_counts(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.hosts[0].state.hccn_conf = {"0": "192.1.0.1", "1": "10.9.9.9", "2": "192.3.0.1"}
    site.hosts[0].device(2).ip = None
    site.hosts[0].device(3).ip = None
    found = found_on(site)
    text = write_discovery(found)
    assert '- {id: 1, ip: "192.2.0.1"}  # hccn_tool says 192.2.0.1, /etc/hccn.conf 10.9.9.9: hccn_tool counts\n' in text
    assert '- {id: 2, ip: "192.3.0.1"}  # 192.3.0.1 is of /etc/hccn.conf alone: hccn_tool does not say it\n' in text
    assert "- {id: 3}  # no address: hccn_tool -i 3 -ip -s address IP netmask MASK\n" in text
    assert len(found.remarks.loud) == 3
    assert loaded(found, tmp_path) == found.cluster


def test_an_answer_that_is_not_understood_is_quoted_and_not_taken_for_no_address(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.hosts[0].set(hccn_conf={})
    site.hosts[0].answer("hccn_tool -i 4 -ip -g", "設備忙\nusage: what\n", code=1)
    found = found_on(site)
    assert "- {id: 4}  # its address could not be told\n" in write_discovery(found)
    assert "node-001: could not be told: hccn_tool -i 4 -ip -g: exit 1: 設備忙 usage: what" in found.remarks.loud


def test_an_address_that_is_there_twice_or_of_another_family_is_left_out_and_told(tmp_path: Path) -> None:
    site = Site(tmp_path / "site", hosts=2)
    site.hosts[1].device(0).ip = "192.1.0.1"
    site.hosts[1].device(1).ip = "fd00::7"
    found = found_on(site)
    assert [device.ip for device in found.cluster.hosts[1].device_list][:3] == [None, None, "192.3.0.2"]
    assert "node-002 device 0: 192.1.0.1 is the address of node-001 device 0, too" in found.remarks.loud
    assert any("IPv6, and others are IPv4" in remark for remark in found.remarks.loud)
    assert loaded(found, tmp_path) == found.cluster


def test_an_address_counts_as_hccn_tool_has_it_also_of_a_device_that_npu_smi_does_not_list(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.hosts[0].set(hccn_conf={})
    site.hosts[0].device(5).listed = False
    site.hosts[0].answer("npu-smi info", "dcmi module initialize failed. ret is -8005\n", code=1)
    found = found_on(site)
    assert [device.ip for device in found.cluster.hosts[0].device_list] == [
        device.ip for device in site.hosts[0].state.devices
    ]
    assert found.remarks.devices == {}


def test_a_host_without_any_device_node_is_told_and_its_addresses_are_not_said_to_be_unset(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path / "site")
    with site.hosts[0].changing():
        site.hosts[0].state.hccn_conf = {}
        for device in site.hosts[0].state.devices:
            device.node = False
    found = found_on(site)
    assert found.remarks.loud[0] == (
        "node-001: there is no /dev/davinciN: no process can use the NPUs that npu-smi knows"
    )
    assert "- {id: 4}  # its address could not be told\n" in write_discovery(found)


def test_faults_are_said_beside_their_devices(tmp_path: Path) -> None:
    site = Site(tmp_path / "site", hosts=2)
    host = site.hosts[0]
    with host.changing():
        host.device(1).health, host.device(1).error_codes = "Alarm", ("8C084E00",)
        host.device(2).link = "DOWN"
        host.device(5).listed = False
        host.state.driver = "23.0.3"
    site.hosts[1].device(6).node = False
    found = found_on(site)
    text = write_discovery(found)
    assert "# health Alarm: 8C084E00\n" in text
    assert "# link down\n" in text
    assert "    # /dev/davinci5 is here, but npu-smi does not know it\n" in text
    assert "    # npu-smi knows NPU 6, but there is no /dev/davinci6\n" in text
    assert "# driver differs: 23.0.3 on node-001; 23.0.7 on node-002\n" in text
    ids = [[device.id for device in host.device_list] for host in found.cluster.hosts]
    assert ids == [[0, 1, 2, 3, 4, 6, 7], [0, 1, 2, 3, 4, 5, 7]]
    assert loaded(found, tmp_path) == found.cluster


def test_hosts_that_do_not_answer_or_have_no_npus_are_named_and_left_out(tmp_path: Path) -> None:
    site = Site(tmp_path / "site", hosts=3)
    site.hosts[1].state.reach = "unreachable"
    site.hosts[2].set(absent=("npu-smi", "hccn_tool"))
    with site.hosts[2].changing():
        for device in site.hosts[2].state.devices:
            device.node = False
    found = found_on(site)
    assert [host.name for host in found.cluster.hosts] == ["node-001"]
    assert (list(found.failed), found.without_npus) == (["node-002"], ("node-003",))
    assert "# node-002 is not in here: " in write_discovery(found)


def test_hosts_without_any_npu_never_become_a_cluster(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="no NPU"):
        found_on(Site(tmp_path / "site", devices=0, absent=("npu-smi", "hccn_tool")))


def test_when_no_host_answers_each_is_named_even_beside_one_without_npus(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match=r"node-001 .*cannot be reached"):
        found_on(Site(tmp_path / "one", reach="unreachable"))
    site = Site(tmp_path / "site", hosts=3, devices=0, absent=("npu-smi",))
    for host in site.hosts[:2]:
        host.state.reach = "unreachable"
    with pytest.raises(InfrastructureError, match=r"2 hosts did not answer: node-001.*node-002"):
        found_on(site)


def test_chips_that_differ_are_refused_with_their_hosts(tmp_path: Path) -> None:
    sites = Site(tmp_path / "a"), Site(tmp_path / "b", chip="910A")
    hosts = [Host(name=name, address="10.0.0.1", devices=1) for name in ("left", "right")]
    reports = {
        host.name: survey_hosts([host], Request(), lambda _, site=site: site.reach("node-001"))[host.name]  # type: ignore[misc]
        for host, site in zip(hosts, sites, strict=True)
    }
    with pytest.raises(PreflightError, match="Ascend910B3 on left; Ascend910A on right"):
        discover("found", hosts, reports)


def test_a_host_that_does_not_tell_its_chip_is_said_to_be_taken_for_one_of_the_others(tmp_path: Path) -> None:
    site = Site(tmp_path / "site", hosts=2)
    for command in ("npu-smi info", "npu-smi info -m"):
        site.hosts[1].answer(command, "dcmi module initialize failed")
    found = found_on(site)
    assert "node-002: its chip could not be told, and is taken to be Ascend910B3" in found.remarks.loud


@pytest.mark.parametrize("answer", ["", "dcmi module initialize failed. ret is -8005\n", "芯片\n"])
def test_a_chip_that_cannot_be_told_is_refused_with_the_text(tmp_path: Path, answer: str) -> None:
    site = Site(tmp_path / "site")
    site.hosts[0].answer("npu-smi info", answer)
    site.hosts[0].answer("npu-smi info -m", answer)
    with pytest.raises(PreflightError) as raised:
        found_on(site)
    assert "8 NPUs are on node-001, but their chip cannot be told" in str(raised.value)
    assert answer.strip() in str(raised.value)


def test_a_host_asked_for_by_its_address_gets_its_own_name(tmp_path: Path) -> None:
    found = found_on(Site(tmp_path / "site", hosts=2), names=["10.0.0.1", "gpu-two"])
    assert [host.name for host in found.cluster.hosts] == ["node-001", "gpu-two"]


def test_a_host_asked_for_by_an_ipv6_address_gets_its_own_name_too(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    host = Host(name="host-1", address="fd00::1", devices=1)
    found = discover("found", [host], survey_hosts([host], Request(), lambda _: site.reach("node-001"), 30))
    assert [(host.name, host.address) for host in found.cluster.hosts] == [("node-001", "fd00::1")]


def test_what_a_host_says_of_itself_cannot_break_the_file(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    host = site.hosts[0]
    host.answer("hccn_tool -i 0 -ip -g", "ipaddr:\x1b[31m}] evil\nsoc: CPU\n")
    found = found_on(site)
    report = HostReport(**{**_fields(site), "name": "a\nsoc: CPU"})
    again = discover("found", list(found.cluster.hosts), {"node-001": report})
    assert loaded(found, tmp_path) == found.cluster
    assert loaded(again, tmp_path).soc == "Ascend910B3"


def _fields(site: Site) -> dict[str, object]:
    report = survey_hosts(site.cluster().hosts, Request(), site.reach)["node-001"]
    assert isinstance(report, HostReport)
    return vars(replace(report))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A simulated host that this machine is taken for."""
    host = Site(tmp_path / "site").hosts[0]
    for name, value in host.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ASCEND_RT_VISIBLE_DEVICES", raising=False)
    return host


def auto(folder: Path) -> Cluster:
    (folder / "run.sh").touch()
    return resolve_cluster(Recipe(name="r", framework=Framework.PLAIN, ranks=2, script=str(folder / "run.sh")), None)


def test_the_cluster_auto_is_the_npus_of_this_machine(here: SimulatedHost, tmp_path: Path) -> None:
    cluster = auto(tmp_path)
    assert (cluster.soc, cluster.hosts[0].address, cluster.device_count) == ("Ascend910B3", "127.0.0.1", 8)
    assert cluster.hosts[0].device_list[3].ip == "192.4.0.1"


def test_a_root_that_is_not_there_is_an_error_and_never_a_machine_without_npus(
    here: SimulatedHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPU_LAUNCH_ROOT", str(tmp_path / "gone"))
    with pytest.raises(UsageError, match=r"NPU_LAUNCH_ROOT is .*gone', which is no folder"):
        auto(tmp_path)


def test_the_cluster_auto_takes_the_npus_that_the_shell_shows_and_says_which(
    here: SimulatedHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ASCEND_RT_VISIBLE_DEVICES", "1,6")
    assert [device.id for device in auto(tmp_path).hosts[0].device_list] == [1, 6]
    assert caplog.messages == [
        "npu-launch: ASCEND_RT_VISIBLE_DEVICES=1,6: of 8 NPUs these are taken: /dev/davinci1, /dev/davinci6"
    ]


def test_visible_devices_that_cannot_be_honoured_are_refused(
    here: SimulatedHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASCEND_RT_VISIBLE_DEVICES", "0,8")
    with pytest.raises(UsageError, match="names 8, and there are 8 NPUs"):
        auto(tmp_path)


def test_the_tools_are_not_asked_with_visible_devices_which_they_do_not_go_with(
    here: SimulatedHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = here.bin / "hccn_tool"
    tool.write_text(f'#!/bin/sh\n[ -z "${{ASCEND_RT_VISIBLE_DEVICES+x}}" ] || touch {tmp_path}/given\n')
    monkeypatch.setenv("ASCEND_RT_VISIBLE_DEVICES", "0")
    auto(tmp_path)
    assert not (tmp_path / "given").exists()
