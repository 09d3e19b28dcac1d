"""Whether the devices are there, healthy, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from launcher.hosts.preflight.finding import Check, Finding, Severity
from launcher.hosts.preflight.subject import Subject
from launcher.hosts.report import Health, Npu
from launcher.runs.ranks import rank_list

_SOURCE: Final = "npu-smi user guide, npu-smi info"
_HEALTH: Final = {
    Health.WARNING: (Severity.WARN, "a minor fault"),
    Health.ALARM: (Severity.REFUSE, "a major fault"),
    Health.CRITICAL: (Severity.REFUSE, "a fault that needs action at once"),
    Health.UNKNOWN: (Severity.REFUSE, "a device that is absent or has not started"),
}


def check_devices(subject: Subject) -> Iterator[Finding]:
    """Device nodes that are missing, NPUs that npu-smi does not list or that are not well, and who has them open."""
    if subject.cluster.is_cpu:
        return
    yield from _missing(subject)
    yield from _another_chip(subject)
    for host, device, npu in subject.npus:
        found = (*_unfit(npu), *_in_use(npu, host.name, subject))
        yield from (finding.at(host.name, device.id) for finding in found)


def _missing(subject: Subject) -> Iterator[Finding]:
    for host, report in subject.reported:
        told = {npu.id for npu in report.npus}
        for device in host.device_list:
            if device.id not in report.device_nodes:
                there = f"those of devices {rank_list(report.device_nodes)}" if report.device_nodes else "none"
                found = Finding(
                    Severity.REFUSE,
                    Check.DEVICES,
                    "the device has no node in /dev",
                    f"a /dev/davinciN that the user may see; there are {there}",
                    "ls -l /dev/davinci*; then mend devices in the cluster spec, or pass the node into the container "
                    "(docker run --device /dev/davinci{device})",
                )
            elif device.id in report.closed_nodes:
                found = Finding(
                    Severity.REFUSE,
                    Check.DEVICES,
                    "the user may not open the device's node in /dev",
                    "read and write permission, which the group of the node has (HwHiAiUser as a rule)",
                    "ls -l /dev/davinci{device}; sudo usermod -aG HwHiAiUser USER, and log in again",
                )
            elif told and device.id not in told:
                found = Finding(
                    Severity.REFUSE,
                    Check.DEVICES,
                    "npu-smi does not list the device, though its node is there",
                    "a device that the driver has started",
                    "npu-smi info -l; dmesg | grep -i -e davinci -e devdrv",
                    source=_SOURCE,
                )
            else:
                continue
            yield found.at(host.name, device.id)


def _unfit(npu: Npu) -> Iterator[Finding]:
    codes = ", ".join(npu.error_codes)
    if npu.health is Health.OK:
        if codes:
            yield Finding(
                Severity.WARN,
                Check.DEVICES,
                f"health is OK, but with error codes {codes}",
                "no error codes",
                f"npu-smi info -t health -i {npu.card} -c {npu.chip}",
                source=_SOURCE,
            )
        return
    severity, meaning = _HEALTH[npu.health]
    yield Finding(
        severity,
        Check.DEVICES,
        f"health is {npu.health.value}, {meaning}{f': error codes {codes}' if codes else ''}",
        "OK",
        f"npu-smi info -t health -i {npu.card} -c {npu.chip}; "
        f"npu-smi set -t reset -i {npu.card} -c {npu.chip}, when nobody uses the chip",
        source=_SOURCE,
    )


def _in_use(npu: Npu, host: str, subject: Subject) -> Iterator[Finding]:
    for process in npu.processes:
        name = process.name or "a name that is not told: it is in a container"
        held = f", {process.memory} MB" if process.memory is not None else ""
        run = subject.own_processes.get((host, process.pid))
        if run is not None:
            yield Finding(
                Severity.NOTE,
                Check.DEVICES,
                f"run {run} uses the device (pid {process.pid}, {name}{held})",
                "",
                f"npu-launch run --wait waits for its end, npu-launch stop {run} ends it",
            )
        else:
            yield Finding(
                Severity.REFUSE,
                Check.DEVICES,
                f"another process uses the device: pid {process.pid} ({name}{held})",
                "a device that no process has open",
                f"ps -o pid,user,lstart,args -p {process.pid}, and end it if it may go, or choose other devices",
            )


def _another_chip(subject: Subject) -> Iterator[Finding]:
    for host, report in subject.reported:
        if report.soc is not None and report.soc != subject.cluster.soc:
            yield Finding(
                Severity.WARN,
                Check.DEVICES,
                f"the chips are {report.soc}",
                f"{subject.cluster.soc}, as the cluster says (soc): rank table and limits follow from it",
                "mend soc in the cluster spec",
                host.name,
                source=_SOURCE,
            )
