"""Many hosts are asked at once, and what is wrong with one of them is said of that one alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from launcher.errors import InfrastructureError
from launcher.hosts.reach import Answer, ThisMachine
from launcher.hosts.reading.request import Level
from launcher.hosts.report import Health, HostReport, NpuProcess, Package, PathKind, Port
from launcher.hosts.survey import Request, interfaces_of, survey_hosts
from launcher.specs import Host
from tests.site import Process, SimulatedHost, Site


def report(site: Site, request: Request | None = None, budget: float = 30) -> HostReport:
    """What the site's first host reports."""
    found = survey_hosts(site.cluster().hosts[:1], request or Request(), site.reach, budget)["node-001"]
    assert isinstance(found, HostReport), found
    return found


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "site")


@pytest.fixture
def host(site: Site) -> SimulatedHost:
    return site.hosts[0]


@pytest.mark.parametrize(
    ("chip", "soc", "count"), [("910A", "Ascend910A", 8), ("910B3", "Ascend910B3", 8), ("910C", "Ascend910_9392", 16)]
)
def test_a_healthy_host_is_reported_whole(tmp_path: Path, chip: str, soc: str, count: int) -> None:
    found = report(Site(tmp_path / "site", chip=chip))
    assert found.unread == ()
    assert (found.soc, found.name, found.architecture) == (soc, "node-001", "aarch64")
    assert [npu.id for npu in found.npus] == list(found.device_nodes) == list(range(count))
    assert {npu.health for npu in found.npus} == {Health.OK}
    assert found.npus[1].port == Port(found.hccn_conf[1], "255.255.255.0", True, "Success", False)
    assert found.npus[0].cpus == (None if chip == "910C" else tuple(range(24)))
    assert {npu.super_pod_id for npu in found.npus} == ({"0"} if chip == "910C" else {None})
    assert found.reserved_ports == ((60000, 60031),)
    assert found.addresses == ("10.0.0.1",)
    assert found.limits["memlock"] is None
    assert (found.cpus, found.memory) == (192, 1536 * 1024**3)


def test_faults_of_devices_are_reported(site: Site, host: SimulatedHost) -> None:
    with host.changing():
        host.device(3).health, host.device(3).error_codes = "Alarm", ("A4025021", "8C03A000")
        host.device(2).link, host.device(2).net_health, host.device(2).tls = "DOWN", "Fault", True
        host.device(1).processes = (Process(4242, "python3", 50000), Process(4243, "hidden", in_table=False))
        host.device(0).ip = None
    found = report(site).npus
    assert (found[3].health, found[3].error_codes) == (Health.ALARM, ("A4025021", "8C03A000"))
    port = found[2].port
    assert port is not None
    assert (port.link, port.health, port.tls) == (False, "Fault", True)
    assert found[1].processes == (NpuProcess(4242, "python3", 50000), NpuProcess(4243, "hidden", None))
    assert found[0].port is not None
    assert found[0].port.ip is None


def test_versions_are_reported_with_the_file_that_says_them(site: Site, host: SimulatedHost) -> None:
    host.set(cann="8.5.0", nnae="8.0.RC3", packages={"torch": "2.1.0", "torch_npu": "2.1.0.post3"})
    packages = report(site).packages
    assert packages["driver"] == Package("23.0.7", "/usr/local/Ascend/driver/version.info", ("[7.0.0,7.2.99]",))
    assert packages["cann"].version == "8.5.0"
    assert packages["cann"].source == "/usr/local/Ascend/cann/aarch64-linux/ascend_toolkit_install.info"
    assert packages["nnae"].version == "8.0.RC3"
    assert packages["torch_npu"].version == "2.1.0.post3"
    assert "mindspore" not in packages


def test_a_driver_that_was_installed_elsewhere_is_found(site: Site, host: SimulatedHost) -> None:
    (host.root / "opt").mkdir()
    (host.root / "usr/local/Ascend/driver").rename(host.root / "opt/driver")
    (host.root / "etc/ascend_install.info").write_text("UserName=HwHiAiUser\r\nDriver_Install_Path_Param=/opt\r\n")
    assert report(site).packages["driver"] == Package("23.0.7", "/opt/driver/version.info", ("[7.0.0,7.2.99]",))


def test_cann_is_looked_for_where_the_cluster_says_and_nowhere_else(site: Site, host: SimulatedHost) -> None:
    folder = host.root / "opt/cann[1]/compiler"
    folder.mkdir(parents=True)
    (folder / "version.info").write_text("Version=6.3.RC2\n")

    def cann(path: str) -> Package | None:
        hosts = site.cluster(cann=path).hosts
        found = survey_hosts(hosts, Request(), site.reach)["node-001"]
        assert isinstance(found, HostReport)
        return found.packages.get("cann")

    assert cann("/opt/cann[1]") == Package("6.3.RC2", "/opt/cann[1]/compiler/version.info")
    assert cann("/opt/none") is None


def test_what_is_asked_of_the_machine_is_reported(site: Site, host: SimulatedHost) -> None:
    host.set(
        clock_offset=90.0, listening=(60000,), limits={"nofile": 1024}, disk_free={"/dev/shm": 64 * 1024**2},
        missing=("/data",),
    )  # fmt: skip
    found = report(site, Request(ports=(60000, 60001), paths=("/data/imagenet", "/etc/passwd", "/etc")))
    assert found.clock.skew[0] <= 90 <= found.clock.skew[1]
    assert found.clock.skew[1] - found.clock.skew[0] < 5
    assert found.listening == (60000,)
    assert found.limits["nofile"] == 1024
    assert found.filesystems[0].free == 64 * 1024**2
    assert found.paths == {"/data/imagenet": PathKind.MISSING, "/etc/passwd": PathKind.FILE, "/etc": PathKind.FOLDER}


