"""Hosts by pattern, presets, defaults, spares and exclusions: what a cluster file comes to, or why it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.errors import SpecError
from launcher.specs import Cluster, load_cluster
from launcher.specs.servers import SERVERS

A2 = "name: lab\nserver: atlas-800t-a2\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "c.yaml"


def read(file: Path, text: str) -> Cluster:
    file.write_text(text)
    return load_cluster(file)


def refusal(file: Path, text: str) -> str:
    with pytest.raises(SpecError) as caught:
        read(file, text)
    return str(caught.value)


def ips(cluster: Cluster, host: int) -> list[str | None]:
    return [device.ip for device in cluster.hosts[host].device_list]


def test_a_pattern_makes_a_host_of_each_name(file: Path) -> None:
    cluster = read(file, A2 + "hosts:\n  - node[001-003]\n  - gpu1,gpu2\n")
    assert [host.name for host in cluster.hosts] == ["node001", "node002", "node003", "gpu1", "gpu2"]
    assert [host.address for host in cluster.hosts] == [host.name for host in cluster.hosts]
    assert cluster.device_count == 40


def test_names_and_addresses_count_together(file: Path) -> None:
    cluster = read(file, A2 + 'hosts: [{name: "node[01-03]", address: "10.0.0.[9-11]"}]\n')
    assert [(host.name, host.address) for host in cluster.hosts] == [
        ("node01", "10.0.0.9"),
        ("node02", "10.0.0.10"),
        ("node03", "10.0.0.11"),
    ]


def test_device_ips_of_one_host_are_in_order_of_its_devices(file: Path) -> None:
    cluster = read(file, A2 + 'hosts: [{name: a, device_ips: ["192.1.[1-4].6", "192.1.[1-4].7"]}]\n')
    assert ips(cluster, 0) == [f"192.1.{net}.{last}" for last in (6, 7) for net in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    "device_ips",
    [
        '["192.168.[1-2].[11-13]"]',
        '["192.168.1.[11-13]", "192.168.2.[11-13]"]',
        '["192.168.1.[11-12,13]", "192.168.2.[11-13]"]',
    ],
)
def test_device_ips_of_several_hosts_are_device_by_device(file: Path, device_ips: str) -> None:
    cluster = read(file, f'name: x\nsoc: Ascend910B3\nhosts: [{{name: "n[1-3]", device_ips: {device_ips}}}]\n')
    assert [ips(cluster, host) for host in range(3)] == [[f"192.168.{n}.{h}" for n in (1, 2)] for h in (11, 12, 13)]


def test_device_ips_go_to_the_devices_that_are_listed(file: Path) -> None:
    cluster = read(
        file, A2 + 'hosts: [{name: a, devices: [{id: 3}, {id: 5, port: 17000}], device_ips: ["fd00::[1-2]"]}]\n'
    )
    assert [(device.id, device.ip, device.port) for device in cluster.hosts[0].device_list] == [
        (3, "fd00::1", None),
        (5, "fd00::2", 17000),
    ]


DEVICE_IPS = {
    "too few": ('{name: a, device_ips: ["10.0.[1-7].1"]}', "3:31", "stands for 7 addresses, but there are 8 devices"),
    "host by host": (
        '{name: "n[1-2]", device_ips: ["10.0.0.[1-16]"]}',
        "3:39",
        "stands for 16 addresses, but there are 2 hosts: for several hosts write one text a device",
    ),
    "hosts before devices": (
        '{name: "n[1-4]", device_ips: ["10.[1-4].0.[1-8]"]}',
        "3:39",
        "32 addresses, but there are 4",
    ),
    "no address": ('{name: a, device_ips: ["10.0.0.[255-262]"]}', "3:32", "stands for '10.0.0.256', which is no IP"),
    "given twice": (
        "{name: a, devices: [{id: 0, ip: 1.1.1.1}], device_ips: [1.1.1.2]}",
        "3:64",
        "devices that have an ip of their own",
    ),
    "the same again": ('{name: "n[1-2]", device_ips: ["10.0.[1-8].[1,1]"]}', "3:38", "is the ip 10.0.1.1 again"),
}


@pytest.mark.parametrize(("host", "place", "what"), DEVICE_IPS.values(), ids=DEVICE_IPS.keys())
def test_no_device_gets_an_address_by_chance(file: Path, host: str, place: str, what: str) -> None:
    message = refusal(file, f"{A2}hosts: [{host}]\n")
    assert f"{file}:{place}: " in message
    assert what in message


HOSTS = {
    "backwards": ("- node[9-1]", "4:5", "runs backwards"),
    "open": ("- node[1-3", "4:5", "a bracket that is not closed"),
    "too many": ("- node[1-1000000000]", "4:5", "more than the 65536"),
    "too many together": ("- a[1-60000]\n  - b[1-60000]", "5:5", "makes 120000 hosts"),
    "there again": ("- node[1-3]\n  - node2", "5:5", "hosts.1 is the name node2 again, which hosts.0 has"),
    "twice in a pattern": ("- node[1,1]", "4:5", "is the name node1 again"),
    "counts differ": ("- name: n[1-2]\n    address: 10.0.0.[1-3]", "5:14", "3 addresses, but name for 2 hosts"),
    "beyond an address": ("- name: n[1-2]\n    address: 10.0.0.[255-256]", "5:14", "'10.0.0.256', which is no IP"),
    "no name": ('- ""', "4:5", "expected  a host name"),
    "a number": ("- 8", "4:5", "put it in quotes"),
    "in braces": ("- {name: node[1-3]}", "4:16", "such as node[1-3], in quotes"),
    "underscore": ("- my_node", "4:5", "neither an IP address nor a host name"),
    "an address that names no folder": ("- fd00::1", "4:5", "needs a name beside it"),
    "key": ("- {nam: a}", "4:6", "did you mean name?"),
}


@pytest.mark.parametrize(("hosts", "place", "what"), HOSTS.values(), ids=HOSTS.keys())
def test_a_bad_host_list_is_an_error_at_its_place(file: Path, hosts: str, place: str, what: str) -> None:
    message = refusal(file, f"{A2}hosts:\n  {hosts}\n")
    assert f"{file}:{place}: " in message
    assert what in message


def test_a_server_says_chip_and_devices(file: Path) -> None:
    cluster = read(file, "name: x\nserver: atlas-800t-a3\nhosts: [a]\n")
    assert (cluster.soc, cluster.device_count) == ("Ascend910_9391", 16)


def test_what_is_said_beside_a_server_wins(file: Path) -> None:
    cluster = read(file, A2 + "soc: Ascend910B1\nhosts: [{name: a, devices: 4}]\n")
    assert (cluster.soc, cluster.device_count) == ("Ascend910B1", 4)


PRESETS = {
    "unknown": ("server: atlas-800t-a4\nhosts: [a]", "did you mean atlas-800t-a"),
    "far from all": ("server: dgx\nhosts: [a]", "it knows atlas-800-9000, "),
    "several chips": ("server: atlas-850\nhosts: [a]", "comes with several chips: say `soc`"),
    "another chip": ("server: atlas-800t-a2\nsoc: Ascend910A\nhosts: [a]", "has chips of the family Ascend910B"),
    "too many": ("server: atlas-800t-a2\nhosts: [{name: a, devices: 9}]", "atlas-800t-a2 has 8 devices at most"),
    "beyond": ("server: atlas-800-9000-4p\nhosts: [{name: a, devices: [{id: 4}]}]", "go from 0 to 3"),
    "neither": ("hosts: [{name: a, devices: 8}]", "soc is missing: name the chip"),
    "no devices": ("soc: Ascend910B3\nhosts: [a]", "hosts.0 says no devices: add `devices: 8`"),
}


@pytest.mark.parametrize(("text", "what"), PRESETS.values(), ids=PRESETS.keys())
def test_chip_server_and_devices_fit(file: Path, text: str, what: str) -> None:
    assert what in refusal(file, f"name: x\n{text}\n")


@pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS.keys())
def test_every_server_is_sound(server: object) -> None:
    preset = SERVERS[getattr(server, "key", "")]
    assert sorted(device for group in preset.groups for device in group) == list(range(preset.devices))
    assert set(preset.distributed_sizes) <= set(preset.sizes) <= set(range(1, preset.devices + 1))


def test_a_host_overrides_the_defaults_key_by_key(file: Path) -> None:
    cluster = read(
        file,
        A2
        + "defaults: {devices: 4, super_pod: p0, python: /opt/py}\n"
        + "ssh: {user: train, port: 22}\ncann: /cann\ncontainer: {image: i, runtime: ascend}\n"
        + "hosts:\n  - a\n"
        + "  - {name: b, devices: 2, super_pod: p1, ssh: {port: 2222}, cann: /other, container: {image: j}}\n",
    )
    a, b = cluster.hosts
    assert (a.devices, a.super_pod, a.python, a.cann) == (4, "p0", "/opt/py", "/cann")
    assert (b.devices, b.super_pod, b.python, b.cann) == (2, "p1", "/opt/py", "/other")
    assert a.ssh is not None and (a.ssh.user, a.ssh.port) == ("train", 22)
    assert b.ssh is not None and (b.ssh.user, b.ssh.port) == ("train", 2222)
    assert b.container is not None and (b.container.image, b.container.runtime.value) == ("j", "ascend")


def test_a_container_of_one_host_needs_an_image_only_where_the_cluster_has_none(file: Path) -> None:
    host = A2 + "hosts: [{name: a, container: {shm_size: 1 GB}}]\n"
    (a,) = read(file, host + "container: {image: i, runtime: ascend}\n").hosts
    assert a.container is not None
    assert (a.container.image, a.container.runtime.value, a.container.shm_size) == ("i", "ascend", 1 << 30)
    assert f"{file}:3:30: hosts.0.container.image is missing: no container beside" in refusal(file, host)


def test_what_holds_for_all_is_said_once(file: Path) -> None:
    message = refusal(file, A2 + "hosts: [a]\nssh: {user: a}\ndefaults: {ssh: {user: b}}\n")
    assert f"{file}:5:17: defaults.ssh is given a second time" in message


def test_spares_come_last_and_say_so(file: Path) -> None:
    cluster = read(file, A2 + 'hosts: ["n[1-4]", {name: x, spare: true}, y]\nspares: ["n[1-2]"]\n')
    assert [(host.name, host.spare) for host in cluster.hosts] == [
        ("n3", False),
        ("n4", False),
        ("y", False),
        ("n1", True),
        ("n2", True),
        ("x", True),
    ]


def test_what_is_excluded_is_not_there(file: Path) -> None:
    cluster = read(
        file,
        A2
        + 'hosts: ["n[1-4]"]\n'
        + 'exclude: [n1, {host: "n[2-3]", devices: [0, 7]}, {host: n3, devices: [1, 2, 3, 4, 5, 6]}]\n',
    )
    assert [(host.name, [device.id for device in host.device_list]) for host in cluster.hosts] == [
        ("n2", [1, 2, 3, 4, 5, 6]),
        ("n4", [0, 1, 2, 3, 4, 5, 6, 7]),
    ]


NAMED = {
    "spare": ("spares: [node4]", "4:10", "spares.0 is node4, which is no host of the cluster; did you mean node3?"),
    "far": ("spares: [x]", "4:10", "the first of them is node1"),
    "exclusion": ("exclude: [node4]", "4:11", "exclude.0 is node4"),
    "pattern": ('exclude: ["node[2-5]"]', "4:11", "exclude.0 names node4"),
    "host of devices": ("exclude: [{host: node9, devices: [1]}]", "4:18", "exclude.0.host is node9"),
    "device": ("exclude: [{host: node1, devices: [1, 8]}]", "4:38", "is 8, a device that host node1 does not have"),
    "all": ('exclude: ["node[1-3]"]', "4:10", "exclude leaves no host"),
}


@pytest.mark.parametrize(("line", "place", "what"), NAMED.values(), ids=NAMED.keys())
def test_spares_and_exclusions_name_hosts(file: Path, line: str, place: str, what: str) -> None:
    message = refusal(file, f'{A2}hosts: ["node[1-3]"]\n{line}\n')
    assert f"{file}:{place}: " in message
    assert what in message


def test_containers_of_one_machine_share_its_name_but_no_device(file: Path) -> None:
    hosts = [f"  - {{name: c{n}, address: 10.0.0.{n}, server_id: m, devices: [{{id: {n}}}]}}" for n in (1, 2)]
    cluster = read(file, A2 + "\n".join(["hosts:", *hosts, ""]))
    assert {host.machine for host in cluster.hosts} == {"m"}
    message = refusal(file, A2 + "\n".join(["hosts:", *hosts, "  - {name: c3, server_id: m, devices: 2}", ""]))
    assert "is the id 1 again, which device 1 of host c1 has" in message


def test_an_sdid_is_there_once_in_a_super_pod(file: Path) -> None:
    def text(pod: str) -> str:
        hosts = [
            f'  - {{name: {n}, super_pod: "{p}", devices: [{{id: 0, super_device_id: "7"}}]}}'
            for n, p in (("a", "0"), ("b", pod))
        ]
        return "\n".join(["name: x\nserver: atlas-900-a3-superpod\nhosts:", *hosts, ""])

    assert read(file, text("1")).device_count == 2
    assert "is the super_device_id 7 again" in refusal(file, text("0"))


def test_the_large_example_has_what_it_says() -> None:
    cluster = load_cluster(Path(__file__).parents[2] / "clusters/atlas800t_a2_64.yaml")
    assert (len(cluster.hosts), cluster.device_count) == (63, 63 * 8 - 1)
    assert [host.name for host in cluster.hosts if host.spare] == ["node061", "node062", "node063", "node064"]
    first, last = cluster.hosts[0], cluster.hosts[-1]
    assert (first.device_list[0].ip, last.device_list[7].ip) == ("192.168.1.11", "192.168.8.74")


def test_the_super_pod_example_tells_every_sdid() -> None:
    cluster = load_cluster(Path(__file__).parents[2] / "clusters/a3_superpod.yaml")
    assert {host.super_pod for host in cluster.hosts} == {"0"}
    assert all(device.super_device_id for host in cluster.hosts for device in host.device_list)
    assert cluster.device_count == 32
