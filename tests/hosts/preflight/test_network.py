"""Devices of several hosts have to reach each other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from launcher.hosts.preflight.finding import Severity
from launcher.hosts.preflight.network import check_network
from launcher.hosts.report import HostReport, Port
from launcher.specs import Framework
from tests.hosts.preflight.reports import NAMES, cluster, npu, only, recipe, report, subject, with_ip, with_npu

SOUND = Port("192.168.0.8", "255.255.255.0", True, "Success", False)


def pair(**changes: object) -> list[HostReport]:
    """Two hosts of one device each, of which the second's port is changed."""
    port = replace(SOUND, ip="192.168.0.9")
    second = report("node-b", npus=(npu(0, port=replace(port, **changes)),), device_nodes=(0,))  # type: ignore[arg-type]
    return [report("node-a", npus=(npu(0, port=SOUND),), device_nodes=(0,)), second]


def test_a_sound_network_is_not_spoken_of() -> None:
    assert not list(check_network(subject(pair())))


def test_an_address_that_is_not_the_devices_is_refused_as_hccl_would() -> None:
    of = with_ip(cluster(devices=1), 0, "192.168.0.77")
    finding = only(check_network, subject([report(devices=1, hccn_conf={0: "192.168.0.8"})], of))
    assert (finding.severity, finding.device) == (Severity.REFUSE, 0)
    assert "192.168.0.8" in finding.seen
    assert "hccn.conf says so too" in finding.seen
    assert "192.168.0.77" in finding.expected
    assert "EI0014" in finding.expected
    assert "hccn_tool -i 0 -ip -s address 192.168.0.77" in finding.command


def test_a_rank_that_is_alone_meets_nobody_at_an_address() -> None:
    of = with_ip(cluster(devices=1), 0, "192.168.0.77")
    alone = recipe(1, framework=Framework.MINDSPORE)
    assert only(check_network, subject([report(devices=1)], of, alone)).severity is Severity.WARN


def test_where_hccn_tool_is_silent_its_file_speaks() -> None:
    of = with_ip(cluster(devices=1), 0, "192.168.0.77")
    silent = report(devices=1, npus=(npu(0, port=None),), hccn_conf={0: "192.168.0.8"})
    finding = only(check_network, subject([silent], of))
    assert finding.severity is Severity.WARN  # the device itself may have another one
    assert "/etc/hccn.conf says 192.168.0.8" in finding.seen


def test_a_file_that_disagrees_with_the_device_is_a_warning() -> None:
    finding = only(check_network, subject([report(devices=1, hccn_conf={0: "192.168.0.9"})]))
    assert finding.severity is Severity.WARN
    assert "when the host starts again" in finding.expected


def test_an_address_may_be_spelled_otherwise() -> None:
    of = with_ip(cluster(devices=1), 0, "2001:db8::8")
    same = npu(0, port=replace(SOUND, ip="2001:0db8:0:0:0:0:0:8", netmask="64"))
    assert not list(check_network(subject([report(devices=1, npus=(same,))], of)))


def test_a_device_without_an_address_matters_between_hosts_only() -> None:
    of = with_ip(cluster(2, 1), 0, None)
    found = subject([report("node-a", npus=(npu(0, port=replace(SOUND, ip=None)),), device_nodes=(0,)), pair()[1]], of)
    assert only(check_network, found).severity is Severity.WARN
    assert not list(check_network(subject([report(npus=(npu(0, port=replace(SOUND, ip=None)),), device_nodes=(0,))])))


def test_a_link_that_is_down_is_refused_between_hosts_only() -> None:
    finding = only(check_network, subject(pair(link=False, health="Fault")))
    assert (finding.severity, finding.host, finding.device) == (Severity.REFUSE, "node-b", 0)
    assert "hccn_tool -i 0 -link_stat -g" in finding.command
    assert not list(check_network(subject([with_npu(report(), 0, port=replace(SOUND, link=False))])))


def test_a_plain_job_may_run_without_links() -> None:
    assert only(check_network, subject(pair(link=False), cluster(2, 1), recipe(2))).severity is Severity.WARN


def test_within_a_super_pod_hosts_meet_without_links() -> None:
    of = cluster(2, 1)
    pod = of.model_copy(update={"hosts": tuple(host.model_copy(update={"super_pod": "0"}) for host in of.hosts)})
    finding = only(check_network, subject(pair(link=False), pod))
    assert finding.severity is Severity.WARN
    assert "HCCS" in finding.expected


@pytest.mark.parametrize("health", ["Fault", "Init", "Receive timeout", "Socket failed", "Unreachable"])
def test_a_net_health_that_is_no_success_is_a_warning(health: str) -> None:
    finding = only(check_network, subject(pair(health=health)))
    assert finding.severity is Severity.WARN
    assert health in finding.seen


def test_what_was_not_asked_is_not_judged() -> None:
    assert not list(check_network(subject(pair(link=None, health=None, tls=None, netmask=None))))


def test_tls_is_the_same_on_all_devices_and_the_majority_wins() -> None:
    reports = [*pair(), report("node-c", npus=(npu(0, port=replace(SOUND, ip="192.168.0.10", tls=True)),))]
    finding = only(check_network, subject(reports, cluster(3, 1)))
    assert (finding.severity, finding.host) == (Severity.REFUSE, "node-c")
    assert "TLS is on" in finding.seen
    assert "2 of 3" in finding.expected
    assert finding.command == "hccn_tool -i 0 -tls -s enable 0"


def test_what_the_jobs_devices_agree_on_counts_and_not_what_most_of_the_cluster_has() -> None:
    ips = ("192.168.0.8", "192.168.0.9", "192.168.0.10")
    reports = [
        report(name, npus=(npu(0, port=replace(SOUND, ip=ip, tls=name == "node-a")),), device_nodes=(0,))
        for name, ip in zip(NAMES, ips, strict=True)
    ]
    job = recipe(1, framework=Framework.MINDSPORE)
    assert not list(check_network(subject(reports, cluster(3, 1), job)))
    job = recipe(2, framework=Framework.MINDSPORE)
    assert [f.host for f in check_network(subject(reports, cluster(3, 1), job))] == ["node-a"]


def test_of_two_the_one_with_tls_is_odd() -> None:
    assert only(check_network, subject(pair(tls=True))).host == "node-b"


def test_cards_of_one_number_in_several_subnets_are_a_warning() -> None:
    finding = only(check_network, subject(pair(netmask="255.255.255.248"), cluster(2, 1)))
    assert finding.severity is Severity.WARN
    assert "192.168.0.8/29" in finding.seen
    assert "192.168.0.0/24" in finding.expected
    assert "router" in finding.expected


def test_a_netmask_that_is_none_says_nothing_of_subnets() -> None:
    assert not list(check_network(subject(pair(netmask="x"))))
