"""Files of a host mean what they say."""

from __future__ import annotations

import pytest

from launcher.hosts.reading.device_nodes import node_ids
from launcher.hosts.reading.hccn_conf import read_hccn_conf
from launcher.hosts.reading.machine import count_cpus, read_addresses, read_limits, read_memory
from launcher.hosts.reading.ranges import read_ranges
from launcher.hosts.reading.versions import read_version
from launcher.hosts.report import Package, Unread
from tests.hosts.reading.samples import sample


def test_hccn_conf_gives_each_device_its_address() -> None:
    assert read_hccn_conf(sample("ascend_files/hccn.conf")) == ({0: "192.168.10.11", 1: "192.168.20.11"}, ())
    text = "address_0=10.0.0.1\r\n# address_1=10.0.0.2\r\n address_2 = fe80::1 \r\ngateway_0=10.0.0.254\r\n"
    assert read_hccn_conf(text) == ({0: "10.0.0.1", 2: "fe80::1"}, ())


def test_a_line_of_hccn_conf_that_is_no_address_is_named_with_its_number() -> None:
    found, unread = read_hccn_conf("address_0=10.0.0.1\naddress_1=10.0.0\naddress_0=10.0.0.9\n")
    assert found == {}
    assert [entry.source for entry in unread] == ["/etc/hccn.conf:2", "/etc/hccn.conf:3"]


def test_versions_are_read_with_the_ranges_of_their_counterparts() -> None:
    driver = read_version(sample("ascend_files/driver_version.info"), "/d")
    assert driver == Package("24.1.rc1", "/d", ("[7.0.0,7.2.99]",))
    firmware = read_version(sample("ascend_files/firmware_version.info"), "/f")
    assert firmware == Package("7.1.0.11.220", "/f", ("[23.0.rc3,23.0.rc3.]", "[23.0.0,23.0.0.]"))
    assert read_version(sample("ascend_files/ascend_toolkit_install.info"), "/c") == Package("8.5.0", "/c")
    assert read_version(sample("ascend_files/ascend_nnae_install.info"), "/n") == Package("8.0.RC3", "/n")


@pytest.mark.parametrize("text", ["", "Version=\n", "Version=a b\n", "\0\0", "版本=1.0\n"])
def test_a_file_without_a_version_is_reported(text: str) -> None:
    assert isinstance(read_version(text, "/version.info"), Unread)


def test_device_nodes_are_ordered_by_number_and_managers_are_none() -> None:
    names = ("davinci10", "/dev/davinci9", "davinci1", "davinci_manager", "vdavinci3", "null", "/dev/davinci1")
    assert node_ids(names) == (1, 9, 10)


def test_limits_are_the_soft_ones_and_unlimited_is_none() -> None:
    text = (
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max open files            1024                 524288               files     \n"
        "Max locked memory         unlimited            unlimited            bytes     \n"
    )
    assert read_limits(text) == {"nofile": 1024, "memlock": None}


def test_addresses_are_the_outward_ones() -> None:
    trie = (
        "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.0.0.0\n        /24 link UNICAST\n     |-- 10.0.0.7\n"
        "        /32 host LOCAL\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 10.0.0.255\n"
        "        /32 link BROADCAST\n"
    )
    inet6 = (
        "00000000000000000000000000000001 01 80 10 80       lo\n"
        "fe8000000000000000fc00fffe000001 04 40 20 80     eth0\n"
        "fd000000000000000000000000000002 04 40 00 82     eth0\n"
    )
    assert read_addresses(trie, inet6) == ("10.0.0.7", "fd00::2")


def test_memory_cpus_and_port_ranges_are_read_or_none() -> None:
    assert read_memory("MemTotal:       16384 kB\n") == 16 * 1024**2
    assert read_memory("") is None
    assert count_cpus("0-3,8\n") == 5
    assert count_cpus("") is None
    assert read_ranges("60000-60015,61000\n") == ((60000, 60015), (61000, 61000))
    assert read_ranges("") == ()
    assert read_ranges("9-3") is None
