"""The answers of hccn_tool mean what a person reads in them."""

from __future__ import annotations

import pytest

from launcher.hosts.reading.hccn_tool import (
    Optical,
    PortAddress,
    read_ip,
    read_link,
    read_net_health,
    read_optical,
    read_tls,
)
from launcher.hosts.report import Unread
from tests.hosts.reading.samples import sample


def test_address_link_and_health_are_read() -> None:
    assert read_ip(sample("hccn_tool/ip.txt")) == PortAddress("192.161.200.10", "255.255.255.0")
    assert read_link(sample("hccn_tool/link_up.txt")) is True
    assert read_link(sample("hccn_tool/link_down.txt")) is False
    assert read_net_health(sample("hccn_tool/net_health.txt")) == "Success"
    assert read_net_health(sample("hccn_tool/net_health_timeout.txt")) == "Receive timeout"


def test_an_address_that_is_not_set_is_none_and_one_that_is_no_address_is_reported() -> None:
    assert read_ip("") == PortAddress(None, None)
    assert read_ip("ipaddr:fd00::7\nnetmask:64\n") == PortAddress("fd00::7", "64")
    found = read_ip("ipaddr:192.168.1\nnetmask:255.255.255.0\n")
    assert isinstance(found, Unread)
    assert "192.168.1" in found.text


@pytest.mark.parametrize("switch", [False, True])
def test_tls_is_its_switch_and_not_another_number_of_the_line(switch: bool) -> None:
    assert read_tls(sample("hccn_tool/tls.txt").replace("switch[0]", f"switch[{int(switch)}]")) is switch


def test_answers_that_contradict_themselves_are_reported() -> None:
    assert isinstance(read_link("link status: UP\nlink status: DOWN\n"), Unread)
    assert isinstance(read_net_health("net health status: Success\nnet health status: Fault\n"), Unread)
    assert isinstance(read_ip("ipaddr:10.0.0.1\nnetmask:255.255.255.0\nipaddr:10.0.0.2\n"), Unread)


def test_a_lane_that_tells_no_milliwatts_has_no_power_and_the_others_keep_their_numbers() -> None:
    text = sample("hccn_tool/optical.txt").replace("1.0098 mW", "NA").replace("1.0204 mW", "-3.1 dBm")
    found = read_optical(text)
    assert isinstance(found, Optical)
    assert (list(found.tx_power), list(found.rx_power)) == ([0, 1, 3], [1, 2, 3])


def test_the_optical_module_has_its_lanes_by_number() -> None:
    found = read_optical(sample("hccn_tool/optical.txt"))
    assert isinstance(found, Optical)
    assert (found.present, found.temperature, found.vendor) == (True, 47.0, "HG GENUINE")
    assert found.tx_power[0] == 4.4035
    assert found.rx_power == {0: 1.0204, 1: 0.9911, 2: 1.1043, 3: 0.0}
    assert (found.tx_loss, found.rx_loss) == ("0x0", "0xff")
    assert read_optical(sample("hccn_tool/optical_absent.txt")) == Optical(present=False)
    assert isinstance(read_optical(sample("hccn_tool/optical_unreachable.txt")), Unread)


@pytest.mark.parametrize("read", [read_ip, read_link, read_net_health, read_tls, read_optical])
def test_what_is_not_understood_is_reported_with_its_text(read) -> None:  # type: ignore[no-untyped-def]
    found = read("hccn_tool is busy, please try again later\n")
    assert isinstance(found, Unread)
    assert "busy" in found.text
