"""The software has to be the same on all hosts, and to go together."""

from __future__ import annotations

from dataclasses import replace

import pytest

from launcher.hosts.preflight.checks import inspect
from launcher.hosts.preflight.finding import Finding, Severity
from launcher.hosts.preflight.versions import check_versions
from launcher.hosts.report import HostReport, Package
from launcher.specs import Framework, FrozenMap
from tests.hosts.preflight.reports import NAMES, cluster, only, packages, recipe, report, subject

GOOD = {"driver": "24.1.0", "cann": "8.0.0", "python": "3.9.9"}


def hosts(**odd: str) -> list[HostReport]:
    """Three hosts, of which the last has other versions."""
    return [
        *(report(name, packages=packages(**GOOD)) for name in NAMES[:2]),
        report(NAMES[2], packages=packages(**{**GOOD, **odd})),
    ]


def differing(name: str, *versions: str) -> list[HostReport]:
    """A host for each version of one package."""
    return [
        report(host, packages=packages(**{**GOOD, name: version}))
        for host, version in zip(NAMES, versions, strict=False)
    ]


def about(seen: str, findings: list[Finding]) -> Finding:
    (found,) = [finding for finding in findings if seen in finding.seen]
    return found


def test_versions_that_agree_and_go_together_are_not_spoken_of() -> None:
    assert not list(check_versions(subject(hosts())))


@pytest.mark.parametrize(
    ("name", "version", "severity"),
    [
        ("driver", "24.1.0.1", Severity.REFUSE),
        ("cann", "8.0.RC3", Severity.REFUSE),
        ("python", "3.9.11", Severity.WARN),
        ("python", "3.11.7", Severity.REFUSE),
    ],
)
def test_the_odd_host_is_named_and_the_majority_wins(name: str, version: str, severity: Severity) -> None:
    finding = about(f" is {version}", list(check_versions(subject(hosts(**{name: version})))))
    assert (finding.severity, finding.host) == (severity, "node-c")
    assert GOOD[name] in finding.expected
    assert "2 of 3 hosts" in finding.expected
    assert GOOD[name] in finding.remedy


def test_hosts_of_a_job_have_to_agree_with_each_other_and_not_with_the_rest_of_the_cluster() -> None:
    others = [*hosts(driver="24.1.0.1")[::-1]]
    on_two = [replace(one, host=name, name=name) for one, name in zip(others, NAMES, strict=True)]  # node-a is odd
    job = recipe(2, framework=Framework.TENSORFLOW)
    told = [f for f in check_versions(subject(on_two, cluster(3), job)) if "driver is" in f.seen]
    assert [f.host for f in told] == ["node-b", "node-c"]
    verdict = inspect(cluster(3), {one.host: one for one in on_two}, recipe(2))
    assert not verdict.refuses


def test_ranks_of_a_plain_job_need_not_have_the_same_versions() -> None:
    odd = subject(hosts(python="3.11.7"), cluster(3), recipe(6))
    assert [f.severity for f in check_versions(odd)] == [Severity.WARN]


def test_a_framework_may_lie_on_the_recipes_pythonpath() -> None:
    job = recipe(1, framework=Framework.MINDSPORE, env=FrozenMap({"PYTHONPATH": "/opt/mindspore"}))
    assert only(check_versions, subject([report()], job=job)).severity is Severity.WARN


def test_of_two_hosts_one_is_odd_always_the_same() -> None:
    two = [
        report(name, packages=packages(**{**GOOD, "firmware": v}))
        for name, v in zip(NAMES, ("7.1", "7.5"), strict=False)
    ]
    assert only(check_versions, subject(two)).host == only(check_versions, subject(two[::-1], cluster(2))).host


def test_a_framework_that_is_missing_is_refused_where_it_is_missing() -> None:
    job = recipe(framework=Framework.MINDSPORE, ranks=4)
    some = [
        report("node-a", packages=packages(**GOOD, mindspore="2.5.0")),
        report("node-b", packages=packages(**GOOD)),
    ]
    found = list(check_versions(subject(some, cluster(2), job)))
    assert [(f.severity, f.host) for f in found] == [(Severity.REFUSE, "node-b")]
    assert "/usr/bin/python -m pip install mindspore" in found[0].remedy


