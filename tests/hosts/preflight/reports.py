"""Healthy hosts, clusters and recipes for the tests of preflight, to be changed in one place each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from launcher.hosts.preflight.checks import inspect
from launcher.hosts.preflight.finding import Finding, Severity
from launcher.hosts.preflight.subject import Subject
from launcher.hosts.report import Clock, Health, HostReport, Npu, Package, Port
from launcher.planning.placement import place_ranks
from launcher.specs import Cluster, Device, Framework, Host, Recipe

NAMES = ("node-a", "node-b", "node-c")


def address(host: str, device: int) -> str:
    """Of a device: the same number of all hosts is in one subnet."""
    return f"192.168.{device}.{8 + NAMES.index(host)}"


def npu(number: int, host: str = NAMES[0], **fields: Any) -> Npu:
    values: dict[str, Any] = {
        "id": number,
        "card": number,
        "chip": 0,
        "name": "910B3",
        "health": Health.OK,
        "memory_used": 3400,
        "memory_total": 65536,
        "port": Port(address(host, number), "255.255.255.0", True, "Success", False),
    }
    return Npu(**{**values, **fields})


def report(name: str = NAMES[0], devices: int = 2, **fields: Any) -> HostReport:
    values: dict[str, Any] = {
        "host": name,
        "name": name,
        "architecture": "aarch64",
        "clock": Clock(100.0, 100.01, 100.02),
        "soc": "Ascend910B3",
        "npus": tuple(npu(number, name) for number in range(devices)),
        "device_nodes": tuple(range(devices)),
        "packages": packages(driver="24.1.0", firmware="7.5.0.3.220", cann="8.0.0", python="3.9.9"),
    }
    return HostReport(**{**values, **fields})


def packages(**versions: str) -> dict[str, Package]:
    return {name: Package(version, f"/usr/bin/{name}") for name, version in versions.items()}


def with_npu(of: HostReport, number: int, **fields: Any) -> HostReport:
    """The report with one device changed."""
    return replace(of, npus=tuple(replace(n, **fields) if n.id == number else n for n in of.npus))


def cluster(hosts: int = 1, devices: int = 2, **fields: Any) -> Cluster:
    """Hosts with addresses for their devices where there are several, as HCCL needs them."""
    made = tuple(
        Host(
            name=name,
            address=f"10.0.0.{number}",
            devices=tuple(Device(id=d, ip=address(name, d) if hosts > 1 else None) for d in range(devices)),
        )
        for number, name in enumerate(NAMES[:hosts], 10)
    )
    return Cluster(**{"name": "c", "soc": "Ascend910B3", "hosts": made, **fields})


def with_ip(of: Cluster, device: int, ip: str | None) -> Cluster:
    """The cluster with another address for a device of its first host."""
    first = of.hosts[0]
    devices = tuple(Device(id=d.id, ip=ip if d.id == device else d.ip) for d in first.device_list)
    return of.model_copy(update={"hosts": (first.model_copy(update={"devices": devices}), *of.hosts[1:])})


def recipe(ranks: int = 2, **fields: Any) -> Recipe:
    values = {"name": "r", "framework": Framework.PLAIN, "ranks": ranks, "script": "/job/run.sh"}
    return Recipe(**{**values, **fields})


def subject(
    reports: Iterable[HostReport], of: Cluster | None = None, job: Recipe | None = None, **fields: Any
) -> Subject:
    """What checks look at, with ranks where they would sit."""
    found = {one.host: one for one in reports}
    hosts = of or cluster(len(found), len(next(iter(found.values())).device_nodes) or 2)
    seats = place_ranks(job, hosts) if job is not None else ()
    return Subject(hosts, found, job, seats, **fields)


Check = Callable[[Subject], Iterable[Finding]]


def only(check: Check, of: Subject) -> Finding:
    """The one finding of a check."""
    (finding,) = check(of)
    return finding


def refusals(reports: Iterable[HostReport], of: Cluster, job: Recipe | None = None) -> tuple[Finding, ...]:
    """What would refuse a run."""
    verdict = inspect(of, {one.host: one for one in reports}, job)
    return tuple(finding for finding in verdict.findings if finding.severity is Severity.REFUSE)
