"""What all checks together say of a cluster, and of a job on it."""

from __future__ import annotations

from launcher.errors import ExitCode, InfrastructureError, PreflightError
from launcher.hosts.preflight.checks import inspect
from launcher.hosts.preflight.finding import Check, Finding, Severity
from launcher.hosts.preflight.grouping import grouped
from launcher.hosts.preflight.wording import block, host_line, in_one_line, refusal
from launcher.hosts.report import Filesystem, Health, HostReport, Unread
from tests.hosts.preflight.reports import cluster, recipe, report, with_npu

RESERVED = ((60000, 60031),)


def answers(*reports: HostReport) -> dict[str, HostReport]:
    return {one.host: one for one in reports}


def sound(name: str = "node-a") -> HostReport:
    return report(name, reserved_ports=RESERVED)


def test_sound_hosts_stand_in_nobodys_way() -> None:
    verdict = inspect(cluster(2), answers(sound(), sound("node-b")), recipe(4))
    assert verdict.findings == ()
    assert not verdict.refuses


def test_a_host_that_did_not_answer_is_refused_and_the_others_are_looked_at() -> None:
    lost = InfrastructureError("host node-b did not answer within 10 s", remedy="ssh 10.0.0.11 npu-smi info")
    sick = with_npu(sound(), 0, health=Health.ALARM)
    verdict = inspect(cluster(2), {"node-a": sick, "node-b": lost}, recipe(4))
    assert [(f.check, f.host) for f in verdict.findings] == [(Check.REACH, "node-b"), (Check.DEVICES, "node-a")]
    assert verdict.findings[0].remedy == "ssh 10.0.0.11 npu-smi info"


def test_the_host_of_an_error_is_told_once() -> None:
    lost = InfrastructureError("10.0.0.11 port 22 refused the connection", where="host node-b, connect")
    (finding,) = inspect(cluster(2), {"node-a": sound(), "node-b": lost}, recipe(4)).findings
    assert (finding.host, finding.seen) == ("node-b", "10.0.0.11 port 22 refused the connection")


def test_refusals_come_first_then_checks_hosts_and_devices_in_order() -> None:
    one = with_npu(with_npu(sound(), 1, health=Health.ALARM), 0, health=Health.ALARM)
    one = with_npu(one, 0, error_codes=("1",))
    other = report("node-b", filesystems=(Filesystem("/runs", 100, 0),), unread=(Unread("x", "y"),))
    found = inspect(cluster(2), answers(other, one), recipe(4)).findings
    places = [(f.severity, f.check, f.host, f.device) for f in found]
    assert places[:3] == [
        (Severity.REFUSE, Check.DEVICES, "node-a", 0),
        (Severity.REFUSE, Check.DEVICES, "node-a", 1),
        (Severity.REFUSE, Check.SPACE, "node-b", None),
    ]
    assert [f.severity for f in found] == sorted((f.severity for f in found), key=list(Severity).index)
    assert inspect(cluster(2), answers(one, other), recipe(4)).findings == found


def test_what_no_rank_uses_is_a_warning() -> None:
    sick = with_npu(sound(), 1, health=Health.ALARM)
    job = inspect(cluster(), answers(sick), recipe(1))
    assert [(f.severity, f.device) for f in job.findings] == [(Severity.WARN, 1)]
    assert "no rank of this job" in job.findings[0].seen
    assert inspect(cluster(), answers(sick), recipe(2)).refuses
    assert inspect(cluster(), answers(sick)).refuses


def test_ranks_sit_beside_what_others_have() -> None:
    sick = with_npu(sound(), 1, health=Health.ALARM)
    assert inspect(cluster(), answers(sick), recipe(1), unavailable={("node-a", 0)}).refuses
    assert inspect(cluster(), answers(sick), recipe(2), unavailable={("node-a", 0)}).ranks == {
        ("node-a", 0): 0,
        ("node-a", 1): 1,
    }


def test_more_ranks_than_devices_are_refused_and_the_hosts_looked_at_all_the_same() -> None:
    sick = with_npu(sound(), 1, health=Health.ALARM)
    found = inspect(cluster(), answers(sick), recipe(3)).findings
    assert [f.check for f in found] == [Check.PLACEMENT, Check.DEVICES]
    assert "set ranks to 2" in found[0].remedy
    on_cpu = inspect(cluster(soc="CPU"), answers(report(npus=(), device_nodes=())), recipe(3)).findings
    assert [f.check for f in on_cpu] == [Check.PLACEMENT]


def test_a_finding_knows_the_rank_on_its_device() -> None:
    verdict = inspect(cluster(2), answers(sound(), with_npu(sound("node-b"), 1, health=Health.ALARM)), recipe(4))
    (finding,) = verdict.findings
    assert verdict.rank_of(finding) == 3
    assert verdict.rank_of(Finding(Severity.NOTE, Check.SPACE, "x", host="node-a")) is None


FULL = Finding(Severity.REFUSE, Check.SPACE, "No space left", "1 GB", "rm", "node-a")
SICK = Finding(Severity.REFUSE, Check.DEVICES, "health is Alarm", "OK", "npu-smi info -i {device}", "node-a", 3)


def test_a_finding_is_told_as_errors_are() -> None:
    (group,) = grouped([SICK], {("node-a", 3): 7})
    assert block(group).splitlines() == [
        "refuse  node-a device 3 (rank 7): health is Alarm",
        "  expected  OK",
        "  remedy    npu-smi info -i 3",
    ]
    assert in_one_line(group) == "node-a device 3 (rank 7): health is Alarm (npu-smi info -i 3)"


def test_one_refusal_is_an_error_of_its_own_and_several_are_listed() -> None:
    one = refusal(grouped([SICK], {}))
    assert isinstance(one, PreflightError)
    assert str(one).startswith("node-a device 3: health is Alarm\n  expected  OK\n")
    both = refusal(grouped([SICK, FULL], {}))
    assert both.exit_code is ExitCode.PREFLIGHT_REFUSED
    assert "for 2 reasons" in str(both)
    assert "No space left" in str(both)


def test_a_full_disk_alone_is_the_machines_failure() -> None:
    assert refusal(grouped([FULL], {})).exit_code is ExitCode.INFRASTRUCTURE


def test_a_host_is_told_in_one_line() -> None:
    host = cluster().hosts[0]
    told = host_line(host, with_npu(sound(), 1, health=Health.ALARM))
    assert told.startswith("node-a  10.0.0.10  2 x 910B3  1 not well  driver 24.1.0")
    assert host_line(host, None) == "node-a  10.0.0.10  no answer"
    assert "all OK" in host_line(host, sound())
