"""The interfaces and addresses that cluster and recipe name have to be there on every host."""

from __future__ import annotations

import pytest

from launcher.hosts.preflight.finding import Finding, Severity
from launcher.hosts.preflight.interfaces import check_interfaces, chooser
from launcher.specs import Framework, FrozenMap, Recipe
from tests.hosts.preflight.reports import cluster, only, recipe, refusals, report, subject

HERE = {"lo": ("127.0.0.1", "::1"), "eth0": ("10.0.0.10", "fd00::1"), "eth1": ("192.168.9.1",), "ib0": ()}
THERE = {"lo": ("127.0.0.1",), "enp1": ("10.0.0.11",), "enp2": ("192.168.9.2",)}
REPORTS = (report("node-a", interfaces=HERE), report("node-b", interfaces=THERE))


def job(framework: Framework = Framework.MINDSPORE, **env: str) -> Recipe:
    return recipe(4, framework=framework, env=FrozenMap(env))


def found(**env: str) -> list[Finding]:
    return list(check_interfaces(subject(REPORTS, cluster(2), job(**env))))


def test_hosts_that_have_what_is_named_are_passed_over_in_silence() -> None:
    assert found() == []
    assert found(HCCL_SOCKET_IFNAME="e") == []
    assert found(HCCL_SOCKET_IFNAME="=eth1,enp1") == []
    assert found(HCCL_SOCKET_IFNAME="^docker,lo") == []


def test_an_interface_that_a_host_does_not_have_is_refused_there_with_those_that_it_has() -> None:
    (finding,) = found(HCCL_SOCKET_IFNAME="=eth0")
    assert (finding.severity, finding.host) == (Severity.REFUSE, "node-b")
    assert finding.seen == "HCCL_SOCKET_IFNAME is =eth0, and the host has no such interface"
    assert finding.expected.endswith("of this host: enp1 (10.0.0.11), enp2 (192.168.9.2)")


def test_an_interface_needs_an_address_of_the_family_that_hccl_is_told() -> None:
    (finding,) = found(HCCL_SOCKET_IFNAME="e", HCCL_SOCKET_FAMILY="AF_INET6")
    assert finding.host == "node-b"
    assert {finding.host for finding in found(HCCL_SOCKET_IFNAME="=ib0")} == {"node-a", "node-b"}


def test_an_address_that_a_host_does_not_have_is_refused() -> None:
    (finding,) = found(HCCL_IF_IP="10.0.0.10")
    assert (finding.severity, finding.host) == (Severity.REFUSE, "node-b")
    assert finding.seen == "HCCL_IF_IP is 10.0.0.10, and the host has no such address"


def test_hccl_leaves_names_aside_where_it_is_given_an_address() -> None:
    (finding,) = found(HCCL_IF_IP="10.0.0.11", HCCL_SOCKET_IFNAME="=none")
    assert (finding.host, finding.seen.split()[0]) == ("node-a", "HCCL_IF_IP")


def test_gloo_is_for_pytorch_alone_and_takes_whole_names() -> None:
    assert found(GLOO_SOCKET_IFNAME="nic") == []
    of_torch = job(Framework.PYTORCH, GLOO_SOCKET_IFNAME="eth")
    for name, finding in zip(
        ("node-a", "node-b"), check_interfaces(subject(REPORTS, cluster(2), of_torch)), strict=True
    ):
        assert (finding.severity, finding.host) == (Severity.REFUSE, name)


def test_hccl_means_nothing_on_a_cpu() -> None:
    on_cpu = subject(REPORTS, cluster(2, soc="CPU"), job(HCCL_IF_IP="10.9.9.9"))
    assert list(check_interfaces(on_cpu)) == []


def test_a_host_behind_a_translated_address_is_a_warning() -> None:
    elsewhere = (REPORTS[0], report("node-b", interfaces={"eth0": ("172.16.0.2",)}))
    finding = only(check_interfaces, subject(elsewhere, cluster(2), job()))
    assert (finding.severity, finding.host) == (Severity.WARN, "node-b")
    assert finding.seen == "the host itself does not have its address 10.0.0.11"


def test_the_scheduler_needs_the_address_that_it_is_told_to_listen_at() -> None:
    elsewhere = (report("node-a", interfaces={"eth0": ("172.16.0.1",)}), REPORTS[1])
    finding = only(check_interfaces, subject(elsewhere, cluster(2), job()))
    assert (finding.severity, finding.host) == (Severity.REFUSE, "node-a")
    of_torch = subject(elsewhere, cluster(2), job(Framework.PYTORCH))
    assert only(check_interfaces, of_torch).severity is Severity.WARN


def test_where_no_interface_was_heard_of_nothing_is_said() -> None:
    assert list(check_interfaces(subject([report()], job=recipe(env=FrozenMap({"HCCL_IF_IP": "10.9.9.9"}))))) == []


def test_a_run_is_refused_for_it() -> None:
    refused = refusals(REPORTS, cluster(2), job(HCCL_SOCKET_IFNAME="=enp1"))
    assert [finding.host for finding in refused if finding.seen.startswith("HCCL_SOCKET_IFNAME")] == ["node-a"]


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("eth", {"eth0", "eth1", "eth10"}),
        ("=eth1", {"eth1"}),
        ("^eth", {"lo", "ib0"}),
        ("^=eth1,lo", {"eth0", "eth10", "ib0"}),
        ("ib,lo", {"ib0", "lo"}),
    ],
)
def test_names_are_chosen_as_hccl_chooses_them(text: str, chosen: set[str]) -> None:
    assert set(filter(chooser(text), ("lo", "eth0", "eth1", "eth10", "ib0"))) == chosen
