"""What a cluster may say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from launcher.errors import SpecError
from launcher.specs import Cluster, dump_yaml, load_cluster

HOST = "{name: a, address: 10.0.0.1, devices: 8}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "c.yaml"


def read(file: Path, *hosts: str, soc: str = "Ascend910B3", more: str = "") -> Cluster:
    file.write_text("\n".join([f"name: lab\nsoc: {soc}\nhosts:", *(f"  - {host}" for host in hosts), more]))
    return load_cluster(file)


def refusal(file: Path, *hosts: str, **more: Any) -> str:
    with pytest.raises(SpecError) as caught:
        read(file, *hosts, **more)
    return str(caught.value)


def test_a_number_of_devices_stands_for_their_ids(file: Path) -> None:
    assert [device.id for device in read(file, HOST).hosts[0].device_list] == [0, 1, 2, 3, 4, 5, 6, 7]


def test_a_list_may_have_ids_alone(file: Path) -> None:
    (host,) = read(file, "{name: a, address: 10.0.0.1, devices: [4, 0, {id: 5, ip: 1.1.1.1}]}").hosts
    assert [(device.id, device.ip) for device in host.device_list] == [(0, None), (4, None), (5, "1.1.1.1")]
    message = refusal(file, "{name: a, address: 10.0.0.1, devices: [0, x]}")
    assert "hosts.0.devices.1 is 'x'" in message
    assert "expected  a device id, or a mapping with id and ip" in message


def test_devices_are_in_order_of_their_ids(file: Path) -> None:
    cluster = read(file, "{name: a, address: 10.0.0.1, devices: [{id: 5}, {id: 2}]}")
    assert [device.id for device in cluster.hosts[0].device_list] == [2, 5]
    assert cluster.device_count == 2


@pytest.mark.parametrize("soc", ["CPU", "Ascend910A", "Ascend910B4-1", "Ascend910_9391", "Ascend310P3", "Ascend910C7"])
def test_a_chip_is_known_or_has_the_name_of_one(file: Path, soc: str) -> None:
    assert read(file, "{name: a, address: 10.0.0.1, devices: 1}", soc=soc).soc == soc


@pytest.mark.parametrize(
    ("soc", "meant"),
    [("ascend910b3", "Ascend910B3"), ("910b3", "Ascend910B3"), ("Acsend910A", "Ascend910A"), ("cpu", "CPU")],
)
def test_a_mistyped_chip_names_the_nearest(file: Path, soc: str, meant: str) -> None:
    message = refusal(file, HOST, soc=soc)
    assert f"{file}:2:6: soc is '{soc}'" in message
    assert f"did you mean {meant}?" in message


def test_what_people_call_910b_is_no_chip_that_anyone_could_guess(file: Path) -> None:
    assert "did you mean" not in refusal(file, HOST, soc="910B")


@pytest.mark.parametrize("address", ["10.0.0.1", "fd00::1", "node-1", "node-1.lab.example"])
def test_an_address_is_an_ip_or_a_host_name(file: Path, address: str) -> None:
    assert read(file, f"{{name: a, address: '{address}', devices: 1}}").hosts[0].address == address


@pytest.mark.parametrize("address", ["10.0.0.300", "10.0.0", "-a", "a_b", "a b", "fe80::1%eth0", "", "x" * 65])
def test_anything_else_is_no_address(file: Path, address: str) -> None:
    message = refusal(file, f"{{name: a, address: '{address}', devices: 1}}")
    assert "an IPv4 or IPv6 address, or a host name" in message


TWICE = {
    "name": ("{name: A, address: 10.0.0.2, devices: 1}", "hosts.1.name is the name A again, which hosts.0.name has"),
    "address": ("{name: b, address: 10.0.0.1, devices: 1}", "hosts.1.address is the address 10.0.0.1 again"),
    "id": (
        "{name: b, address: 10.0.0.2, devices: [{id: 1}, {id: 1}]}",
        "is the id 1 again, which device 1 of host b has",
    ),
    "ip": (
        "{name: b, address: 10.0.0.2, devices: [{id: 0, ip: 1.1.1.1}, {id: 1, ip: 1.1.1.1}]}",
        "is the ip 1.1.1.1 again",
    ),
    "same ip": (
        "{name: b, address: h, devices: [{id: 0, ip: 'fd::1'}, {id: 1, ip: 'fd:0::1'}]}",
        "is the ip fd:0::1 again",
    ),
}


@pytest.mark.parametrize(("host", "what"), TWICE.values(), ids=TWICE.keys())
def test_nothing_is_there_twice(file: Path, host: str, what: str) -> None:
    message = refusal(file, HOST, host)
    assert message.startswith(f"{file}:5:")
    assert what in message


def test_device_ips_are_of_one_family(file: Path) -> None:
    message = refusal(file, "{name: a, address: h, devices: [{id: 0, ip: 1.1.1.1}, {id: 1, ip: 'fd::1'}]}")
    assert "HCCL wants all IPv4 or all IPv6" in message


def test_device_ids_fit_the_chip(file: Path) -> None:
    message = refusal(file, "{name: a, address: h, devices: [{id: 16}]}")
    assert "hosts.0.devices.0.id is 16, but device ids of Ascend910B3 go from 0 to 15" in message
    assert read(file, "{name: a, address: h, devices: 64}", soc="CPU").device_count == 64


@pytest.mark.parametrize("devices", ["0", "-1", "eight", "[]", "true"])
def test_a_host_has_devices(file: Path, devices: str) -> None:
    message = refusal(file, f"{{name: a, address: h, devices: {devices}}}")
    assert "hosts.0.devices is " in message
    assert "a list of devices" in message


def test_a_host_name_names_a_folder(file: Path) -> None:
    assert "cannot name a folder" in refusal(file, "{name: ../x, address: h, devices: 1}")


def test_a_cluster_without_hosts_is_refused(file: Path) -> None:
    file.write_text("name: lab\nsoc: CPU\nhosts: []\n")
    with pytest.raises(SpecError, match="hosts is an empty list"):
        load_cluster(file)


@pytest.mark.parametrize("path", sorted(Path(__file__).parents[2].glob("clusters/*.yaml")), ids=lambda path: path.name)
def test_the_examples_are_sound_and_read_back(path: Path, file: Path) -> None:
    cluster = load_cluster(path)
    file.write_text(dump_yaml(cluster))
    assert load_cluster(file) == cluster