def test_a_framework_is_not_missed_where_python_did_not_answer() -> None:
    job = recipe(framework=Framework.MINDSPORE)
    assert not list(check_versions(subject([report(packages=packages(cann="8.0.0"))], job=job)))


def test_a_framework_that_the_job_does_not_use_may_be_any() -> None:
    odd = differing("torch", "2.1.0", "2.4.0")
    assert not list(check_versions(subject(odd, cluster(2), recipe(ranks=4))))
    assert about("torch is", list(check_versions(subject(odd, cluster(2))))).severity is Severity.REFUSE


@pytest.mark.parametrize(
    ("found", "severity", "remedy"),
    [
        ({"cann": "8.5.0", "driver": "24.1.0"}, Severity.REFUSE, "install driver 25.0.x"),
        ({"cann": "8.1.RC1", "driver": "24.1.0"}, Severity.WARN, "install driver 25.0.RC1"),
        ({"cann": "8.0.0", "driver": "25.0.RC1"}, Severity.NOTE, "install driver 24.1.0"),
        ({"cann": "8.0.0", "torch_npu": "2.1.0.post99"}, Severity.WARN, "torch-npu==2.1.0.post10"),
        ({"cann": "12.0.0", "driver": "24.1.0"}, Severity.WARN, "release notes"),
        ({"cann": "8.0.RC2", "mindspore": "2.6.0"}, Severity.WARN, "with driver 25.0.RC1), or MindSpore 2.3.1"),
        ({"torch": "2.4.0", "torch_npu": "2.1.0.post8"}, Severity.REFUSE, "pip install torch==2.1.0"),
        ({"cann": "8.0.RC1", "torch_npu": "2.1.0.post12"}, Severity.WARN, "torch-npu==2.1.0.post4"),
        ({"torch": "2.1.0", "python": "3.12.1"}, Severity.WARN, "use Python 3.11"),
        ({"mindspore": "2.6.0", "python": "3.8.2"}, Severity.WARN, "use Python 3.11"),
    ],
)
def test_a_combination_is_judged_and_the_nearest_good_one_named(
    found: dict[str, str], severity: Severity, remedy: str
) -> None:
    finding = only(check_versions, subject([report(packages=packages(**found))]))
    assert finding.severity is severity
    assert remedy in finding.remedy
    assert finding.source


def test_an_inferred_pair_that_leaves_nothing_to_mend_is_not_spoken_of() -> None:
    assert not list(check_versions(subject([report(packages=packages(cann="8.0.RC3", driver="24.1.rc3"))])))


def test_a_wheel_that_no_table_has_is_a_warning() -> None:
    finding = only(check_versions, subject([report(packages=packages(cann="8.0.0", torch_npu="3.0.0"))]))
    assert (finding.severity, finding.remedy) == (Severity.WARN, "")


def test_a_firmware_outside_of_the_drivers_range_is_refused() -> None:
    found = {"driver": Package("24.1.0", "x", ("[7.0.0,7.2.99]",)), "firmware": Package("7.5.0.3", "x")}
    finding = only(check_versions, subject([report(packages=found)]))
    assert finding.severity is Severity.REFUSE
    assert "7.5.0.3 is not within 7.0.0 to 7.2.99" in finding.seen


def test_a_driver_outside_of_the_firmwares_range_is_a_warning() -> None:
    found = {"driver": Package("24.1.0", "x"), "firmware": Package("7.5.0.3", "x", ("[23.0.0,23.0.9]",))}
    assert only(check_versions, subject([report(packages=found)])).severity is Severity.WARN


def test_hosts_without_npus_have_no_cann_to_compare() -> None:
    odd = [
        report(name, packages=packages(**{**GOOD, "cann": v})) for name, v in zip(NAMES, ("1.0", "2.0"), strict=False)
    ]
    assert not list(check_versions(subject(odd, cluster(2, soc="CPU"))))
