"""A device has to be there, healthy, and nobody else's."""

from __future__ import annotations

import pytest

from launcher.hosts.preflight.devices import check_devices
from launcher.hosts.preflight.finding import Severity
from launcher.hosts.report import Health, NpuProcess
from tests.hosts.preflight.reports import cluster, only, recipe, report, subject, with_npu


def test_healthy_devices_are_not_spoken_of() -> None:
    assert not list(check_devices(subject([report()])))


def test_a_cluster_of_cpus_has_no_devices_to_look_at() -> None:
    assert not list(check_devices(subject([report(device_nodes=(), npus=())], cluster(soc="CPU"))))


def test_each_missing_node_is_told_with_those_that_are_there() -> None:
    found = list(check_devices(subject([report(devices=1)], cluster(devices=3))))
    assert [(f.severity, f.device) for f in found] == [(Severity.REFUSE, 1), (Severity.REFUSE, 2)]
    assert "there are those of devices 0" in found[0].expected
    assert "--device /dev/davinci1" in found[0].command
    (without,) = check_devices(subject([report(device_nodes=(), npus=())], cluster(devices=1)))
    assert "there are none" in without.expected


def test_a_node_that_the_user_may_not_open_is_refused() -> None:
    finding = only(check_devices, subject([report(closed_nodes=(1,))]))
    assert (finding.severity, finding.device) == (Severity.REFUSE, 1)
    assert finding.command.startswith("ls -l /dev/davinci1; ")
    assert "usermod" in finding.remedy


def test_a_device_that_npu_smi_does_not_list_is_refused() -> None:
    full = report()
    finding = only(check_devices, subject([report(npus=full.npus[:1])]))
    assert (finding.severity, finding.device) == (Severity.REFUSE, 1)


def test_without_npu_smi_nothing_is_said_of_its_list() -> None:
    assert not list(check_devices(subject([report(npus=())])))


@pytest.mark.parametrize(
    ("health", "severity"),
    [
        (Health.WARNING, Severity.WARN),
        (Health.ALARM, Severity.REFUSE),
        (Health.CRITICAL, Severity.REFUSE),
        (Health.UNKNOWN, Severity.REFUSE),
    ],
)
def test_health_is_told_with_its_error_codes(health: Health, severity: Severity) -> None:
    sick = with_npu(report(), 1, health=health, error_codes=("A4025021", "8C03A000"), card=5, chip=1)
    finding = only(check_devices, subject([sick]))
    assert (finding.severity, finding.host, finding.device) == (severity, "node-a", 1)
    assert health.value in finding.seen
    assert "A4025021, 8C03A000" in finding.seen
    assert "npu-smi info -t health -i 5 -c 1" in finding.remedy


def test_error_codes_of_a_healthy_device_are_a_warning() -> None:
    assert only(check_devices, subject([with_npu(report(), 0, error_codes=("80E01801",))])).severity is Severity.WARN


def test_another_process_is_named_with_pid_name_and_memory() -> None:
    taken = with_npu(report(), 0, processes=(NpuProcess(4242, "python3", 50000),))
    finding = only(check_devices, subject([taken]))
    assert finding.severity is Severity.REFUSE
    assert "pid 4242 (python3, 50000 MB)" in finding.seen
    assert "ps" in finding.remedy
    assert "4242" in finding.remedy


def test_a_process_without_a_name_is_in_a_container() -> None:
    taken = with_npu(report(), 0, processes=(NpuProcess(4242, "", None),))
    assert "container" in only(check_devices, subject([taken])).seen


def test_a_process_of_our_own_runs_is_told_apart() -> None:
    taken = with_npu(report(), 0, processes=(NpuProcess(4242, "python3", 50000),))
    finding = only(check_devices, subject([taken], own_processes={("node-a", 4242): "job-1a2b"}))
    assert finding.severity is Severity.NOTE
    assert "run job-1a2b" in finding.seen
    assert "--wait" in finding.remedy


def test_the_same_pid_on_another_host_is_another_process() -> None:
    taken = with_npu(report(), 0, processes=(NpuProcess(4242, "python3", 50000),))
    found = only(check_devices, subject([taken], own_processes={("node-b", 4242): "job-1a2b"}))
    assert found.severity is Severity.REFUSE


def test_another_chip_than_the_cluster_says_is_a_warning() -> None:
    finding = only(check_devices, subject([report()], cluster(soc="Ascend910B1")))
    assert finding.severity is Severity.WARN
    assert "Ascend910B3" in finding.seen
    assert not list(check_devices(subject([report(soc=None)], cluster(soc="Ascend910B1"))))


def test_a_job_on_other_devices_is_looked_at_all_the_same() -> None:
    sick = with_npu(report(), 1, health=Health.ALARM)
    assert only(check_devices, subject([sick], job=recipe(ranks=1))).device == 1