def test_the_fast_level_asks_hccn_tool_for_addresses_only(site: Site) -> None:
    port = report(site, Request(level=Level.FAST)).npus[0].port
    assert port is not None
    assert (port.ip, port.link, port.tls) == ("192.1.0.1", None, None)


def test_a_tool_that_is_not_installed_is_told_once(site: Site, host: SimulatedHost) -> None:
    host.state.absent = ("hccn_tool",)
    found = report(site)
    assert [unread.source for unread in found.unread] == ["hccn_tool"]
    assert found.npus[0].port is None


def test_an_answer_that_is_not_understood_is_reported_with_its_text(site: Site, host: SimulatedHost) -> None:
    host.answer("npu-smi info", "dcmi module initialize failed. ret is -8005\n", code=255)
    host.answer("hccn_tool -i 3 -link -g", "链路状态: 正常\n")
    found = report(site)
    assert found.npus == ()
    assert found.device_nodes == tuple(range(8))
    assert {port.ip for port in found.unlisted_ports.values()} == {device.ip for device in host.state.devices}
    assert found.unread[0].text == "dcmi module initialize failed. ret is -8005"
    host.state.answers = {key: value for key, value in host.state.answers.items() if key != "npu-smi info"}
    assert [(unread.source, unread.text) for unread in report(site).unread] == [
        ("hccn_tool -i 3 -link -g", "链路状态: 正常")
    ]


def test_a_tool_that_hangs_costs_its_own_answer_only(site: Site, host: SimulatedHost) -> None:
    host.answer("hccn_tool -i 3 -link -g", delay=600)
    found = report(site, budget=8)
    assert [unread.source for unread in found.unread] == ["hccn_tool -i 3 -link -g"]
    assert found.npus[3].port is not None
    assert found.npus[3].port.ip == "192.4.0.1"


def test_a_device_that_npu_smi_does_not_know_is_a_node_without_an_npu(site: Site, host: SimulatedHost) -> None:
    host.device(5).listed = False
    host.device(6).node = False
    found = report(site)
    assert 5 in found.device_nodes and 5 not in {npu.id for npu in found.npus}
    assert 6 not in found.device_nodes


def test_a_host_without_npus_is_a_report_too(tmp_path: Path) -> None:
    site = Site(tmp_path / "site", devices=0, absent=("npu-smi", "hccn_tool"))
    host = Host(name="node-001", address="10.0.0.1", devices=1)
    found = survey_hosts([host], Request(), site.reach)["node-001"]
    assert isinstance(found, HostReport)
    assert (found.npus, found.device_nodes) == ((), ())


def test_each_host_fails_by_itself_and_within_the_budget(tmp_path: Path) -> None:
    site = Site(tmp_path / "site", hosts=4)
    site.hosts[1].state.reach = "unreachable"
    site.hosts[2].state.reach = "hangs"
    site.hosts[3].state.absent = ("python3",)
    found = survey_hosts(site.cluster().hosts, Request(), site.reach, 8)
    assert isinstance(found["node-001"], HostReport)
    assert isinstance(found["node-002"], InfrastructureError)
    assert "no route" in str(found["node-002"])
    assert isinstance(found["node-003"], InfrastructureError)
    assert "did not answer" in str(found["node-003"])
    assert isinstance(found["node-004"], HostReport)  # a python3 that does not work is passed over for another


class _Talks:
    """A host whose shell answers something else than the probe does."""

    def __init__(self, said: bytes) -> None:
        self._said = said

    def run(self, argv: Sequence[str], *, input: bytes = b"", timeout: float) -> Answer:
        return Answer(0, self._said)

    def close(self) -> None:
        pass


@pytest.mark.parametrize(
    "said", [b"", b"\xff\xfe\n", b'{"begun": 1}\n', b'{"begun": "x", "ended": [], "architecture": 3}\n', b'{"begun\n']
)
def test_an_answer_that_is_not_the_probes_is_an_error_of_that_host(said: bytes) -> None:
    host = Host(name="node-001", address="10.0.0.1", devices=1)
    found = survey_hosts([host], Request(), lambda _: _Talks(said))["node-001"]
    assert isinstance(found, InfrastructureError)
    assert "could not be asked" in str(found)


def test_thirty_two_hosts_are_asked_at_once(tmp_path: Path) -> None:
    site = Site(tmp_path / "site", hosts=32)
    found = survey_hosts(site.cluster().hosts, Request(level=Level.FAST), site.reach, 60)
    assert all(isinstance(one, HostReport) and len(one.npus) == 8 and not one.unread for one in found.values())


def test_no_hosts_are_no_reports(site: Site) -> None:
    assert survey_hosts([], Request(), site.reach) == {}


def test_a_host_that_does_not_say_what_interfaces_it_has_has_none_that_are_known() -> None:
    assert "127.0.0.1" in interfaces_of(ThisMachine(), sys.executable, 30)["lo"]

    class Silent(ThisMachine):
        def run(self, argv: Sequence[str], *, input: bytes = b"", timeout: float) -> Answer:
            return Answer(127, b"", b"no python3 on this host")

    assert interfaces_of(Silent(), None, 30) == {}
