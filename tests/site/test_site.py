"""The simulated site answers as real hosts do: what reads the ones reads the other."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.hosts.reading.hccn_tool import PortAddress, read_ip, read_link, read_optical, read_tls
from launcher.hosts.reading.npu_smi_fields import board_soc, read_board, read_chips, read_health, read_super_pod
from launcher.hosts.reading.npu_smi_info import Info, read_info
from launcher.hosts.reading.npu_smi_mapping import read_list, read_mapping
from launcher.hosts.reading.npu_smi_topology import Topology, read_topology
from launcher.hosts.report import Health, Unread
from launcher.specs import Cluster, dump_yaml, load_cluster
from tests.hosts.reading.samples import sample
from tests.site import Process, SimulatedHost, Site
from tests.site.chips import CHIPS


def say(host: SimulatedHost, command: str) -> str:
    """What a tool of the host prints."""
    environment = {**os.environ, **host.environment}
    return subprocess.run(command.split(), env=environment, capture_output=True, text=True).stdout


@pytest.fixture
def host(tmp_path: Path) -> SimulatedHost:
    return Site(tmp_path / "site").hosts[0]


LAYOUTS = [*((chip, None) for chip in CHIPS), ("910A", "20.2.2.spc001"), ("910B3", "26.0.rc1"), ("910C", "26.0.rc1")]


@pytest.mark.parametrize(("chip", "driver"), LAYOUTS)
def test_every_chip_and_layout_is_read_whole(tmp_path: Path, chip: str, driver: str | None) -> None:
    host = Site(tmp_path / "site", chip=chip, **({"driver": driver} if driver else {})).hosts[0]
    kind, state = CHIPS[chip], host.state
    count = kind.cards * kind.chips

    found = read_info(say(host, "npu-smi info"))
    assert isinstance(found, Info)
    assert (found.unread, found.driver) == ((), state.driver)
    assert [(one.card, one.chip, one.name, one.health) for one in found.chips] == [
        (device.card, device.chip, kind.name, Health.OK) for device in state.devices
    ]
    assert {one.hbm for one in found.chips} == {(kind.idle_hbm, kind.hbm)}

    mapping = read_mapping(say(host, "npu-smi info -m"))
    assert not isinstance(mapping, Unread)
    assert len(mapping) == count
    cards = read_list(say(host, "npu-smi info -l"))
    assert not isinstance(cards, Unread)
    assert len(cards) == kind.cards
    topology = read_topology(say(host, "npu-smi info -t topo"))
    assert isinstance(topology, Topology)
    assert set(topology.links) == set(range(count))
    assert set(topology.cpus) == (set(range(count)) if kind.chips == 1 else set())
    for what in ("usages", "memory", "common"):
        chips = read_chips(say(host, f"npu-smi info -t {what} -i 1"), what)
        assert not isinstance(chips, Unread)
        assert [one["Chip ID"] for one in chips] == [str(number) for number in range(kind.chips)]
    board = read_board(say(host, "npu-smi info -t board -i 0 -c 0"))
    assert not isinstance(board, Unread)
    assert board_soc(board) == kind.soc
    if kind.chips == 2:
        assert not isinstance(read_super_pod(say(host, "npu-smi info -t spod-info -i 1 -c 1")), Unread)


@pytest.mark.parametrize(
    ("chip", "driver"),
    [("910A", "20.2.2.spc001"), ("910A", "21.0.4"), ("910B3", "23.0.7"), ("910C", "24.1.rc3"), ("910C", "26.0.rc1")],
)
def test_heads_and_rules_are_to_the_letter_those_that_were_captured(tmp_path: Path, chip: str, driver: str) -> None:
    capture = sample(f"npu_smi/info_{chip}_{driver.removesuffix('.spc001')}.txt").splitlines()
    heads = [line for line in capture if not re.match(r"\| *\d", line)]
    host = Site(tmp_path / "site", chip=chip, driver=driver).hosts[0]
    assert set(heads) <= set(say(host, "npu-smi info").splitlines())


def test_the_devices_answer_as_their_state_says(host: SimulatedHost) -> None:
    with host.changing():
        host.device(3).link = "DOWN"
        host.device(3).tls = True
        host.device(3).ip = None
        host.device(3).health, host.device(3).error_codes = "Alarm", ("8C084E00",)
        host.device(4).processes = (Process(4242, "python3", 50000),)
    assert read_link(say(host, "hccn_tool -i 3 -link -g")) is False
    assert read_link(say(host, "hccn_tool -i 2 -link -g")) is True
    assert read_tls(say(host, "hccn_tool -i 3 -tls -g")) is True
    assert read_ip(say(host, "hccn_tool -i 3 -ip -g")) == PortAddress(None, None)
    assert not isinstance(read_optical(say(host, "hccn_tool -i 3 -optical -g")), Unread)
    health = read_health(say(host, "npu-smi info -i 3 -c 0 -t health"))
    assert not isinstance(health, Unread)
    assert (health.status, health.codes) == (Health.ALARM, ("8C084E00",))
    found = read_info(say(host, "npu-smi info"))
    assert isinstance(found, Info)
    assert [(card, process.pid) for card, _, process in found.processes] == [(4, 4242)]
    assert (host.root / "proc/4242/fd/13").readlink() == Path("/dev/davinci4")
    host.device(4).processes = ()
    assert not (host.root / "proc/4242/fd/13").is_symlink()


def test_a_wrong_id_is_answered_as_npu_smi_does(host: SimulatedHost) -> None:
    assert say(host, "npu-smi info -t usages -i 99").startswith("Invalid card id.\n")
    assert say(host, "npu-smi nonsense").startswith("Invalid card id.\n")
    assert isinstance(read_ip(say(host, "hccn_tool -i 99 -ip -g")), Unread)


def test_the_order_of_options_does_not_matter(host: SimulatedHost) -> None:
    wanted = say(host, "npu-smi info -t board -i 0 -c 0")
    assert "910B3" in wanted
    assert say(host, "npu-smi info -c 0 -i 0 -t board") == wanted


def test_any_answer_can_be_replaced(host: SimulatedHost) -> None:
    host.answer("hccn_tool -i 0 -ip -g", "it's 100%\n", code=3)
    environment = {**os.environ, **host.environment}
    done = subprocess.run(["hccn_tool", "-i", "0", "-ip", "-g"], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (3, "it's 100%\n")


def test_a_state_that_is_edited_by_hand_takes_effect(host: SimulatedHost) -> None:
    path = host.folder / "state.json"
    state = json.loads(path.read_text())
    state["devices"][0]["link"] = "DOWN"
    path.write_text(json.dumps(state))
    assert say(host, "hccn_tool -i 0 -link -g") == "link status: DOWN\n"


def test_a_name_that_no_state_has_is_refused(host: SimulatedHost) -> None:
    with pytest.raises(AttributeError, match="helth"):
        host.device(0).helth = "Alarm"


def test_a_site_that_is_opened_again_is_as_it_was_left(tmp_path: Path) -> None:
    Site(tmp_path, hosts=2).host("node-002").device(1).ip = "10.9.9.9"
    assert Site(tmp_path, hosts=2).host("node-002").device(1).ip == "10.9.9.9"


@pytest.mark.parametrize("chip", ["910A", "910B3", "910C"])
def test_the_cluster_of_a_site_is_one_that_loads(tmp_path: Path, chip: str) -> None:
    cluster = Site(tmp_path / "site", hosts=3, chip=chip).cluster()
    path = tmp_path / "cluster.yaml"
    path.write_text(dump_yaml(cluster))
    assert isinstance(load_cluster(path), Cluster)


def test_a_site_can_be_made_by_hand(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.site", str(tmp_path / "site"), "--hosts", "2", "--chip", "910A"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert f"export PATH={tmp_path}/site/node-001/bin:$PATH" in done.stdout
    assert (tmp_path / "site/node-002/bin/npu-smi").is_file()
