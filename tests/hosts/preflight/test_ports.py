"""Ports that the job names, or HCCL takes, have to be free and stay so."""

from __future__ import annotations

from launcher.hosts.preflight.finding import Severity
from launcher.hosts.preflight.ports import check_ports, ports_to_ask
from launcher.specs import FrozenMap
from tests.hosts.preflight.reports import cluster, only, recipe, report, subject

RESERVED = ((60000, 60031),)


def base(port: int) -> FrozenMap[str, str]:
    return FrozenMap({"HCCL_IF_BASE_PORT": str(port)})


def test_on_one_machine_a_run_chooses_its_own_ports() -> None:
    assert ports_to_ask(recipe(), cluster()) == ()
    assert not list(check_ports(subject([report(listening=(60000,))], job=recipe())))


def test_several_hosts_are_asked_for_hccls_default() -> None:
    assert ports_to_ask(None, cluster(2)) == tuple(range(60000, 60032))
    assert ports_to_ask(None, cluster(2, soc="CPU")) == ()


def test_ports_that_the_recipe_names_are_asked_for() -> None:
    job = recipe(scheduler_port=8118, env=base(21000))
    assert ports_to_ask(job, cluster()) == (8118, *range(21000, 21032))


def test_a_port_that_is_no_number_is_left_to_those_who_check_the_environment() -> None:
    job = recipe(env=FrozenMap({"HCCL_IF_BASE_PORT": "9" * 5000}))
    assert ports_to_ask(job, cluster()) == ()


def test_a_named_port_that_is_taken_is_refused() -> None:
    finding = only(check_ports, subject([report(listening=(8118,))], job=recipe(scheduler_port=8118)))
    assert finding.severity is Severity.REFUSE
    assert finding.seen == "port 8118 is taken"
    assert "ss -ltnp" in finding.remedy


def test_of_hccls_named_ports_old_releases_take_the_first_sixteen() -> None:
    job = recipe(env=base(21000))
    taken = {port: only(check_ports, subject([report(listening=(port,))], job=job)) for port in (21015, 21016)}
    assert [finding.severity for finding in taken.values()] == [Severity.REFUSE, Severity.WARN]


def test_ranks_meet_on_the_first_host_alone() -> None:
    reports = [report("node-a", reserved_ports=RESERVED), report("node-b", listening=(8118,), reserved_ports=RESERVED)]
    assert not list(check_ports(subject(reports, cluster(2), recipe(4, scheduler_port=8118))))


def test_hccls_default_ports_that_are_taken_are_a_warning() -> None:
    reports = [report("node-a", reserved_ports=RESERVED)]
    reports += [report("node-b", listening=(60001, 60002, 60031), reserved_ports=RESERVED)]
    finding = only(check_ports, subject(reports, cluster(2)))
    assert (finding.severity, finding.host) == (Severity.WARN, "node-b")
    assert finding.seen == "ports 60001-60002,60031 are taken"


def test_ports_that_are_not_reserved_come_with_the_command_that_keeps_what_is() -> None:
    reports = [
        report("node-a", reserved_ports=((8080, 8080), (60000, 60015))),
        report("node-b", reserved_ports=RESERVED),
    ]
    finding = only(check_ports, subject(reports, cluster(2)))
    assert (finding.severity, finding.host) == (Severity.NOTE, "node-a")
    assert finding.remedy == "sysctl -w net.ipv4.ip_local_reserved_ports=8080,60000-60015,60000-60031"


def test_named_ports_that_are_not_reserved_are_a_warning() -> None:
    assert only(check_ports, subject([report()], job=recipe(env=base(61000 - 32)))).severity is Severity.WARN


def test_ports_below_those_of_outgoing_connections_need_no_reservation() -> None:
    assert not list(check_ports(subject([report()], job=recipe(env=base(21000)))))
